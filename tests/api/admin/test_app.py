"""Proof that no route opens without a `require`, and that the control plane stands apart."""

import asyncio
from typing import Annotated

import httpx2
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import iter_route_contexts

from tests.api.admin.office import Office, kind
from tests.services.gateway import KEY, running
from tollbridge.api.admin.app import make_admin
from tollbridge.api.admin.principal import Principal, require, requirement_of
from tollbridge.identity.scopes import Scope

ORIGIN = {"origin": "https://elsewhere.example"}


async def test_every_route_says_what_it_needs(office: Office):
    routes = list(iter_route_contexts(make_admin(office.shop.services).routes))
    assert len(routes) >= 10
    free = {route.path for route in routes if requirement_of(route).scope is None}
    assert free == {"/api/admin/me", "/api/admin/openapi.json"}
    for route in routes:
        # A proof of the books changes none of them.
        reads = route.methods == {"GET"} or route.path == "/api/admin/ledger/check"
        scope = requirement_of(route).scope
        ends = (":read",) if reads else (":write", ":reverse")
        assert scope is None or scope.endswith(ends), route.path


def test_a_route_that_forgot_is_refused():
    inner = APIRouter(prefix="/deep")

    def nothing() -> None: ...

    def asked(_: Annotated[Principal, require(Scope.USERS_READ)]) -> None: ...

    def twice(
        _: Annotated[Principal, require(Scope.USERS_READ)],
        __: Annotated[Principal, require(Scope.TOKENS_READ)],
    ) -> None: ...

    def below(_: Annotated[None, Depends(asked)]) -> None: ...

    inner.add_api_route("/nothing", nothing)
    inner.add_api_route("/asked", asked)
    inner.add_api_route("/twice", twice)
    inner.add_api_route("/below", below)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(inner)
    app.mount("/mounted", FastAPI())
    found = {}
    for route in iter_route_contexts(app.routes):
        try:
            found[route.path] = requirement_of(route).scope
        except ValueError as error:
            found[route.path] = str(error)
    refused = "the route {} must have exactly one `require`"
    assert found == {
        "/deep/nothing": refused.format("/deep/nothing"),
        "/deep/asked": Scope.USERS_READ,
        "/deep/twice": refused.format("/deep/twice"),
        "/deep/below": Scope.USERS_READ,
        "/mounted": refused.format("/mounted"),
    }


async def test_pages_of_other_origins_get_nothing(office: Office):
    async with office.client() as client:
        for method in ("GET", "OPTIONS"):
            asked = ORIGIN | {"access-control-request-method": "GET"}
            reply = await client.request(method, "/api/admin/me", headers=asked)
            assert not [name for name in reply.headers if name.startswith("access-control")]
        assert kind(await client.options("/api/admin/me")) == (405, "method-not-allowed")
        assert "access-control-allow-origin" in (await client.get("/v1/models")).headers


async def test_every_answer_is_private(office: Office):
    async with office.client() as client:
        for path in ("/api/admin/me", "/api/admin/openapi.json", "/api/admin/nothing"):
            reply = await client.get(path)
            assert reply.headers.get_list("cache-control") == ["no-store"]
            assert reply.headers.get_list("x-content-type-options") == ["nosniff"]


async def test_the_rest_is_as_it_was(office: Office):
    async with office.client() as client:
        for path in ("/api", "/api/administrator", "/api/adminx/me"):
            reply = await client.get(path)
            assert (reply.status_code, reply.headers["content-type"]) == (404, "application/json")


async def test_a_real_gateway_from_the_command_line_to_the_last_byte(tmp_path):
    async with running(tmp_path) as (gateway, _):
        promoted = '\n[[user]]\nemail = "boss@example.com"\nrole = "admin"\n'
        await asyncio.to_thread(gateway.apply, promoted)
        words = ("token", "create", "--user", "boss@example.com", "--name", "ci", "--scope", "*")
        made = await asyncio.to_thread(gateway.run, *words)
        assert made.returncode == 0, made.stderr
        token = made.stdout.strip()
        headers = {"authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(
            base_url=gateway.url, headers=headers, trust_env=False
        ) as client:
            [channel] = (await client.get("/api/admin/channels")).json()["items"]
            await stop_and_go(client, channel["id"])
            tid = await one_call(client)
            call = (await client.get(f"/api/admin/requests/{tid}?note=canary-7f3a")).json()
            assert (call["state"], call["operator"]["account"]) == ("settled", "one")
            assert call["receipt"]["charge"] != "0.00"
            other = await client.post(
                "/api/admin/tokens", json={"name": "x", "scopes": ["channels:read"]}
            )
            await revoked_elsewhere(gateway, client, other.json())
            own = (await client.get("/api/admin/me")).json()["token_id"]
            assert (await client.delete(f"/api/admin/tokens/{own}")).status_code == 204
            assert kind(await client.get("/api/admin/me")) == (401, "unauthorised")
        log = gateway.log.read_text()
        assert token not in log and "canary-7f3a" not in log


async def revoked_elsewhere(gateway, client, made) -> None:
    """Revoke a token by another process; the gateway that knows it hears of that."""
    headers = {"authorization": f"Bearer {made['token']}"}
    assert (await client.get("/api/admin/me", headers=headers)).status_code == 200
    done = await asyncio.to_thread(gateway.run, "token", "revoke", made["id"])
    assert done.returncode == 0, done.stderr
    while (reply := await client.get("/api/admin/me", headers=headers)).status_code == 200:
        await asyncio.sleep(0.01)
    assert kind(reply) == (401, "unauthorised")


async def stop_and_go(client, number: str) -> None:
    """Switch the channel off until calls feel it, and on until they do not."""
    for enabled, status in ((False, 403), (True, 200)):
        path = f"/api/admin/channels/{number}"
        assert (await client.patch(path, json={"enabled": enabled})).json()["enabled"] is enabled
        while (await chat(client)).status_code != status:
            pass


async def chat(client):
    body = {"model": "gpt-test", "messages": [{"role": "user", "content": "hi"}]}
    key = {"authorization": f"Bearer {KEY}"}
    return await client.post("/v1/chat/completions", json=body, headers=key)


async def one_call(client) -> str:
    reply = await chat(client)
    assert reply.status_code == 200, reply.text
    tid: str = reply.headers["x-request-id"]
    return tid
