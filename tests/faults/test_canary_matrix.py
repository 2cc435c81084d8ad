"""Proof that clients learn nothing of the accounts: every fault of the matrix, every surface, every profile.

Wherever an upstream can be told from another (its address, names, ids, headers, words) there is a canary.
All that a client receives is searched, from the status line to the last chunk. A vendor's complaint about
the client's own request is passed on, but nothing in it that points anywhere.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import pytest_asyncio

from tests.faults.bazaar import MODELS, PLATFORMS, SURFACES, asked, spoken
from tests.faults.bazaar import case as named
from tests.faults.matrix import FAULTS, STREAM, Fault, Page, Script
from tests.faults.places import Places, opened, trusted, way_of
from tests.faults.scanner import found_in, new_canary, spellings
from tests.faults.till import request
from tests.services.gateway import Gateway
from tollbridge.core.errors import Kind
from tollbridge.demo.fake_books import AccountScript
from tollbridge.demo.fake_reply import recording
from tollbridge.demo.fake_upstream import FakeUpstream

pytestmark = pytest.mark.asyncio(loop_scope="session")

HIDDEN, SAID = new_canary(), new_canary()
NEEDLES = {HIDDEN: spellings(HIDDEN), SAID: spellings(SAID)}
# What points somewhere, in every form in which vendors say it.
POINTERS = (
    f"https://{HIDDEN}.vendor.example/{HIDDEN}?q={HIDDEN} {HIDDEN}.internal:8443 org-{HIDDEN}"
    f" {HIDDEN}@vendor.example proj_{HIDDEN} acct_{HIDDEN} req_{HIDDEN} sk-{HIDDEN} Bearer {HIDDEN}"
    f" arn:aws:bedrock:us-east-1:123456789012:{HIDDEN} projects/{HIDDEN} 203.0.113.77"
    " [2001:db8::77]:443 edge-7.{HIDDEN}.example (request id: 1{HIDDEN}) 98765432-1111-2222-3333-444455556666"
)
TELLTALES = (
    *(
        b"203.0.113.77",
        b"2001:db8",
        b"98765432-1111",
        b"127.0.0.1",
        b"vendor.example",
        b"localhost",
    ),
    *(
        b"nothing.invalid",
        b"SSH-2.0",
        b"yyyyyyyy",
        b"Boom",
        b"<html",
        b"us-east-1",
        b"123456789012",
    ),
)
HEADERS = dict.fromkeys(
    ("server", "via", "openai-organization", "set-cookie", "cf-ray", "x-served-by", "etag"), HIDDEN
)
# Whether a vendor's words about the request itself may pass.
PASSES = {Kind.UPSTREAM_BAD_REQUEST, Kind.CONTEXT_TOO_LONG, Kind.BODY_TOO_LARGE}
PROFILES = ("strict", "legacy", "status402", "plain")
SAMPLE = 60
KEYS = {name: f"sk-{name:-<40}" for name in ("profile", "main")}
ENVIRON = {
    "TOLLBRIDGE_FIRST_BYTE_TIMEOUT_S": "1.2",
    "TOLLBRIDGE_IDLE_TIMEOUT_S": "1.2",
    "TOLLBRIDGE_FINISH_SILENCE_S": "0.8",
}
HEALTHY = Fault(
    name="none", what="Nothing is wrong.", make=Script(lambda _wire: {}), outcomes=(), heard=None
)
EVERY = (HEALTHY, *FAULTS)


class Case(NamedTuple):
    """A fault of a platform's account, and who meets it."""

    fault: Fault
    platform: str
    surface: str
    mode: str

    @property
    def channel(self) -> str:
        """The name of the channel, a client's word for it."""
        return f"{self.fault.name}-{self.platform}-{self.wire}"

    @property
    def wire(self) -> str:
        """The protocol that the account is spoken to in."""
        return "embeddings" if self.surface == "media" else spoken(self.surface, self.platform)


