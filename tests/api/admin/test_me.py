"""Proof that who asks is told whose token it is and what it is good for now."""

from tests.api.admin.office import Office
from tollbridge.identity.scopes import Scope


async def test_what_a_token_says_of_itself(office: Office):
    number, token = await office.numbered(
        Scope.CHANNELS_READ, Scope.CHANNELS_WRITE, role="staff", expires_ms=4_000_000_000_000
    )
    async with office.shop.client(token) as client:
        shown = (await client.get("/api/admin/me")).json()
    assert shown == {
        "user_id": str(office.people["staff"]),
        "email": "staff@example.com",
        "role": "staff",
        "token_id": str(number),
        "token_name": "a token",
        "token_last6": token[-6:],
        "scopes": ["channels:read"],
        "expires_at": "2096-10-02T07:06:40.000Z",
    }


async def test_everything_is_spelled_out(office: Office):
    shown = await office.get("/me")
    assert shown["scopes"] == sorted(set(Scope) - {Scope.ALL})
    assert shown["expires_at"] is None
