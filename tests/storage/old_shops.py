"""Owns shops of earlier revisions, and what the upgrade makes of each: made once, then copied.

To bring a shop to a revision takes every step up to it; a test needs a copy of its own, no more.
"""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.services.postgres import Server
from tests.storage.shop_books import Shop, contents
from tests.storage.test_restore import in_one, made_at
from tollbridge.storage.migrate import migrate

Named = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class OldShop:
    """The shop that was written, all rows as they stood, and the URLs of both databases."""

    shop: Shop
    before: Named
    old: str
    upgraded: str


def named(connection: Connection) -> Named:
    """Return every table's rows as dictionaries in the order of `contents`."""
    result = {}
    for table in contents(connection):
        rows = connection.execute(text(f'SELECT * FROM "{table}"')).mappings().all()
        result[table] = [dict(row) for row in rows]
    return result


class OldShops:
    """All of them, by engine and revision. Use it in no test that runs a loop: only in fixtures."""

    def __init__(self, folder: Path, request: pytest.FixtureRequest, stack: ExitStack) -> None:
        self._folder = folder
        self._request = request
        self._stack = stack
        self._made: dict[tuple[str, str], OldShop] = {}

    def find(self, engine: str, revision: str) -> OldShop:
        """Return a shop; nobody may write into its databases."""
        if (engine, revision) not in self._made:
            self._made[engine, revision] = self._make(engine, revision)
        return self._made[engine, revision]

    @contextmanager
    def copied(self, url: str) -> Iterator[str]:
        """Yield the URL of a copy of a database."""
        if url.startswith("sqlite:"):
            file = Path(url.removeprefix("sqlite:///"))
            number = sum(1 for _ in self._folder.iterdir())
            yield f"sqlite:///{shutil.copyfile(file, self._folder / f'{number}.db')}"
        else:
            with self._server.database(url) as made:
                yield made

    @property
    def _server(self) -> Server:
        server: Server = self._request.getfixturevalue("postgres_server")
        return server

    def _make(self, engine: str, revision: str) -> OldShop:
        if engine == "postgresql":
            old = self._stack.enter_context(self._server.database())
        else:
            old = f"sqlite:///{self._folder}/{revision}.db"
        shop = Shop(21, users=5, months=6, calls=200, holds=10, newest=False)
        asyncio.run(made_at(old, revision, shop))
        before = asyncio.run(in_one(old, named))
        upgraded = self._stack.enter_context(self.copied(old))
        asyncio.run(migrate(upgraded))
        return OldShop(shop, before, old, upgraded)
