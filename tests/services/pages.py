"""Owns the pages as a browser meets them, in this process: a site on a database, and browsers at it.

`house` is a fixture on both engines. A browser keeps cookies and says of its forms what real ones do.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.api.traced import Traced
from tollbridge.backoffice.parts import PARTS as OFFICE
from tollbridge.billing.grants import grant, open_wallet
from tollbridge.catalog.finding import Finding
from tollbridge.catalog.loader import load_snapshot
from tollbridge.catalog.site_rows import change_site
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.console.parts import PARTS as CONSOLE
from tollbridge.core.clock import new_id, now_ms
from tollbridge.core.secrets import Secrets
from tollbridge.core.settings import Settings
from tollbridge.identity.doors import Doors
from tollbridge.identity.passwords import hash_password
from tollbridge.identity.sessions import start_session
from tollbridge.identity.users import add_user
from tollbridge.storage.counters_memory import MemoryCounters
from tollbridge.storage.unit_of_work import writing
from tollbridge.web.services import WebServices
from tollbridge.web.site import make_site

SITE = "https://site.test"
COOKIE = "__Host-session"


# A tenth of a second each, and what is stored may be stored twice.
_hashed = cache(hash_password)


class House:
    """A site on a database. `found` is what a test call to any account comes to."""

    def __init__(self, engine: AsyncEngine, secrets: Secrets, settings: Settings) -> None:
        self.engine = engine
        self.secrets = secrets
        self.snapshot: Snapshot
        self.found: Finding | None = None
        self.tested: list[tuple[int, str | None]] = []
        self.counters = MemoryCounters()
        self.services = WebServices(
            engine=engine,
            secrets=secrets,
            settings=settings,
            snapshot=lambda: self.snapshot,
            site_url=lambda: settings.public_url,
            doors=Doors(engine, self.counters, secrets),
            test_account=self._test,
        )
        self.app = Traced(make_site(self.services, (*CONSOLE, *OFFICE)))

    async def _test(self, account_id: int, model: str | None) -> Finding | None:
        self.tested.append((account_id, model))
        return self.found

    async def refresh(self) -> None:
        """Read the catalogue again, as a server does within a second."""
        self.snapshot = await load_snapshot(self.engine, self.secrets)

    async def set_site(self, **values: Any) -> None:
        """Change settings of the site."""
        async with writing(self.engine) as connection:
            await change_site(connection, values)
        await self.refresh()

    async def user(
        self,
        email: str = "ann@example.com",
        role: str = "user",
        *,
        password: str | None = None,
        credit: int = 0,
        **columns: Any,
    ) -> int:
        """Make a user; `credit` is nano-dollars."""
        user_id, at_ms = new_id(), now_ms()
        more = {
            "role": role,
            "group_name": "default",
            "password_hash": _hashed(password) if password else None,
            **columns,
        }
        async with writing(self.engine) as connection:
            wallet_id = await open_wallet(connection, user_id)
            await add_user(connection, user_id, email, at_ms, {**more, "wallet_id": wallet_id})
            if credit:
                await grant(connection, wallet_id, credit, f"test:{user_id}", at_ms)
        await self.refresh()
        return user_id

    @asynccontextmanager
    async def browser(self, user_id: int | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        """Yield a browser; signed in when a user is named."""
        headers = {
            "sec-fetch-site": "same-origin",
            "user-agent": "a browser",
            "accept-language": "en",
        }
        transport = httpx2.ASGITransport(self.app, client=("192.0.2.7", 1234))
        async with httpx2.AsyncClient(
            transport=transport, base_url=SITE, headers=headers, follow_redirects=False
        ) as client:
            if user_id is not None:
                client.cookies.set(COOKIE, await self.session(user_id), domain="site.test")
            yield client

    async def session(self, user_id: int) -> str:
        """Return the cookie of a new session of a user."""
        async with writing(self.engine) as connection:
            return await start_session(
                connection,
                self.secrets,
                user_id,
                "full",
                now_ms(),
                address="192.0.2.7",
                agent="a browser",
            )


@pytest.fixture
async def house(engine: AsyncEngine, secrets: Secrets, tmp_path: Path) -> House:
    """Return a site on a migrated database of each engine."""
    settings = Settings(public_url=SITE, mail_folder=str(tmp_path / "mail"))
    made = House(engine, secrets, settings)
    await made.refresh()
    return made
