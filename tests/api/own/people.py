"""Owns clients of the shop's two users, with tokens for what is their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from tests.api.admin.office import Office
from tests.services.shop import DEMO, OTHERS
from tollbridge.core.clock import now_ms
from tollbridge.identity.access_tokens import add_token
from tollbridge.identity.scopes import Scope
from tollbridge.storage.unit_of_work import writing

SECRETS = {"ada": DEMO, "bob": OTHERS}


@asynccontextmanager
async def client_of(
    office: Office, who: str = "ada", *scopes: Scope
) -> AsyncIterator[httpx2.AsyncClient]:
    """Open a client of ada or bob; without scopes it may do all that is their own."""
    user_id = (await office.shop.key(SECRETS[who])).user_id
    async with writing(office.shop.engine) as connection:
        _, token = await add_token(
            connection,
            office.shop.secrets,
            user_id,
            "own",
            scopes or (Scope.OWN_READ, Scope.OWN_WRITE),
            at_ms=now_ms(),
        )
    async with office.shop.client(token) as client:
        yield client