def cases() -> Iterator[Case]:
    """Yield all that there can be; media are asked of OpenAI alone, and never streamed."""
    for fault in EVERY:
        for mode in fault.modes:
            for platform in PLATFORMS:
                for surface in (*SURFACES, "media"):
                    case = Case(fault, platform, surface, mode)
                    odd = surface == "media" and (mode == STREAM or platform != "openai")
                    if case.wire in fault.wires and not odd:
                        yield case


def chosen(profile: str) -> list[Case]:
    """Return every fault on every surface for the strict profile, some cases for each other one."""
    chance = random.Random(profile)
    every = list(cases())
    if profile != "strict":
        return chance.sample(every, SAMPLE)
    chance.shuffle(every)
    return list({(one.fault.name, one.surface, one.mode): one for one in every}.values())


def secret_of(case: Case) -> str:
    """Return what the case's account says to the vendor; it is the operator's secret."""
    return f"{HIDDEN}-{case.channel}"


def _catalogue(vendor: str, places: Places, profile: str) -> str:
    text = f'[site]\nallow_private_upstreams = true\nerror_profile = "{profile}"\n'
    for name in MODELS.values():
        text += f'[[model]]\nname = "{name}"\ncontext = 200000\nmax_output = 32768\n'
        text += 'input = "2.50"\noutput = "10.00"\n'
    seen = {one.channel: one for one in cases()}
    for name, case in seen.items():
        way = way_of(case.fault, places, vendor, HIDDEN)
        platform = case.platform if case.platform != "compatible" else "openai"
        compatible = "true" if case.platform == "compatible" else "false"
        text += (
            f'[[channel]]\nname = "{name}"\nplatform = "{platform}"\nmodels = ["*"]\n'
            f'[[channel.account]]\nname = "{HIDDEN}-account"\nbase_url = "{way.base_url}"\n'
            f'proxy = "{way.proxy}"\nsecret = "{secret_of(case)}"\ncompatible = {compatible}\n'
        )
    text += '[[user]]\nemail = "rich@example.com"\ncredit = "100000.00"\n'
    text += f'[[user.key]]\nname = "main"\nsecret = "{KEYS["main"]}"\nmay_pin = true\n'
    if profile != "strict":
        text += f'[[user.key]]\nname = "{profile}"\nsecret = "{KEYS["profile"]}-{profile}"\n'
    return text


def _script(case: Case) -> dict[str, object]:
    """Return the fault's own script, with canaries in its words and headers."""
    script = dict(case.fault.script(case.wire))
    if "replay" in script:
        return script
    words = script.get("error_text", "Something is wrong.")
    script["error_text"] = f"{words} {SAID} {POINTERS}"
    if "redirect" in script:
        script["redirect"] = f"https://{HIDDEN}.vendor.example/{HIDDEN}"
    told = script.get("headers", {})
    assert isinstance(told, dict)
    return {**script, "headers": {**HEADERS, **told}}


def _page(page: Page) -> bytes:
    pointing = f"{SAID} {HIDDEN}.vendor.example".encode()
    if b"vendor.example" in page.body:
        return page.body.replace(b"vendor.example", pointing)
    return page.body and page.body + pointing


