"""Owns the telling of operators: an alert's text, and that it goes out with the row that says so.

Told at once when an alert opens, then at most hourly while it lasts, and once when it closes; each
time through the outbox, in the transaction of the row. Must not know what makes an alert true.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import get_logger
from tollbridge.notify.kinds import RULES, Kind, Rule, clean_detail, clean_subject, rule_of
from tollbridge.notify.mail import Mail, addresses
from tollbridge.notify.outbox import post_mail, post_webhook
from tollbridge.storage.alerts import (
    Alert,
    State,
    Telling,
    close_others,
    close_quiet,
    note_closed,
    note_raised,
    take_due,
)

_LINE_MAX = 200
_log = get_logger(__name__)


class Operators:
    """Who is told of alerts: some by mail, a machine by webhook, the log in any case."""

    def __init__(self, mail_to: Sequence[str] = (), *, webhook: bool = False) -> None:
        self._mail_to = tuple(mail_to)
        self._webhook = webhook

    @classmethod
    def of(cls, settings: Settings) -> "Operators":
        """Return those whom the settings name; SettingsError for what is no address."""
        mail_to = addresses("alert_mail_to", settings.alert_mail_to)
        return cls(mail_to, webhook=bool(settings.alert_webhook_url))

    async def raise_alert(
        self,
        connection: AsyncConnection,
        kind: Kind,
        subject: str,
        detail: str,
        at_ms: int,
        *,
        count: int = 1,
    ) -> None:
        """Raise an alert `count` times in the caller's transaction, and tell when that is due."""
        about = clean_subject(subject)
        said = clean_detail(detail)
        telling = await note_raised(connection, kind, about, said, at_ms, count)
        await self._tell(connection, [] if telling is None else [telling])

    async def close_alert(
        self, connection: AsyncConnection, kind: Kind, subject: str, at_ms: int
    ) -> None:
        """Close an alert in the caller's transaction, and tell so if it was open."""
        telling = await note_closed(connection, kind, clean_subject(subject), at_ms)
        await self._tell(connection, [] if telling is None else [telling])

    async def close_others(
        self, connection: AsyncConnection, kind: Kind, subjects: Collection[str], at_ms: int
    ) -> None:
        """Close the alerts of a kind about anything but `subjects`."""
        kept = [clean_subject(subject) for subject in subjects]
        await self._tell(connection, await close_others(connection, kind, kept, at_ms))

    async def sweep(self, connection: AsyncConnection, at_ms: int) -> None:
        """Close what has been quiet for long enough, and tell what was raised since the last time."""
        for kind, rule in RULES.items():
            if rule.quiet_ms is not None:
                before_ms = at_ms - rule.quiet_ms
                await self._tell(connection, await close_quiet(connection, kind, before_ms, at_ms))
        await self._tell(connection, await take_due(connection, at_ms))

    async def _tell(self, connection: AsyncConnection, tellings: Iterable[Telling]) -> None:
        for state, alert in tellings:
            log = _log.info if state is State.CLOSED else _log.warning
            log(f"alert_{state}", kind=alert.kind, subject=alert.subject, detail=alert.detail)
            for address in self._mail_to:
                mail = Mail(address, headline(state, alert), text(state, alert))
                await post_mail(connection, mail)
            if self._webhook:
                await post_webhook(connection, f"alert.{state}", _data(state, alert))


def headline(state: State, alert: Alert) -> str:
    """Return one line that says it all: the subject of a mail."""
    prefix = {State.OPENED: "", State.LASTS: "still: ", State.CLOSED: "over: "}[state]
    line = f"[tollbridge] {prefix}{rule_of(alert.kind).title}: {alert.subject}"
    return line if len(line) <= _LINE_MAX else line[: _LINE_MAX - 1] + "…"


def text(state: State, alert: Alert) -> str:
    """Return the text of a mail: what, since when, and what to do."""
    rule = rule_of(alert.kind)
    lines = [f"{rule.title}: {alert.subject}", "", alert.detail, "", _since(state, alert, rule)]
    if state is not State.CLOSED:
        lines += ["", rule.todo]
    return "\n".join(lines) + "\n"


def _since(state: State, alert: Alert, rule: Rule) -> str:
    since = f"since {_utc(alert.first_ms)}"
    if state is State.CLOSED and alert.closed_ms is not None:
        if rule.quiet_ms is None:
            return f"It was so {since} and is over, as seen at {_utc(alert.closed_ms)}."
        times = _times(alert.count)
        return f"It came up {times} {since}, last at {_utc(alert.last_ms)}; this alert is closed."
    return f"It came up {_times(alert.count)} {since}." if rule.counts else f"It is so {since}."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _data(state: State, alert: Alert) -> dict[str, Any]:
    return {
        "state": state.value,
        "kind": alert.kind,
        "title": rule_of(alert.kind).title,
        "subject": alert.subject,
        "detail": alert.detail,
        "todo": rule_of(alert.kind).todo,
        "count": alert.count,
        "first_ms": alert.first_ms,
        "last_ms": alert.last_ms,
        "closed_ms": alert.closed_ms,
    }
