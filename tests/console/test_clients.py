"""Every text that can be run here is run as it stands, at a real gateway, and makes a call."""

import asyncio
import json
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.gateway import Gateway
from tollbridge.catalog.prices import ImagePrice, Price, Rates
from tollbridge.catalog.snapshot import Channel, Model, Site, Snapshot, split_names
from tollbridge.console.clients import MODEL, PLACEHOLDER, Config, configs, examples, fitting
from tollbridge.core.errors import Surface
from tollbridge.core.money import Multiplier
from tollbridge.demo.fake_upstream import FakeUpstream

URL, SECRET = "https://site.test", "sk-test-0123456789-0123456789-0123456789"
EVERY = (
    *("curl", "openai-python", "openai-node", "anthropic-python", "genai-python", "claude-code"),
    *("codex-key", "codex-file", "cursor"),
)
MODELS = {"openai": "gpt-5.4", "anthropic": "claude-opus-4-6", "gemini": "gemini-2.5-pro"}


def channel(
    identity: int = 1,
    platform: str = "openai",
    surfaces: frozenset[Surface] = frozenset(Surface),
    policy: str = "any",
    names: tuple[str, ...] = ("*",),
) -> Channel:
    exact, wildcards = split_names(names)
    return Channel(
        id=identity,
        name=f"c{identity}",
        platform=platform,
        surfaces=surfaces,
        models=exact,
        multiplier=Multiplier(1, 1),
        capabilities=frozenset(),
        client_policy=policy,
        groups=frozenset("*"),
        enabled=True,
        accounts=(),
        wildcards=wildcards,
    )


def model(name: str, output: int = 2, **more: tuple[ImagePrice, ...]) -> Model:
    price = Price(1, name, Rates.filled({"input": 1, "output": output}), **more)
    return Model(1, name, 1000, 100, price)


def stock(*channels: Channel, models: tuple[Model, ...]) -> Snapshot:
    return Snapshot.build(1, Site(), channels, models)


def texts(
    one: Channel, *models: Model, allowed: frozenset[str] = frozenset(), secret: str = SECRET
) -> dict[str, Config]:
    made = configs(stock(one, models=models), [one], allowed, URL, secret)
    return {config.name: config for config in made}


def test_all_clients_are_there_where_all_may_come() -> None:
    made = texts(channel(), model("gpt-5.4"))
    assert tuple(made) == EVERY
    assert {name for name, one in made.items() if one.shell} == {"curl", "claude-code", "codex-key"}
    for name, one in made.items():
        assert SECRET in one.text or name == "codex-file"
        assert "gpt-5.4" in one.text or name == "codex-key"
        assert URL in one.text or name == "codex-key"


@pytest.mark.parametrize(
    ("policy", "surfaces", "expected"),
    [
        ("claude-code", frozenset(Surface), {"claude-code"}),
        ("codex", frozenset(Surface), {"codex-key", "codex-file"}),
        ("any", {Surface.MESSAGES}, {"curl", "anthropic-python", "claude-code"}),
        ("any", {Surface.GEMINI}, {"curl", "genai-python"}),
        ("any", {Surface.CHAT}, {"curl", "openai-python", "openai-node", "cursor"}),
        ("any", {Surface.MEDIA}, set()),
        ("codex", {Surface.MESSAGES}, set()),
        ("nobody", frozenset(Surface), set()),
    ],
)
def test_only_what_fits_a_channel_is_there(
    policy: str, surfaces: frozenset[Surface], expected: set[str]
) -> None:
    one = channel(policy=policy, surfaces=frozenset(surfaces))
    assert set(texts(one, model("gpt-5.4"))) == expected
    assert bool(fitting(one)) is bool(expected)


def test_the_model_is_one_that_is_sold_and_writes_text() -> None:
    every = (
        model("gpt-dear", 9),
        model("gpt-cheap", 3),
        model("claude-x", 5),
        model("other", 1),
        model("text-embedding-3", 1),
        model("painter", 1, images=(ImagePrice("*", "*", 1),)),
    )
    made = texts(channel(), *every)
    assert '"other"' in made["curl"].text
    # A vendor's own tool is pointed at the vendor's own models.
    assert "claude-x" in made["claude-code"].text and "gpt-cheap" in made["codex-file"].text
    narrow = texts(channel(), *every, allowed=frozenset({"gpt-dear", "painter"}))
    assert all("gpt-dear" in narrow[name].text for name in EVERY if name != "codex-key")
    assert texts(channel(names=("nothing",)), *every) == {}
    assert texts(channel(), model("text-embedding-3")) == {}


def test_curl_speaks_what_is_native() -> None:
    paths = {
        "openai": "/v1/chat/completions",
        "anthropic": "/v1/messages",
        "gemini": "/v1beta/models/m:generateContent",
    }
    for platform, path in paths.items():
        assert path in texts(channel(platform=platform), model("m"))["curl"].text
    assert "/v1/responses" in (
        texts(channel(surfaces=frozenset({Surface.RESPONSES})), model("m"))["curl"].text
    )


