"""Proof that who was deleted meanwhile has nothing here."""

from tests.api.admin.office import Office, kind
from tests.api.own.people import client_of
from tollbridge.identity.scopes import Scope


async def test_a_token_of_nobody_finds_nothing(office: Office):
    async with office.client(Scope.OWN_READ, role="user") as client:
        assert (await client.get("/api/user/wallet")).status_code == 200
    async with client_of(office, "bob") as client:
        assert (await client.get("/api/user/wallet")).json()["balance"] == "1.00"
        reply = await client.get("/api/admin/me")
        assert kind(reply) == (403, "role-forbidden")
