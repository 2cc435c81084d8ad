"""Owns the sending of usage rows to ClickHouse, and the alert when it falls behind.

A batch is sent until it was taken, always under the same token, and forgotten only then: every row
is at the sink once, whoever dies when. Must not know how rows come into the feed.
"""

from typing import Any, Final, Self

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.clock import now_ms
from tollbridge.core.money import format_usd
from tollbridge.core.settings import Settings, SettingsError
from tollbridge.notify.kinds import Kind
from tollbridge.notify.operators import Operators
from tollbridge.storage.sink_feed import Batch, backlog, batch_rows, close_batch, open_batch
from tollbridge.storage.unit_of_work import working
from tollbridge.storage.usage_export import FIELDS, Form, Row, moment
from tollbridge.upstreams.receiver import PostFailed, Receiver
from tollbridge.worker.schedule import Periodic

VERSION: Final = "version"
"""The column that tells the newest of several rows of a call."""

_POST_S = 45.0
_RUN_S = 60.0
_CHECK_S = 60.0
_LATE_MS = 3_600_000
_SUBJECT = "clickhouse"
_EXCEPTION_CODE = "x-clickhouse-exception-code"
_OPTIONS = {
    # The answer comes when the rows are stored, and a batch is one block.
    "async_insert": "0",
    "wait_end_of_query": "1",
    "insert_deduplicate": "1",
    "date_time_input_format": "best_effort",
    # A table of an earlier version goes on to be filled.
    "input_format_skip_unknown_fields": "1",
}


class SinkFailed(Exception):
    """The sink has not taken a batch; the text has a status and a code at most."""


class Sink:
    """What is sent where. Make it once."""

    def __init__(
        self, engine: AsyncEngine, settings: Settings, *, deadline_s: float = _POST_S
    ) -> None:
        """Take a site's sink; SettingsError when its URL is none of http or https with a host."""
        self._engine = engine
        self._table = settings.sink_table
        self._most = settings.sink_batch_rows
        self._every_s = settings.sink_every_s
        try:
            self._receiver = Receiver(settings.sink_url, deadline_s=deadline_s)
        except ValueError as error:
            raise SettingsError(f"sink_url: {error}") from None

    @classmethod
    def of(cls, engine: AsyncEngine, settings: Settings) -> Self | None:
        """Return the sink that the settings name, if they name one."""
        return cls(engine, settings) if settings.sink_url else None

    def periodic(self) -> Periodic:
        """Return the sending as a periodic job."""
        return Periodic("sink", self._every_s, self.run, _RUN_S)

    async def run(self) -> bool:
        """Send one batch; return whether there is more. SinkFailed when it was not taken."""
        batch = await open_batch(self._engine, self._most)
        if batch is None:
            return False
        lines = [
            line
            async for rows in batch_rows(self._engine, batch)
            for line in (json_line(version, row) for version, row in rows)
        ]
        if lines:
            await self._insert(batch, b"".join(lines))
        await close_batch(self._engine, batch)
        return batch.rows >= self._most

    async def _insert(self, batch: Batch, body: bytes) -> None:
        query = {
            **_OPTIONS,
            "query": f"INSERT INTO {self._table} FORMAT JSONEachRow",
            "insert_deduplication_token": batch.token,
        }
        headers = {"content-type": "application/x-ndjson"}
        try:
            status, head = await self._receiver.post(headers, body, query)
        except PostFailed as error:
            raise SinkFailed(f"the sink {error}") from None
        code = head.get(_EXCEPTION_CODE, "")
        if status != 200 or code:
            known = f", code {code}" if code.isdecimal() and len(code) < 10 else ""
            raise SinkFailed(f"the sink answered {status}{known}")


class SinkCheck:
    """Tells operators of a sink that is behind, and of its end."""

    def __init__(self, engine: AsyncEngine, operators: Operators, settings: Settings) -> None:
        self._engine = engine
        self._operators = operators
        self._on = bool(settings.sink_url)
        self._most = settings.sink_alert_rows

    def periodic(self) -> Periodic:
        """Return the check as a periodic job."""
        return Periodic("alerts_sink", _CHECK_S, self.run)

    async def run(self) -> None:
        """Alert when too many rows wait or one waits for an hour; over when a quarter less does."""
        at_ms = now_ms()
        async with working(self._engine) as connection:
            waiting = await backlog(connection, self._most + 1)
            late_ms = at_ms - waiting.since_ms if waiting.rows else 0
            if self._on and (waiting.rows > self._most or late_ms > _LATE_MS):
                rows = f"more than {self._most}" if waiting.rows > self._most else waiting.rows
                detail = f"{rows} rows wait, the oldest since {moment(waiting.since_ms)}"
                await self._operators.raise_alert(
                    connection, Kind.SINK_BEHIND, _SUBJECT, detail, at_ms
                )
            elif not self._on or waiting.rows <= self._most * 3 // 4:
                await self._operators.close_alert(connection, Kind.SINK_BEHIND, _SUBJECT, at_ms)


def json_line(version: int, row: Row) -> bytes:
    """Return a row as a line of JSON: money as exact decimals in text, times in UTC."""
    values: dict[str, Any] = {
        field.name: _value(field.form, value) for field, value in zip(FIELDS, row, strict=True)
    }
    return msgspec.json.encode(values | {VERSION: version}) + b"\n"


def _value(form: Form, value: Any) -> Any:
    if form is Form.MONEY:
        return format_usd(value)
    return moment(value) if form is Form.TIME else value