def test_an_auto_key_may_use_a_channel_for_each_client() -> None:
    ours = channel(1, policy="claude-code", platform="anthropic", names=("claude-x",))
    theirs = channel(2, policy="codex", names=("gpt-x",))
    snapshot = stock(ours, theirs, models=(model("claude-x"), model("gpt-x")))
    made = {one.name: one.text for one in configs(snapshot, [ours, theirs], frozenset(), URL)}
    assert set(made) == {"claude-code", "codex-key", "codex-file"}
    assert "claude-x" in made["claude-code"] and "gpt-x" in made["codex-file"]
    assert PLACEHOLDER in made["claude-code"]


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1).filter(
    lambda name: "*" not in name and not name.startswith("/")
)


@given(name=NAMES)
def test_no_name_gets_out_of_its_quotes(name: str) -> None:
    made = texts(channel(names=(name,)), model(name))
    if not made:
        return
    for one in ("curl", "claude-code"):
        script = made[one].text.replace("curl ", "printf '%s\\0' ", 1)
        if one == "claude-code":
            script += "printf '%s\\0' \"$ANTHROPIC_MODEL\""
        done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, check=True)
        words = done.stdout.decode().split("\0")[:-1]
        said = json.loads(words[-1])["model"] if one == "curl" else words[-1]
        assert said == name
    assert tomllib.loads(made["codex-file"].text.replace("\x7f", ""))["model"] == (
        name.replace("\x7f", "")
    )
    for one in ("openai-python", "anthropic-python", "genai-python"):
        compile(made[one].text, one, "exec")


def file(vendor: str) -> str:
    """Return a configuration with a channel and a key for each platform."""
    parts = ["[site]\nallow_private_upstreams = true\n"]
    for platform, name in MODELS.items():
        parts.append(
            f'[[model]]\nname = "{name}"\ncontext = 200000\nmax_output = 32768\n'
            f'input = "2.50"\noutput = "10.00"\n[[channel]]\nname = "{platform}"\n'
            f'platform = "{platform}"\nmodels = ["{name}"]\n[[channel.account]]\n'
            f'name = "one"\nbase_url = "{vendor}"\nsecret = "vendor-secret"\n'
        )
    parts.append('[[user]]\nemail = "user@example.com"\ncredit = "20.00"\n')
    parts += [
        f'[[user.key]]\nname = "{platform}"\nsecret = "{SECRET}-{platform}"\nchannel = "{platform}"\n'
        for platform in MODELS
    ]
    return "\n".join(parts)


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[Gateway]:
    fake = FakeUpstream()
    vendor = await fake.start()
    one = Gateway(folder)
    try:
        await asyncio.to_thread(one.apply, file(vendor))
        await asyncio.to_thread(one.start)
        yield one
    finally:
        await asyncio.to_thread(one.stop)
        await fake.stop()


def run(config: Config, environ: Mapping[str, str]) -> str:
    """Run a text as it stands and return what it prints."""
    program = ["/bin/bash", "-c"] if config.shell else [sys.executable, "-c"]
    done = subprocess.run(
        [*program, config.text],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=dict(environ),
    )
    assert done.returncode == 0, (config.name, done.stderr)
    return done.stdout


async def test_what_can_be_run_here_makes_a_call(tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "no_proxy": "*"}
    async with gateway(tmp_path) as serving:
        for platform, name in MODELS.items():
            one = channel(platform=platform, names=(name,))
            made = configs(
                stock(one, models=(model(name),)),
                [one],
                frozenset(),
                serving.url,
                f"{SECRET}-{platform}",
            )
            for config in made:
                if config.name != "curl" and config.language != "python":
                    continue
                before = len(serving.rows("SELECT 1 FROM usage"))
                shown = await asyncio.to_thread(run, config, environ)
                assert shown.strip() and '"error"' not in shown, (platform, config.name, shown)
                await asyncio.to_thread(serving.wait_settled)
                calls = serving.rows("SELECT status FROM usage")
                assert len(calls) == before + 1, (platform, config.name, shown)
                assert {call["status"] for call in calls} == {200}, (platform, config.name)
        assert len(serving.rows("SELECT 1 FROM usage")) == 12


def test_examples_are_there_for_every_client_whatever_is_sold() -> None:
    snapshot = Snapshot.build(1, Site(), [], [])
    bare = examples(snapshot, [], URL)
    assert tuple(one.name for one in bare) == EVERY
    assert all(MODEL in one.text for one in bare if one.name != "codex-key")
    sold = channel(surfaces=frozenset({Surface.CHAT}), names=("gpt-5.4",))
    snapshot = Snapshot.build(1, Site(), [sold], [model("gpt-5.4")])
    texts = {one.name: one.text for one in examples(snapshot, [sold], URL)}
    assert "gpt-5.4" in texts["curl"] and PLACEHOLDER in texts["curl"]
    assert MODEL in texts["claude-code"]
