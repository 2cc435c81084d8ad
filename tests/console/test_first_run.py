"""A new site from its first start to its first paid call, over HTTP alone, at a real process."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from tests.services import nursery
from tests.services.gateway import Gateway
from tests.services.plain import PLAIN
from tests.services.ports import free_port
from tollbridge.core.secrets import load_or_create
from tollbridge.demo.fake_upstream import FakeUpstream

LINK = re.compile(r"tollbridge is set up at (http://127\.0\.0\.1:\d+/setup\?token=([\w-]+))\n")
PASSWORD = "a long enough password"
ADMIN = {"email": "op@example.com", "password": PASSWORD, "site": "Acme", "sign_up": "open"}
MODEL = "gpt-4o-mini"


def link_of(gateway: Gateway) -> tuple[str, str]:
    """Return the link that a server has printed last, and the word in it."""
    found = LINK.findall(gateway.log.read_text())
    assert found, gateway.log.read_text()
    return found[-1]


@asynccontextmanager
async def browser(gateway: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"sec-fetch-site": "same-origin"}
    async with httpx2.AsyncClient(
        base_url=gateway.url, headers=headers, verify=PLAIN, trust_env=False, timeout=30
    ) as client:
        yield client


async def test_from_the_first_start_to_a_paid_call(tmp_path: Path) -> None:
    fake = FakeUpstream()
    vendor = await fake.start()
    gateway = Gateway(tmp_path)
    try:
        await asyncio.to_thread(gateway.apply, "[site]\nallow_private_upstreams = true\n")
        await asyncio.to_thread(gateway.start)
        link, word = link_of(gateway)
        async with browser(gateway) as visitor:
            assert "Set up this site" in (await visitor.get(link)).text
            made = await visitor.post("/setup", data={**ADMIN, "token": word, "bonus": "2.5"})
            assert made.headers["location"] == "/setup/channel", made.text
            # Browsers trust the machine itself as much as https; this client does not.
            visitor.headers["cookie"] = made.headers["set-cookie"].partition(";")[0]
            await set_the_channel_up(visitor, vendor)
            secret = await make_a_key(visitor)
            await give_credit(gateway, visitor)
            async with browser(gateway) as stranger:
                # Used, and there is an admin: there is nothing there, whatever one brings.
                assert (await stranger.get(link)).status_code == 404
                again = await stranger.post("/setup", data={**ADMIN, "token": word, "bonus": "1"})
                assert again.status_code == 404
        await pay_for_a_call(gateway, secret)
        await asyncio.to_thread(gateway.stop)
        # It starts with an admin now: no other link.
        await asyncio.to_thread(gateway.start)
        assert len(LINK.findall(gateway.log.read_text())) == 1
        assert PASSWORD not in gateway.log.read_text()
        assert gateway.log.read_text().count(word) == 1
    finally:
        await asyncio.to_thread(gateway.stop)
        await fake.stop()


async def test_of_several_processes_one_prints_the_link(
    tmp_path: Path, migrated_postgres_url: str
) -> None:
    keys = tmp_path / "keys" / "tollbridge.keys"
    load_or_create(keys)
    port, log = free_port(), tmp_path / "log"
    words = ("serve", "--workers", "2", "--port", str(port), "--database", migrated_postgres_url)
    environ = {**os.environ, "TOLLBRIDGE_KEY_FILE": str(keys)}
    log.touch()
    child = nursery.start(words, environ, log)
    try:
        for _ in range(600):
            if LINK.search(log.read_text()) and "serves at" in log.read_text():
                break
            await asyncio.sleep(0.05)
        assert len(LINK.findall(log.read_text())) == 1, log.read_text()
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as visitor:
            assert (await visitor.get(LINK.findall(log.read_text())[0][0])).status_code == 200
    finally:
        child.send_signal(signal.SIGTERM)
        await asyncio.to_thread(child.wait, 30)
    assert len(LINK.findall(log.read_text())) == 1


async def set_the_channel_up(visitor: httpx2.AsyncClient, vendor: str) -> None:
    first = await visitor.get("/setup/channel")
    assert "OpenAI" in first.text, first.headers
    form = await visitor.get("/setup/channel?platform=openai")
    assert "https://api.openai.com" in form.text and MODEL in form.text
    channel = {
        "platform": "openai",
        "name": "main",
        "base_url": vendor,
        "secret": "vendor-secret",
        "model": MODEL,
    }
    saved = await visitor.post("/setup/channel", data=channel)
    assert saved.headers.get("location") == "/setup/test", saved.text
    tested = await visitor.post("/setup/test")
    assert "It answers" in tested.text
    prices = await visitor.get("/setup/prices")
    assert "$0.15" in prices.text and "$0.60" in prices.text
    mark = re.search(r'name="mark" value="(\w+)"', prices.text)
    assert mark is not None
    sizes = {f"context:{MODEL}": "128000", f"output:{MODEL}": "16384"}
    taken = await visitor.post("/setup/prices", data={"mark": mark[1], **sizes})
    assert taken.headers.get("location") == "/backoffice", taken.text
    assert (await visitor.get("/setup/channel")).headers["location"] == "/backoffice"


async def make_a_key(visitor: httpx2.AsyncClient) -> str:
    for _ in range(100):
        form = (await visitor.get("/console/keys/new")).text
        if "main" in form:
            break
        await asyncio.sleep(0.05)
    made = await visitor.post("/console/keys", data={"name": "first", "channel": "auto"})
    found = re.search(r"sk-tb-\w{46}", made.text)
    assert found is not None, made.text
    return found[0]


async def give_credit(gateway: Gateway, visitor: httpx2.AsyncClient) -> None:
    user_id = gateway.rows("SELECT id FROM users")[0]["id"]
    form = {"amount": "5", "credit_reason": "to try it", "form_id": "f" * 24}
    given = await visitor.post(f"/backoffice/users/{user_id}/credit", data=form)
    assert given.status_code == 303, given.text


async def pay_for_a_call(gateway: Gateway, secret: str) -> None:
    call = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx2.AsyncClient(base_url=gateway.url, trust_env=False, timeout=30) as client:
        # What is set up takes effect within a second, not at once.
        for _ in range(100):
            if MODEL in (await client.get("/v1/models", headers=headers)).text:
                break
            await asyncio.sleep(0.05)
        answer = await client.post("/v1/chat/completions", json=call, headers=headers)
    assert answer.status_code == 200, answer.text
    gateway.wait_settled()
    (paid,) = gateway.rows("SELECT charge FROM usage WHERE end_state = 'complete'")
    assert paid["charge"] > 0
    assert gateway.wallet() == (5_000_000_000 - paid["charge"], 0)
