"""Owns the stage for calls of every surface: a channel of each platform, and how answers are read.

The answers are read by hand, each surface by its own grammar, and with no line of the code that is
under test. Every channel has two accounts; the first is always tried first.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from tests.faults import grammars
from tests.faults.grammars import Told
from tests.faults.stage import Answer, Scene, Stage, playing, staged, wait
from tests.faults.wire import Wire
from tollbridge.demo.fake_books import AccountScript

SURFACES = ("chat", "responses", "messages", "gemini", "array")
PLATFORMS = ("openai", "compatible", "anthropic", "gemini")
EVERYWHERE = pytest.mark.parametrize(
    ("surface", "platform"), [(one, other) for one in SURFACES for other in PLATFORMS]
)
MODELS = {
    "openai": "gpt-5.4",
    "compatible": "gpt-4.1",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
}
KEYS = {name: f"sk-{name}-{'b' * 32}" for name in (*PLATFORMS, "shy", "plain")}
POOR = {name: f"sk-poor-{name}-{'p' * 32}" for name in PLATFORMS}
STOPS = frozenset({"openai", "anthropic"})
"""Platforms that stop billing when their caller hangs up."""

# Events of a stream of each protocol before its first text.
BEFORE_TEXT = {"chat": 1, "responses": 4, "messages": 3, "gemini": 0}
_MODEL = """
[[model]]
name = "{name}"
context = 200000
max_output = 32768
input = "2.50"
cache_read = "0.25"
output = "10.00"
"""
_CHANNEL = """
[[channel]]
name = "{name}"
platform = "{platform}"
models = ["*"]
surfaces = {surfaces}
capabilities = {capabilities}
"""
_ACCOUNT = """
[[channel.account]]
name = "{name}"
base_url = "{vendor}"
secret = "{name}"
priority = {priority}
compatible = {compatible}
"""
_USER = '[[user]]\nemail = "{name}@example.com"\ncredit = "{credit}"\n'
_KEY = '[[user.key]]\nname = "{name}"\nsecret = "{secret}"\nchannel = "{channel}"\n'


def catalogue(vendor: str, profile: str = "strict") -> str:
    """Return the configuration: `shy` speaks nothing but chat, and `plain` makes no images.

    Each platform's key has a poor sister, whose wallet pays for no long answer.
    """
    text = f'[site]\nallow_private_upstreams = true\nerror_profile = "{profile}"\n'
    for name in (*MODELS.values(), "gpt-image-1"):
        text += _MODEL.format(name=name)
    for name in KEYS:
        text += _channel(name, vendor)
    text += _USER.format(name="rich", credit="1000.00")
    for name, secret in KEYS.items():
        text += _KEY.format(name=name, secret=secret, channel=name)
    for name, secret in POOR.items():
        text += _USER.format(name=f"poor-{name}", credit="0.06")
        text += _KEY.format(name=f"poor-{name}", secret=secret, channel=name)
    return text


def _channel(name: str, vendor: str) -> str:
    text = _CHANNEL.format(
        name=name,
        platform=name if name in {"anthropic", "gemini"} else "openai",
        surfaces='["chat"]' if name == "shy" else '["*"]',
        capabilities="[]" if name == "plain" else '["images"]',
    )
    for at, which in enumerate(("first", "second")):
        compatible = "true" if name == "compatible" else "false"
        account = f"{name}-{which}"
        text += _ACCOUNT.format(name=account, vendor=vendor, priority=at, compatible=compatible)
    return text


def spoken(surface: str, platform: str) -> str:
    """Return the protocol in which a platform is asked by a client of a surface."""
    if platform in {"anthropic", "gemini"}:
        return {"anthropic": "messages", "gemini": "gemini"}[platform]
    return "chat" if platform == "compatible" or surface == "chat" else "responses"


def asked(surface: str, model: str, *, stream: bool, **fields: Any) -> tuple[str, dict[str, Any]]:
    """Return path and body of a call; `fields` join the body."""
    turn = {"role": "user", "content": "hello"}
    if surface in {"gemini", "array"}:
        action = "streamGenerateContent" if stream else "generateContent"
        action += "?alt=sse" if stream and surface == "gemini" else ""
        contents = [{"role": "user", "parts": [{"text": "hello"}]}]
        return f"/v1beta/models/{model}:{action}", {"contents": contents, **fields}
    common = {"model": model, **({"stream": True} if stream else {}), **fields}
    if surface == "responses":
        return "/v1/responses", {"input": "hello", **common}
    if surface == "messages":
        return "/v1/messages", {"max_tokens": 1000, "messages": [turn], **common}
    options = {"stream_options": {"include_usage": True}} if stream else {}
    return "/v1/chat/completions", {"messages": [turn], **options, **common}


@dataclass
class Bazaar(Scene):
    """One test's part of the bazaar; `scripts` steer what the vendor does."""

    surface: str = "chat"
    platform: str = "openai"
    models: Mapping[str, str] = field(default_factory=lambda: MODELS)
    _charged: dict[int, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key of the platform's channel."""
        return KEYS[self.platform]

    @property
    def model(self) -> str:
        """The model that is asked for."""
        return self.models[self.platform]

    @property
    def wire(self) -> str:
        """The protocol in which the vendor is spoken to."""
        return spoken(self.surface, self.platform)

    @property
    def stops(self) -> bool:
        """Whether the vendor stops billing when its caller hangs up."""
        return self.platform in STOPS

    def at(self, surface: str, platform: str) -> None:
        """Say who speaks, and to whom."""
        self.surface, self.platform = surface, platform

    def script(self, which: str = "both", **script: Any) -> None:
        """Let an account of the channel, or both, answer so."""
        for name in ("first", "second") if which == "both" else (which,):
            self.fake.books.accounts[f"{self.platform}-{name}"] = AccountScript(script)

    async def call(self, *, stream: bool = True, model: str = "", **fields: Any) -> Answer:
        """Make a call and take the whole answer."""
        path, body = asked(self.surface, model or self.model, stream=stream, **fields)
        return await self.send(path, body)

    async def send(self, path: str, body: Any, key: str | None = "") -> Answer:
        """Send a body, as it is when it is bytes; with no key at all when that is None."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        headers = {} if key is None else {"authorization": f"Bearer {key or self.key}"}
        reply = await self.stage.client.post(path, headers=headers, **content)
        return Answer(reply.status_code, reply.headers, reply.content)

    async def dial(self, *, stream: bool = True, **fields: Any) -> Wire:
        """Make a call on a raw socket, which is cut when the test ends."""
        path, body = asked(self.surface, self.model, stream=stream, **fields)
        wire = await Wire.send(self.stage.gateway.port, self.key, body, path=path)
        self.wires.append(wire)
        return wire

    def told(self, answer: Answer, *, stream: bool = True) -> Told:
        """Return what an answer says, read by the grammar of its surface."""
        assert answer.status == 200, answer.body[:500]
        told = (grammars.STREAMS if stream else grammars.WHOLES)[self.surface](answer.body)
        told.tid = answer.tid
        return told

    async def entry(self, tid: str = "") -> dict[str, Any]:
        """Wait for the usage row of a call, or for the only one that nobody has looked at yet."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = self._rows_of(tid) if tid else self.booked()
            return bool(found)

        await wait(is_there)
        [row] = found
        self.known.add(row["tid"])
        self._charged[row["wallet_id"]] = self._charged.get(row["wallet_id"], 0) + row["charge"]
        return row

    def _rows_of(self, tid: str) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM usage WHERE tid = ?", tid)

    async def billed(
        self,
        row: Mapping[str, Any],
        *,
        end_state: str,
        charge: int,
        flags: Iterable[str] = (),
        status: int = 200,
        error_kind: str | None = None,
        **counts: int,
    ) -> None:
        """Check every trace of a call: its row, its line in the journal, its receipt."""
        expected = {
            "end_state": end_state,
            "status": status,
            "error_kind": error_kind,
            "charge": charge,
            "loss": 0,
            "surface": "gemini" if self.surface == "array" else self.surface,
            "model_asked": self.model,
            **counts,
        }
        assert {name: row[name] for name in expected} == expected
        assert set(filter(None, row["flags"].split(","))) == set(flags)
        lines = self.rows("SELECT debit, credit, amount FROM journal WHERE ref = ?", row["tid"])
        line = {"debit": f"wallet:{row['wallet_id']}", "credit": "revenue", "amount": charge}
        assert lines == ([line] if charge else [])
        await self.check_receipt(row, self.key)

    def begin(self) -> None:
        """Forget the vendor's calls so far."""
        self.first_call = len(self.fake.books.calls)

    async def tried(self, *calls: tuple[str, str]) -> None:
        """Wait until the vendor has had these calls since the beginning: (account, how it ended)."""
        await self.seen(*((f"{self.platform}-{name}", state) for name, state in calls))

    async def close(self) -> None:
        """Check that nothing else was taken from any wallet."""
        await wait(lambda: not self.rows("SELECT 1 FROM hold"))
        for row in self.booked():
            await self.entry(row["tid"])
        for purse in self.rows("SELECT id, available, held FROM purse"):
            taken = self._charged.get(purse["id"], 0)
            assert (purse["available"], purse["held"]) == (self.purses[purse["id"]] - taken, 0)


Bazaars = Callable[..., Awaitable[Stage]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bazaars(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bazaars]:
    """Run gateways for the session, one for each set of settings and error profile asked for."""
    async with AsyncExitStack() as stack:
        running: dict[frozenset[tuple[str, str]], Stage] = {}

        async def find(environ: Mapping[str, str], profile: str = "strict") -> Stage:
            names = frozenset({**environ, "": profile}.items())
            if names not in running:
                settings = {f"TOLLBRIDGE_{name}": value for name, value in environ.items()}
                folder = tmp_path_factory.mktemp("bazaar")
                make = partial(catalogue, profile=profile)
                running[names] = await stack.enter_async_context(staged(folder, settings, make))
            return running[names]

        yield find


@pytest_asyncio.fixture(loop_scope="session")
async def bazaar(request: pytest.FixtureRequest, bazaars: Bazaars) -> AsyncIterator[Bazaar]:
    """Begin a scene with the module's `ENVIRON`; the books must be right at its end."""
    async with playing(await bazaars(request.module.ENVIRON), Bazaar) as one:
        yield one
        await one.close()


@contextmanager
def case(*names: object) -> Iterator[None]:
    """Say which case of a table a failure belongs to."""
    try:
        yield
    except AssertionError as error:
        error.add_note(f"in the case {names}")
        raise
