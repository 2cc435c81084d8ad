"""Owns both applications of the control plane on one database, for tests that ask very many things.

Everything runs on one event loop of its own, so that one database serves all tests of a module.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from sqlalchemy import select, update

from tests.services.shop import DEMO, OTHERS, Shop, open_shop
from tollbridge.api.admin.app import make_admin
from tollbridge.api.admin.document import document_of
from tollbridge.api.app import make_api
from tollbridge.api.own.app import make_own
from tollbridge.billing.grants import open_wallet
from tollbridge.catalog.finding import Finding
from tollbridge.core.clock import new_id, now_ms
from tollbridge.core.secrets import Secrets
from tollbridge.identity.access_tokens import add_token
from tollbridge.identity.audit import SHELL
from tollbridge.identity.scopes import Scope
from tollbridge.identity.sessions import start_session
from tollbridge.identity.users import add_user
from tollbridge.people.announcements import Announcement, announce
from tollbridge.people.invites import Wish, make_invite
from tollbridge.people.redeeming import Batch, make_codes
from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.people_tables import announcements, invites, sessions
from tollbridge.storage.tables import access_tokens, accounts, channels, models, users
from tollbridge.storage.unit_of_work import reading, writing

T = TypeVar("T")
ROLES = ("user", "staff", "admin")


class _Nothing:
    engine = secrets = None


def documents() -> dict[str, dict[str, Any]]:
    """Return the documents of both applications; they need no database."""
    nothing: Any = _Nothing()
    return {
        "admin": document_of(make_admin(nothing)),
        "user": document_of(make_own(nothing, nothing)),
    }


@dataclass
class Planes:
    """Both applications behind one address.

    `people` are ids of users by role, and of ada and bob, who have keys and calls. `things` are ids
    that there are, by the name of the parameter that takes them; those of users are ada's.
    """

    runner: asyncio.Runner
    shop: Shop
    client: httpx2.AsyncClient
    people: dict[str, int] = field(default_factory=dict)
    things: dict[str, str] = field(default_factory=dict)

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        """Do something on the loop of these applications."""
        return self.runner.run(doing)

    def ask(self, token: str, method: str, url: str, **request: Any) -> httpx2.Response:
        """Send one request with an access token, "" without one."""
        given = dict(request.pop("headers", {}))
        headers = {name: text for name, text in given.items() if name.lower() != "authorization"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        return self.run(self.client.request(method, url, headers=headers, **request))

    def token(self, who: str, *scopes: Scope, **more: Any) -> str:
        """Return a new access token of somebody."""
        return self.run(self._token(who, scopes or (Scope.ALL,), more))[1]

    async def _token(
        self, who: str, scopes: tuple[Scope, ...], more: dict[str, Any]
    ) -> tuple[int, str]:
        async with writing(self.shop.engine) as connection:
            return await add_token(
                connection,
                self.shop.secrets,
                self.people[who],
                "a token",
                scopes,
                at_ms=now_ms(),
                **more,
            )

    def dead_tokens(self) -> dict[str, str]:
        """Return tokens of admins that opened everything once, by why they do not any more."""
        dead = {
            "suspended": self.token("gone"),
            "expired": self.token("admin", expires_ms=now_ms() - 1),
            "revoked": self.token("admin"),
        }
        self.run(self._kill(dead["revoked"][-6:]))
        return dead

    async def _kill(self, end: str) -> None:
        async with writing(self.shop.engine) as connection:
            this = users.c.id == self.people["gone"]
            await connection.execute(update(users).where(this).values(status="suspended"))
            this = access_tokens.c.last6 == end
            await connection.execute(update(access_tokens).where(this).values(revoked_ms=now_ms()))
        self.shop.services.access_tokens.clear()


@contextmanager
def open_planes(folder: Path) -> Iterator[Planes]:
    """Serve on a new database, with at least one of everything in it."""
    with asyncio.Runner() as runner:
        planes = runner.run(_opened(folder, runner))
        yield planes
        runner.run(_close(planes))


async def _opened(folder: Path, runner: asyncio.Runner) -> Planes:
    url = f"sqlite:///{folder}/planes.db"
    await migrate(url)
    shop = await open_shop(open_engine(url), Secrets(b"p" * 32, {"k1": b"k" * 32}, "k1"))
    shop.services = replace(shop.services, test_account=_tried)
    transport = httpx2.ASGITransport(make_api(shop.services), raise_app_exceptions=False)
    client = httpx2.AsyncClient(transport=transport, base_url="http://shop.test")
    planes = Planes(runner, shop, client)
    await _hire(planes)
    await _furnish(planes)
    return planes


async def _tried(account_id: int, _model: str | None) -> Finding | None:
    """Answer as a test call of an account does; none has a credential whose id is below a thousand."""
    return Finding("ok", 200, 12, "/v1/models") if account_id > 1_000 else None


async def _close(planes: Planes) -> None:
    await planes.client.aclose()
    await planes.shop.services.access_tokens.stop()
    await planes.shop.engine.dispose()


async def _hire(planes: Planes) -> None:
    for name, secret in (("ada", DEMO), ("bob", OTHERS)):
        planes.people[name] = (await planes.shop.key(secret)).user_id
    async with writing(planes.shop.engine) as connection:
        for name in (*ROLES, "gone"):
            planes.people[name] = user_id = new_id()
            role = name if name in ROLES else "admin"
            more = {"role": role, "group_name": "default", "password_hash": None}
            more["wallet_id"] = await open_wallet(connection, user_id)
            await add_user(connection, user_id, f"{name}@example.com", now_ms(), more)


async def _furnish(planes: Planes) -> None:
    shop, at_ms = planes.shop, now_ms()
    wish = Announcement("news", "A title", "A text", "", at_ms, None)
    async with writing(shop.engine) as connection:
        await make_codes(connection, shop.secrets, SHELL, Batch("spring", 3, 10**9), at_ms)
        await make_invite(connection, shop.secrets, SHELL, Wish(3), at_ms)
        await announce(connection, SHELL, wish, at_ms)
        for name in ("ada", "bob"):
            who = planes.people[name]
            await start_session(
                connection, shop.secrets, who, "full", at_ms, address="192.0.2.7", agent="a browser"
            )
    planes.things |= {"user_id": str(planes.people["ada"]), "month": "2026-01"}
    planes.things["token_id"] = str((await planes._token("ada", (Scope.OWN_READ,), {}))[0])
    planes.things |= await things_of(planes, "ada", DEMO)
    async with reading(shop.engine) as connection:
        for name, table in (
            ("channel_id", channels),
            ("account_id", accounts),
            ("model_id", models),
            ("invite_id", invites),
            ("announcement_id", announcements),
        ):
            found = await connection.execute(select(table.c.id).order_by(table.c.id).limit(1))
            planes.things[name] = str(found.scalar_one())


async def things_of(planes: Planes, who: str, secret: str) -> dict[str, str]:
    """Return ids of what somebody has: a key, a session, a settled call."""
    key = await planes.shop.key(secret)
    tid = await planes.shop.settle(charge=7, secret=secret)
    async with reading(planes.shop.engine) as connection:
        query = select(sessions.c.id).where(sessions.c.user_id == planes.people[who])
        session = (await connection.execute(query)).scalars().first()
    return {"key_id": str(key.id), "tid": tid, "session_id": str(session)}
