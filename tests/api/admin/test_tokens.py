"""Proof that tokens are made, listed and revoked by those who may, and never outgrow their maker."""

import pytest

from tests.api.admin.office import Office, kind, problem
from tollbridge.identity.scopes import Scope

SOON = "2099-01-01T00:00:00.000Z"


async def test_a_token_is_made_and_shown_once(each_office: Office):
    body = {"name": "deploy", "scopes": ["channels:read"], "expires_at": SOON}
    async with each_office.client() as client:
        reply = await client.post("/api/admin/tokens", json=body)
        assert reply.status_code == 201
        made = reply.json()
        listed = (await client.get("/api/admin/tokens")).json()["items"]
    token = made.pop("token")
    assert made in listed
    assert token not in str(listed)
    assert made["last6"] == token[-6:]
    assert made["user_id"] == str(each_office.people["admin"])
    assert {name: made[name] for name in body} == body
    assert made["revoked_at"] is made["used_at"] is None
    async with each_office.shop.client(token) as client:
        assert (await client.get("/api/admin/me")).json()["scopes"] == ["channels:read"]
        assert kind(await client.get("/api/admin/tokens")) == (403, "scope-missing")


@pytest.mark.parametrize(
    ("role", "held", "asked", "beyond"),
    [
        ("staff", [Scope.TOKENS_WRITE], ["channels:read"], "channels:read"),
        ("staff", [Scope.ALL], ["channels:read", "*"], "*"),
        ("staff", [Scope.ALL], ["channels:write"], "channels:write"),
        ("admin", [Scope.TOKENS_WRITE], ["tokens:write", "*"], "*"),
        ("admin", [Scope.TOKENS_WRITE, Scope.CHANNELS_READ], ["requests:read"], "requests:read"),
        ("admin", [Scope.TOKENS_WRITE, Scope.CHANNELS_READ], ["channels:read"], None),
        ("admin", [Scope.ALL], ["*", "accounts:write"], None),
        ("staff", [Scope.ALL], ["accounts:read"], None),
    ],
)
async def test_a_token_makes_none_that_is_good_for_more(
    office: Office, role: str, held: list[Scope], asked: list[str], beyond: str | None
):
    async with office.client(*held, role=role) as client:
        reply = await client.post("/api/admin/tokens", json={"name": "x", "scopes": asked})
    if beyond is None:
        assert reply.status_code == 201
    else:
        assert kind(reply) == (403, "scope-beyond")
        assert beyond in reply.json()["detail"]


@pytest.mark.parametrize(
    ("asked", "status"), [(SOON, 422), (None, 422), ("2098-01-01T00:00:00Z", 201)]
)
async def test_a_token_makes_none_that_lives_longer(office: Office, asked, status: int):
    token = await office.token(expires_ms=4_070_000_000_000)
    body = {"name": "x", "scopes": ["*"], "expires_at": asked}
    async with office.shop.client(token) as client:
        reply = await client.post("/api/admin/tokens", json=body)
    assert reply.status_code == status
    if status == 422:
        assert [one["field"] for one in problem(reply)["errors"]] == ["body.expires_at"]


async def test_an_expiry_lies_ahead(office: Office):
    async with office.client() as client:
        body = {"name": "x", "scopes": ["*"], "expires_at": "2026-01-01T00:00:00Z"}
        assert kind(await client.post("/api/admin/tokens", json=body)) == (422, "invalid")


def timeless(items: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{**item, "used_at": None} for item in items]


async def test_staff_see_and_revoke_their_own_alone(office: Office):
    theirs, _ = await office.numbered(role="admin")
    own, _ = await office.numbered(role="staff")
    async with office.client(Scope.ALL, role="staff") as client:
        listed = (await client.get("/api/admin/tokens")).json()["items"]
        assert {one["email"] for one in listed} == {"staff@example.com"}
        mine = await client.get(f"/api/admin/tokens?user={office.people['staff']}")
        # When a token was used is written beside the answer, so the first list may not say it yet.
        assert timeless(mine.json()["items"]) == timeless(listed)
        reply = await client.get(f"/api/admin/tokens?user={office.people['admin']}")
        assert kind(reply) == (403, "role-forbidden")
        reply = await client.delete(f"/api/admin/tokens/{theirs}")
        assert kind(reply) == (404, "not-found")
        assert (await client.delete(f"/api/admin/tokens/{own}")).status_code == 204


async def test_admins_revoke_anybodys_and_for_ever(each_office: Office):
    number, token = await each_office.numbered(role="staff")
    async with each_office.client() as client:
        reply = await client.delete(f"/api/admin/tokens/{number}")
        assert (reply.status_code, reply.content) == (204, b"")
        path = f"/api/admin/tokens?user={each_office.people['staff']}"
        [once] = (await client.get(path)).json()["items"]
        assert (await client.delete(f"/api/admin/tokens/{number}")).status_code == 204
        assert (await client.get(path)).json()["items"] == [once]
        assert kind(await client.delete("/api/admin/tokens/7")) == (404, "not-found")
    assert once["revoked_at"] is not None
    async with each_office.shop.client(token) as client:
        assert kind(await client.get("/api/admin/me")) == (401, "unauthorised")


async def test_tokens_of_operators_are_in_the_log(each_office: Office):
    async with each_office.client() as client:
        body = {"name": "deploy", "scopes": ["channels:read"], "expires_at": SOON}
        made = (await client.post("/api/admin/tokens", json=body)).json()
        for _ in range(2):
            assert (await client.delete(f"/api/admin/tokens/{made['id']}")).status_code == 204
    revoked, written = (await each_office.get("/audit", subject_kind="token"))["items"]
    assert (written["action"], revoked["action"]) == ("token.make", "token.revoke")
    assert written["detail"]["scopes"] == ["channels:read"]
    assert written["subject"] == revoked["subject"] == f"deploy …{made['last6']}"
    assert made["token"] not in str(written)
