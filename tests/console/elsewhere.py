"""Owns a site that knows others to sign in with, and the way of a browser there and back."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.oidc import Provider, running
from tests.services.pages import SITE, House
from tollbridge.core.clock import now_ms
from tollbridge.core.secrets import Secrets
from tollbridge.core.settings import Settings
from tollbridge.storage.people_tables import external_identities, sessions
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working

GO, BACK, JOIN = "/sign-in/with/own", "/sign-in/with/own/back", "/sign-in/with/own/join"


@pytest.fixture(scope="module")
def running_provider() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(running_provider: Provider) -> Provider:
    running_provider.reset()
    return running_provider


@pytest.fixture
async def house(engine: AsyncEngine, secrets: Secrets, tmp_path: Path, provider: Provider) -> House:
    """Return a site that knows three sites to sign in with, and that is open to everybody."""
    tables = [
        provider.configured(title="Own login"),
        provider.configured("twin"),
        provider.configured("staff", allowed_domains=["Example.org"]),
        provider.configured("gh", "github", title="GitHub"),
    ]
    settings = Settings(
        public_url=SITE, mail_folder=str(tmp_path / "mail"), sign_in_providers=tables
    )
    made = House(engine, secrets, settings)
    await made.set_site(sign_up="open", sign_up_bonus="1.00")
    return made


async def gone(browser: httpx2.AsyncClient, provider: Provider, path: str = GO) -> str:
    """Go to the other site and return the address that it sends the browser back to."""
    answer = await browser.get(path)
    assert answer.status_code == 303, answer.text
    return provider.visit(answer.headers["location"])


async def travelled(
    browser: httpx2.AsyncClient, provider: Provider, path: str = GO
) -> httpx2.Response:
    return await browser.get(await gone(browser, provider, path))


def word_in(answer: httpx2.Response) -> str:
    found = re.search(r'name="word" value="([^"]+)"', answer.text)
    assert answer.status_code == 200 and found, answer.text
    return found[1]


async def rows(house: House, table: Any) -> list[Any]:
    async with reading(house.engine) as connection:
        return list((await connection.execute(select(table))).mappings())


async def linked(
    house: House, user_id: int, provider: str = "own", subject: str = "person-1"
) -> int:
    row = {"id": now_ms() + len(subject), "user_id": user_id, "provider": provider}
    row |= {"subject": subject, "email": "told@example.com", "created_ms": 1}
    async with working(house.engine) as connection:
        await connection.execute(external_identities.insert().values(**row))
    return int(row["id"])


async def untouched(house: House) -> bool:
    """Tell whether nobody came in and nothing came of it."""
    found = [await rows(house, table) for table in (users, external_identities, sessions)]
    return not any(found)


async def link(browser: httpx2.AsyncClient, provider: Provider) -> str:
    """Begin to link, and return where the other site sends the browser."""
    page = await browser.post("/console/profile/link/own")
    assert page.status_code == 200, page.text
    url = page.headers["refresh"].removeprefix("0; url=")
    assert url.replace("&", "&amp;") in page.text
    return provider.visit(url)
