"""Proof that the application of users opens to every role with what is their own, and to nothing else."""

import pytest

from tests.api.admin.office import Office, kind
from tollbridge.identity.scopes import Scope


@pytest.mark.parametrize("role", ["user", "staff", "admin"])
async def test_every_role_has_something_of_its_own(office: Office, role: str):
    async with office.client(Scope.OWN_READ, role=role) as client:
        reply = await client.get("/api/user/me")
        assert reply.json()["email"] == f"{role}@example.com"
        assert reply.headers["cache-control"] == "no-store"
        assert kind(await client.patch("/api/user/me", json={})) == (403, "scope-missing")
        assert kind(await client.get("/api/admin/users")) == (403, "role-forbidden")


async def test_a_token_for_the_office_is_good_for_nothing_here(office: Office):
    async with office.client(Scope.USERS_READ) as client:
        assert kind(await client.get("/api/user/me")) == (403, "role-forbidden")


async def test_the_document_stands_apart(office: Office):
    async with office.client() as client:
        own = (await client.get("/api/user/openapi.json")).json()
    assert own["info"]["title"] == "Tollbridge for users"
    assert all(path.startswith("/api/user/") for path in own["paths"])
