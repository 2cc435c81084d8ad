"""Accounts that sign in, from the file to the vendor: a real gateway, a real token endpoint, no token told."""

import asyncio

import httpx2
import pytest

from tests.services.gateway import KEY, Gateway, catalogue, chat
from tests.services.token_server import token_server
from tollbridge.demo.fake_books import AccountScript
from tollbridge.demo.fake_upstream import FakeUpstream

SIGNED_IN = """name = "one"
base_url = "{vendor}"
priority = -1
oauth = {{token_url = "{url}", client_id = "client", refresh_token = "{token}"}}

[[channel.account]]
name = "with a secret\""""
CLAUDE = """
[[model]]
name = "claude-test"
context = 200000
max_output = 4096
input = "2.50"
output = "10.00"

[[channel]]
name = "claude"
platform = "anthropic"
models = ["claude-test"]

[[channel.account]]
name = "claude"
base_url = "{vendor}"
oauth = {{token_url = "{url}", client_id = "c", refresh_token = "{token}", style = "json"}}
"""
MESSAGE = {
    "model": "claude-test",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hello"}],
}
BETAS = {
    "anthropic-beta": "context-1m-2025-08-07,oauth-2099-01-01",
    "anthropic-version": "2023-06-01",
}


def configured(vendor: str, server, token: str = "refresh-0", claude=None) -> str:
    text = catalogue(vendor).replace('name = "one"', "{one}", 1).replace('channel = "main"', "")
    text = text.replace("{one}", SIGNED_IN.format(vendor=vendor, url=server.url, token=token))
    text = text.replace('account]]\nname = "with a secret', 'account]]\nname = "with-a-secret')
    before, user, after = text.partition("[[user]]")
    other = claude or server
    return before + CLAUDE.format(vendor=vendor, url=other.url, token="refresh-0") + user + after


@pytest.fixture
async def scene(tmp_path):
    fake = FakeUpstream()
    vendor = await fake.start()
    gateway = Gateway(tmp_path)
    async with token_server() as server, token_server(named="claude") as claude:
        text = configured(vendor, server, claude=claude)
        await asyncio.to_thread(gateway.apply, text)
        await asyncio.to_thread(gateway.start)
        try:
            yield gateway, fake, server, claude, vendor
        finally:
            await asyncio.to_thread(gateway.stop)
            await fake.stop()


async def asked(client: httpx2.AsyncClient, number: int) -> int:
    body = chat(prompt_cache_key=f"k{number}", stream=bool(number % 2))
    return (await client.post("/v1/chat/completions", json=body)).status_code


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.02)


async def test_from_the_file_to_the_vendor(scene):
    gateway, fake, server, claude, vendor = scene
    async with gateway.client() as client:
        assert set(await asyncio.gather(*(asked(client, n) for n in range(20)))) == {200}
        assert (server.count, {call.secret for call in fake.books.calls}) == (1, {"access-1"})
        # The vendor refuses the token: the calls go elsewhere, and one refresh replaces it.
        fake.books.accounts["access-1"] = AccountScript({"status": 401})
        assert set(await asyncio.gather(*(asked(client, n) for n in range(6)))) == {200}
        await until(lambda: server.count == 2)
        await asyncio.to_thread(gateway.apply, configured(vendor, server, claude=claude))
        fake.books.calls.clear()
        assert set(await asyncio.gather(*(asked(client, n) for n in range(6)))) == {200}
        assert {call.secret for call in fake.books.calls} == {"access-2"}
        fake.books.calls.clear()
        reply = await client.post("/v1/messages", json=MESSAGE, headers=BETAS)
        assert reply.status_code == 200
        [call] = fake.books.calls
        assert (call.place, call.secret) == ("authorization", "claude-1")
        assert call.header(b"anthropic-beta") == "oauth-2025-04-20,context-1m-2025-08-07"
        assert call.header(b"x-api-key") == ""
        # Somebody signs in with a token that is void: the account goes, the other one serves.
        text = configured(vendor, server, "revoked", claude)
        assert "~ account main/one: oauth.refresh_token" in await asyncio.to_thread(
            gateway.apply, text
        )
        while not gateway.rows("SELECT 1 FROM alert"):
            assert await asked(client, 1) == 200
            await asyncio.sleep(0.05)
        metrics = (await client.get("/metrics")).text
    [row] = gateway.rows("SELECT disabled_reason, auth FROM accounts WHERE name = 'one'")
    assert row == {"disabled_reason": "oauth: invalid_grant", "auth": "oauth"}
    [alert] = gateway.rows("SELECT kind, subject, detail FROM alert")
    assert (alert["kind"], alert["subject"]) == ("account_disabled", "main/one")
    gateway.wait_settled()
    told = (
        gateway.log.read_text() + metrics + repr(alert) + repr(gateway.rows("SELECT * FROM usage"))
    )
    for secret in ("access-1", "access-2", "claude-1", "refresh-", "revoked", "CANARY", KEY):
        assert secret not in told, secret
