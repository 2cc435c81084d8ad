"""Proof that nothing is reached without a token that is good for it, whatever the role."""

import re

import pytest
from fastapi.routing import iter_route_contexts

from tests.api.admin.office import NOBODY, Office, kind, problem
from tests.services.shop import DEMO
from tollbridge.api.admin.app import make_admin
from tollbridge.api.admin.principal import requirement_of
from tollbridge.api.admin.problems import BODY_MAX
from tollbridge.core.clock import now_ms
from tollbridge.identity.access_tokens import TokenStore
from tollbridge.identity.scopes import OWN, Scope
from tollbridge.storage.engine import open_engine

READS = (Scope.CHANNELS_READ, Scope.REQUESTS_READ, Scope.TOKENS_READ)
TID = "0" * 32
# Method, path, the scope that it needs, and what it answers to a token that is good for it.
ENDPOINTS = [
    ("GET", "/me", None, 200),
    ("GET", "/openapi.json", None, 200),
    ("GET", "/channels", Scope.CHANNELS_READ, 200),
    ("GET", "/channels/1", Scope.CHANNELS_READ, 404),
    ("PATCH", "/channels/1", Scope.CHANNELS_WRITE, 422),
    ("GET", "/requests", Scope.REQUESTS_READ, 200),
    ("GET", f"/requests/{TID}", Scope.REQUESTS_READ, 404),
    ("POST", f"/requests/{TID}/reverse", Scope.REQUESTS_REVERSE, 422),
    ("GET", "/tokens", Scope.TOKENS_READ, 200),
    ("POST", "/tokens", Scope.TOKENS_WRITE, 422),
    ("DELETE", "/tokens/1", Scope.TOKENS_WRITE, 404),
]
STAFF = {*READS, Scope.TOKENS_WRITE, Scope.REQUESTS_REVERSE, None}


HELD = (
    *(*READS, Scope.CHANNELS_WRITE, Scope.TOKENS_WRITE, Scope.REQUESTS_REVERSE, Scope.ALL),
    *sorted(OWN),
)


@pytest.mark.parametrize("role", ["user", "staff", "admin"])
async def test_the_matrix_of_roles_scopes_and_endpoints(office: Office, role: str):
    for held in HELD:
        async with office.client(held, role=role) as client:
            for method, path, needed, status in ENDPOINTS:
                reply = await client.request(method, f"/api/admin{path}")
                expected = judged(role, held, needed) or status
                assert reply.status_code == expected if isinstance(expected, int) else (
                    kind(reply) == expected
                ), (held, method, path)  # fmt: skip


def judged(role: str, held: Scope, needed: Scope | None) -> tuple[int, str] | None:
    """Return the refusal that a token of this role must get, None when it may pass."""
    allowed = {"user": set(), "staff": STAFF, "admin": {*Scope, None} - OWN}[role]
    if not allowed or (held is not Scope.ALL and held not in allowed):
        return 403, "role-forbidden"
    if needed is None or (held in {needed, Scope.ALL} and needed in allowed):
        return None
    return 403, "scope-missing"


@pytest.mark.parametrize("role", ["user", "staff", "admin"])
async def test_the_matrix_of_all_routes_there_are(office: Office, role: str):
    """The table above is written by hand; this one has every route, whoever wrote it."""
    routes = list(iter_route_contexts(make_admin(office.shop.services).routes))
    for held in Scope:
        async with office.client(held, role=role) as client:
            for route in routes:
                needed = requirement_of(route).scope
                refused = role == "user" or held not in allowed_to(role) | {Scope.ALL}
                missing = needed and not (
                    held in {needed, Scope.ALL} and needed in allowed_to(role)
                )
                path = str(route.path_format).replace("{tid}", TID)
                path = re.sub(r"\{\w+\}", "1", path)
                for method in route.methods or ():
                    reply = await client.request(method, path)
                    what = reply.json().get("type", "") if reply.content else ""
                    expected = "role-forbidden" if refused else "scope-missing" if missing else ""
                    closed = what.endswith(("role-forbidden", "scope-missing"))
                    assert closed is bool(expected), (held, method, path)
                    assert what.endswith(expected), (held, method, path)


