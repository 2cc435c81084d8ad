"""Owns the shop as its operators reach it: users of every role, and access tokens for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from sqlalchemy import update

from tests.services.shop import Shop
from tollbridge.core.clock import new_id, now_ms
from tollbridge.identity.access_tokens import add_token
from tollbridge.identity.scopes import Scope
from tollbridge.identity.users import add_user
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import writing

# A database of which nobody answers.
NOBODY = "postgresql://postgres@127.0.0.1:1/none"
PROBLEM = "application/problem+json"


@dataclass
class Office:
    """The shop, and who works in it: `people` are ids of users by role."""

    shop: Shop
    people: dict[str, int] = field(default_factory=dict)

    async def hire(self) -> None:
        """Make a user of each role."""
        async with writing(self.shop.engine) as connection:
            for role in ("user", "staff", "admin"):
                self.people[role] = new_id()
                more = {"role": role, "group_name": "default", "password_hash": None}
                wallet = {"wallet_id": new_id()}
                email = f"{role}@example.com"
                await add_user(connection, self.people[role], email, now_ms(), more | wallet)

    async def token(self, *scopes: Scope, role: str = "admin", **more: Any) -> str:
        """Return a new token of a user of that role, whatever the role allows."""
        return (await self.numbered(*scopes, role=role, **more))[1]

    async def numbered(self, *scopes: Scope, role: str = "admin", **more: Any) -> tuple[int, str]:
        """Return a new token with its id."""
        async with writing(self.shop.engine) as connection:
            return await add_token(
                connection,
                self.shop.secrets,
                self.people[role],
                "a token",
                scopes or (Scope.ALL,),
                at_ms=now_ms(),
                **more,
            )

    async def change_user(self, who: str, /, **columns: Any) -> None:
        """Change a user as the console does, and let the server hear of it."""
        async with writing(self.shop.engine) as connection:
            changed = update(users).where(users.c.id == self.people[who])
            await connection.execute(changed.values(**columns))
        self.shop.services.access_tokens.clear()

    @asynccontextmanager
    async def client(
        self, *scopes: Scope, role: str = "admin", **services: Any
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """Open a client with a new token; `services` replace parts of the wiring."""
        token = await self.token(*scopes, role=role)
        async with self.shop.client(token, **services) as opened:
            yield opened

    async def get(self, path: str, **asked: Any) -> Any:
        """Return the JSON of a successful answer to an admin."""
        async with self.client() as client:
            reply = await client.get(f"/api/admin{path}", params=asked)
        assert reply.status_code == 200, reply.text
        return reply.json()


def problem(reply: httpx2.Response) -> dict[str, Any]:
    """Return the document of a problem, which has the form that it must."""
    assert reply.headers["content-type"] == PROBLEM, reply.text
    assert reply.headers["cache-control"] == "no-store"
    shown: dict[str, Any] = reply.json()
    assert shown.keys() - {"errors"} == {"type", "title", "status", "detail", "instance", "tid"}
    assert shown["status"] == reply.status_code
    assert shown["tid"] == reply.headers["x-request-id"]
    assert shown["type"].startswith("urn:tollbridge:problem:")
    assert shown["detail"] and shown["title"]
    for fault in shown.get("errors", ()):
        assert fault.keys() == {"field", "message"} and all(fault.values())
    return shown


def kind(reply: httpx2.Response) -> tuple[int, str]:
    """Return the status and the kind of a problem."""
    return reply.status_code, problem(reply)["type"].rpartition(":")[2]