class Hide:
    """The gateway, its vendor, and calls whose every byte is kept."""

    def __init__(self, gateway: Gateway, fake: FakeUpstream, vendor: str, places: Places) -> None:
        self.gateway = gateway
        self._fake = fake
        self._vendor = vendor
        self._places = places
        ports = re.findall(r":(\d+)", " ".join(way.base_url + way.proxy for way in places.values()))
        self._addresses = tuple(f":{port}".encode() for port in (*ports, vendor.rpartition(":")[2]))
        self._room = asyncio.Semaphore(12)

    async def speak(self, profile: str) -> None:
        """Have the gateway answer in a profile, and wait until it does."""
        text = _catalogue(self._vendor, self._places, profile)
        await asyncio.to_thread(self.gateway.apply, text)
        for case in cases():
            self._fake.books.accounts[secret_of(case)] = AccountScript(_script(case))
        if profile == "strict":
            return
        async with asyncio.timeout(30):
            line = f"authorization: Bearer {KEYS['profile']}-{profile}"
            while b" 401 " in (await self.get("/v1/models", line))[:20]:
                await asyncio.sleep(0.02)

    async def ask(self, raw: bytes) -> bytes:
        """Return every byte of an answer."""
        async with self._room, asyncio.timeout(60):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
            try:
                writer.write(raw)
                return await reader.read(-1)
            finally:
                writer.transport.abort()

    async def get(self, path: str, line: str = f"authorization: Bearer {KEYS['main']}") -> bytes:
        """Read a page of the API."""
        return await self.ask(request(path, b"", line, "connection: close", method="GET"))

    async def play(self, case: Case) -> bytes:
        """Make a case's call and return all that its client receives."""
        model = MODELS[case.platform]
        if case.surface == "media":
            path, body = "/v1/embeddings", {"model": model, "input": "hello"}
        else:
            path, body = asked(case.surface, model, stream=case.mode == STREAM)
        lines = (
            f"authorization: Bearer {KEYS['main']}",
            f"x-tollbridge-channel: {case.channel}",
            "content-type: application/json",
            "connection: close",
        )
        return await self.ask(request(path, msgspec.json.encode(body), *lines))

    def assert_hidden(self, data: bytes, *, words: bool = False) -> None:
        """Fail when bytes tell of an account; `words`: what the vendor says of the request may pass."""
        joined = re.sub(rb"\r\n[0-9a-fA-F]+\r\n", b"", data)
        for seen in (data, joined):
            assert found_in(seen, NEEDLES[HIDDEN]) == [], seen[-700:]
            assert words or found_in(seen, NEEDLES[SAID]) == [], seen[-700:]
            told = [one for one in (*TELLTALES, *self._addresses) if one in seen]
            assert told == [], seen[-700:]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hide]:
    folder: Path = tmp_path_factory.mktemp("hide")
    fake = FakeUpstream()
    vendor = await fake.start()
    for fault in FAULTS:
        if isinstance(fault.make, Page):
            headers = {**HEADERS, "content-type": fault.make.content_type}
            made = recording(fault.make.status, headers, [_page(fault.make)])
            fake.books.recordings[fault.name] = made
    gateway = Gateway(folder, {**ENVIRON, "SSL_CERT_FILE": trusted(folder)})
    try:
        async with opened(folder, vendor) as places:
            hide = Hide(gateway, fake, vendor, places)
            await hide.speak("strict")
            await asyncio.to_thread(gateway.start)
            yield hide
    finally:
        await asyncio.to_thread(gateway.stop)
        await fake.stop()


@pytest.mark.parametrize("profile", PROFILES)
async def test_nothing_that_a_client_receives_tells_of_an_account(shared: Hide, profile: str):
    if profile != "strict":
        await shared.speak(profile)
    plays = chosen(profile)
    received = await asyncio.gather(*[shared.play(one) for one in plays])
    tids, passed = [], 0
    for one, data in zip(plays, received, strict=True):
        with named(profile, one.fault.name, one.surface, one.platform, one.mode):
            head = data.partition(b"\r\n\r\n")[0]
            broken = one.fault.heard is None
            assert (b" 200 " in head[:20]) == broken, data[-900:]
            words = one.fault.heard in PASSES
            shared.assert_hidden(data, words=words)
            passed += words and bool(found_in(data, NEEDLES[SAID]))
            tids += re.findall(rb"x-request-id: (\w+)", head)
    # What may pass does, or nothing would have been looked for.
    assert passed > 0 and len(tids) == len(plays)
    for data in await asyncio.gather(
        *[shared.get(f"/v1/receipts/{tid.decode()}") for tid in tids[::5]]
    ):
        shared.assert_hidden(data)