def allowed_to(role: str) -> set[Scope]:
    """Return what a role may do here, written down once more: what is one's own is elsewhere."""
    reads = {scope for scope in Scope if scope.endswith(":read")} - OWN
    staff = reads | {Scope.TOKENS_WRITE, Scope.REQUESTS_REVERSE}
    return {"user": set(), "staff": staff, "admin": set(Scope) - OWN}[role]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, "Send an access token"),
        ("", "Send an access token"),
        ("Basic YTpi", "Send an access token"),
        (f"Bearer {DEMO}", "Keys of model calls are not taken here"),
        ("Bearer tbp_short", "not known here"),
        ("Bearer tbp_" + "x" * 46, "not known here"),
        ("Bearer tbp_\xe4", "not known here"),
    ],
)
async def test_what_is_no_token_is_refused_and_told_why(
    office: Office, header: str | None, words: str
):
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    async with office.shop.client("") as client:
        for path in ("/api/admin/me", "/api/admin/nothing", "/api/admin"):
            reply = await client.get(path, headers=headers)
            assert kind(reply) == (401, "unauthorised")
            assert reply.headers["www-authenticate"].startswith("Bearer")
            assert words in reply.json()["detail"]


async def test_a_token_is_taken_from_the_authorization_header_alone(office: Office):
    token = await office.token()
    async with office.shop.client("") as client:
        for headers, query in (({"x-api-key": token}, ""), ({}, f"?key={token}")):
            reply = await client.get(f"/api/admin/me{query}", headers=headers)
            assert kind(reply) == (401, "unauthorised")
            assert token not in reply.text
        good = await client.get("/api/admin/me", headers={"authorization": f"bearer  {token} "})
        assert good.status_code == 200


async def test_a_token_is_no_key_of_model_calls(office: Office):
    async with office.client() as client:
        assert (await client.get("/v1/balance")).status_code == 401


async def test_revoked_expired_and_suspended(office: Office):
    number, token = await office.numbered()
    late = await office.token(expires_ms=now_ms() - 1)
    async with office.shop.client(token) as client:
        assert (await client.get("/api/admin/me")).status_code == 200
        reply = await client.get("/api/admin/me", headers={"authorization": f"Bearer {late}"})
        assert "has expired" in problem(reply)["detail"]
        await office.change_user("admin", status="suspended")
        assert "suspended" in problem(await client.get("/api/admin/me"))["detail"]
        await office.change_user("admin", status="active")
        assert (await client.get("/api/admin/me")).status_code == 200
        assert (await client.delete(f"/api/admin/tokens/{number}")).status_code == 204
        reply = await client.get("/api/admin/me")
        assert kind(reply) == (401, "unauthorised")
        assert "revoked" in reply.json()["detail"]


async def test_a_token_loses_what_its_user_loses(office: Office):
    token = await office.token(Scope.ALL)
    async with office.shop.client(token) as client:
        assert (await client.patch("/api/admin/channels/1", json={})).status_code == 404
        await office.change_user("admin", role="staff")
        reply = await client.patch("/api/admin/channels/1", json={})
        assert kind(reply) == (403, "scope-missing")
        assert (await client.get("/api/admin/channels")).status_code == 200
        await office.change_user("admin", role="user")
        assert kind(await client.get("/api/admin/me")) == (403, "role-forbidden")


async def test_a_large_body_is_not_read(office: Office):
    async def pieces():
        for _ in range(3):
            yield b" " * (BODY_MAX // 2)

    async with office.client() as client:
        for content in (b"x" * (BODY_MAX + 1), pieces()):
            reply = await client.post(
                "/api/admin/tokens", content=content, headers={"content-type": "application/json"}
            )
            assert kind(reply) == (413, "body-too-large")


async def test_strangers_bodies_are_not_read_at_all(office: Office):
    async with office.shop.client("") as client:
        reply = await client.post("/api/admin/tokens", content=b"not json")
    assert kind(reply) == (401, "unauthorised")


async def test_the_database_is_away(office: Office):
    token = await office.token()
    engine = open_engine(NOBODY)
    store = TokenStore(engine, office.shop.secrets)
    async with office.shop.client(token, access_tokens=store) as client:
        reply = await client.get("/api/admin/me")
    assert kind(reply) == (503, "database-down")
    assert reply.headers["retry-after"] == "1"
    await engine.dispose()
