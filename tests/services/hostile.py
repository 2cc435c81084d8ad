"""Owns a site whose every name was chosen by somebody who means harm, and the paths of all its pages."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final
from zoneinfo import ZoneInfo

from httpx2 import AsyncClient
from sqlalchemy import insert, select, update

from tests.console.calls import Till
from tests.services.pages import House
from tollbridge.backoffice.parts import PARTS as OFFICE
from tollbridge.console.parts import PARTS as CONSOLE
from tollbridge.core.clock import new_id, now_ms
from tollbridge.core.zones import day_at
from tollbridge.identity.audit import SHELL, Subject, note
from tollbridge.storage.account_tables import account_trouble
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.people_tables import (
    announcements,
    external_identities,
    invites,
    redeem_codes,
    sessions,
)
from tollbridge.storage.tables import access_tokens, accounts, api_keys, channels, models, users
from tollbridge.storage.unit_of_work import reading, writing

CANARY: Final = "=1+1\"'></title><img src=x onerror=c7>"
"""Ends an attribute, an element and a sheet's patience; fits into every name."""

MARKDOWN: Final = (
    CANARY
    + "\n\n[a](javascript:c7) [b](data:text/html,c7) ![c](https://evil.test/c7) <script>c7</script>"
    + '\n\n<javascript:c7> [d](//evil.test) [e](vbscript:c7 "\'onmouseover=c7")\n\n<!-- c7'
)
_NEVER: Final = ("iframe", "object", "embed", "base", "applet")
_LEADING: Final = ("href", "src", "action", "formaction", "hx-get", "hx-post", "poster")
_HARMLESS: Final = ("/", "#", "?", "https://", "http://", "mailto:")
_OF: Final = {
    "keys": "key", "tokens": "token", "sessions": "session", "unlink": "identity",
    "accounts": "account", "channels": "channel", "models": "model", "announcements": "news",
    "invites": "invite", "users": "user",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class World:
    """A user and an admin with the same names; `ids` are of the user's things and of the site's."""

    user: int
    admin: int
    tid: str
    ids: dict[str, int]

    def path(self, declared: str) -> str:
        """Return a declared path with what is there in its places."""
        piece = declared.partition("/{id}")[0].rpartition("/")[2]
        found = str(self.ids.get(_OF.get(piece, ""), 1))
        known = {
            "{id}": found,
            "{tid}": self.tid,
            "{file}": f"{month_now()}.html",
            "{name}": "terms",
        }
        return re.sub(r"\{\w+\}", lambda place: known.get(place[0], "own"), declared)


def month_now() -> str:
    """Return the month as statements are named by it."""
    return day_at(ZoneInfo("UTC"), now_ms()).strftime("%Y-%m")


def declared(method: str) -> list[str]:
    """Return the paths of all pages of a method."""
    parts = (*CONSOLE, *OFFICE)
    return [path for part in parts for (made, path) in part.needs if made == method]


async def furnished(house: House) -> World:
    """Fill a site with hostile names."""
    till = await Till(house).open()
    user = int((await till.user())["id"])
    tid = await till.call(given={"key_name": CANARY, "model_asked": CANARY, "client": CANARY[:40]})
    await till.call(
        given={"channel_name": CANARY, "model_asked": CANARY},
        state="failed", error_kind="upstream_error", status=502,
    )  # fmt: skip
    await till.catch_up()
    admin = await house.user("root@example.com", "admin", credit=10**9)
    await _people(house, user, admin)
    await _names(house, user)
    for name in ("name", "contact_email", "contact_telegram", "contact_qq", "contact_wechat"):
        await house.set_site(**{name: CANARY})
    await house.set_site(terms=MARKDOWN, refunds=MARKDOWN, disclaimer=MARKDOWN, sign_up="open")
    return World(user, admin, tid, await _ids(house, user))


async def _people(house: House, user: int, admin: int) -> None:
    at_ms = now_ms()
    for who in (user, admin):
        await house.session(who)
    token = {"hash": b"t", "last6": "tttttt", "scopes": '["own:read"]', "created_ms": at_ms}
    invite = {"hash": b"i", "last6": "iiiiii", "note": CANARY, "uses_max": 2, "created_ms": at_ms}
    code = {"hash": b"c", "last6": "cccccc", "batch": CANARY, "amount_nano": 1, "created_ms": at_ms}
    told = {"title": CANARY, "body": MARKDOWN, "starts_ms": at_ms - 1000, "created_ms": at_ms}
    async with writing(house.engine) as connection:

        async def add(table: Any, **values: Any) -> None:
            await connection.execute(insert(table).values(id=new_id(), **values))

        await add(access_tokens, user_id=user, name=CANARY, **token)
        await add(invites, **invite)
        await add(redeem_codes, **code)
        await add(announcements, level="incident", **told)
        await add(announcements, level="news", **told)
        for who in (user, admin):
            await add(
                external_identities, user_id=who, provider=CANARY, subject=f"{who}", email=CANARY,
                created_ms=at_ms,
            )  # fmt: skip
        subject = Subject("user", user, CANARY)
        await note(
            connection, SHELL, CANARY, subject, at_ms, reason=CANARY, before={CANARY: CANARY}
        )


async def _names(house: House, user: int) -> None:
    at_ms = now_ms()
    async with writing(house.engine) as connection:
        for table in (channels, accounts, models):
            first = select(table.c.id).order_by(table.c.id).limit(1).scalar_subquery()
            await connection.execute(update(table).where(table.c.id == first).values(name=CANARY))
        await connection.execute(
            update(api_keys).where(api_keys.c.name == "demo").values(name=CANARY)
        )
        await connection.execute(update(sessions).values(agent=CANARY, address=CANARY))
        mine = update(users).where(users.c.id == user)
        await connection.execute(mine.values(email=CANARY, group_name="default", role="user"))
        await connection.execute(update(users).values(status_reason=CANARY))
        account = (await connection.execute(select(accounts.c.id).limit(1))).scalar_one()
        await connection.execute(
            insert(account_trouble).values(
                node_id=1, account_id=account, model=CANARY, trouble="limited", reason=CANARY,
                until_ms=at_ms + 10**7, since_ms=at_ms,
            )
        )  # fmt: skip
    await house.refresh()


async def _ids(house: House, user: int) -> dict[str, int]:
    async with reading(house.engine) as connection:

        async def first(table: Any, **where: Any) -> int:
            query = select(table.c.id).order_by(table.c.id).filter_by(**where).limit(1)
            return int((await connection.execute(query)).scalar_one())

        key = (
            await connection.execute(select(usage.c.key_id).where(usage.c.user_id == user).limit(1))
        ).scalar_one()
        return {
            "user": user, "key": int(key), "token": await first(access_tokens),
            "session": await first(sessions, user_id=user),
            "identity": await first(external_identities, user_id=user),
            "account": await first(accounts), "channel": await first(channels),
            "model": await first(models), "news": await first(announcements),
            "invite": await first(invites),
        }  # fmt: skip


class _Seen(HTMLParser):
    """Collects what a browser would make of a page that no page of ours may have."""

    def __init__(self) -> None:
        super().__init__()
        self.harm: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element and where it leads."""
        if tag in _NEVER:
            self.harm.append(f"<{tag}>")
        for name, value in attrs:
            led = (value or "").strip().lower()
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.harm.append(f"<{tag} {name}>")
            elif name in _LEADING and not led.startswith(_HARMLESS):
                self.harm.append(f"<{tag} {name}={led[:80]}>")
            elif tag == "script" and name == "src" and not led.startswith("/static/"):
                self.harm.append(f"script of {led[:80]}")


def harm_in(page: str) -> list[str]:
    """Return what of a page could run, load or send something: [] for a harmless one."""
    seen = _Seen()
    seen.feed(page)
    raw = [f"raw: {part}" for part in ("<img src=x", "<script>", "<!-- c7") if part in page]
    return seen.harm + raw


async def shown_harmlessly(browser: AsyncClient, world: World, paths: Iterable[str]) -> int:
    """Open all of these; return how many pages show the canary. None may do more than show it."""
    shown = 0
    for path in paths:
        answer = await browser.get(world.path(path))
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert harm_in(answer.text) == [], path
            shown += "&#39;&gt;&lt;/title&gt;" in answer.text
    return shown
