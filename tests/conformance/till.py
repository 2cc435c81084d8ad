"""Owns what the tests with the official SDK share: a small catalogue, clients, a scripted answer."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from openai import AsyncOpenAI, OpenAI

from tests.conformance.oracle import PriceList
from tests.conformance.shop import Shop, open_shop
from tests.services.plain import PLAIN

NATIVE, COMPATIBLE, BROKE, MODEST = (
    f"sk-{name:-<40}" for name in ("native", "compatible", "broke", "modest")
)
MULTIPLIERS = {NATIVE: (3, 2), COMPATIBLE: (4, 5)}
PRICES = PriceList.numbered(1)
TEXT = 'Grüße, "schöne" Welt!\n你好 🎉 — done.'
TOKENS = 7
ASK: dict[str, Any] = {
    "model": "gpt-test",
    "messages": [{"role": "user", "content": "Say something nice."}],
}
SCRIPT: dict[str, Any] = {"text": TEXT, "prompt_tokens": 321, "cached_tokens": 100, "reasoning": 5}
MODELS = ["gpt-test", "gpt-test-unpriced", "vendor/gpt-slash"]
_CHANNEL = """
[[channel]]
name = "{name}"
platform = "openai"
models = ["gpt-test", "gpt-test-unpriced", "vendor/gpt-slash"]
multiplier = "{multiplier}"
[[channel.account]]
name = "{name}"
base_url = "{vendor}"
secret = "{name}"
compatible = {compatible}
"""
_USER = """
[[user]]
email = "{name}@example.com"
credit = "{credit}"
"""
_KEY = """
[[user.key]]
name = "{name}"
secret = "{secret}"
channel = "{name}"
"""


def catalogue(vendor: str) -> str:
    """Return two channels, three models of which one has no price, a rich user, a modest and a broke one."""
    text = "[site]\nallow_private_upstreams = true\n"
    for name in MODELS:
        text += f'[[model]]\nname = "{name}"\ncontext = 200000\nmax_output = 32768\n'
        text += PRICES.toml() if name != "gpt-test-unpriced" else ""
    native, compatible = {"name": "native"}, {"name": "compatible"}
    text += _CHANNEL.format(vendor=vendor, multiplier="1.5", compatible="false", **native)
    text += _CHANNEL.format(vendor=vendor, multiplier="0.8", compatible="true", **compatible)
    text += _USER.format(name="rich", credit="500.00")
    text += _KEY.format(secret=NATIVE, **native) + _KEY.format(secret=COMPATIBLE, **compatible)
    text += _USER.format(name="broke", credit="0.00")
    text += _KEY.format(secret=BROKE, **native)
    text += _USER.format(name="modest", credit="0.20")
    return text + _KEY.format(secret=MODEST, **native)


@contextlib.contextmanager
def open_till(folder: Path) -> Iterator[Shop]:
    """Yield a serving gateway with this catalogue; it waits 2 s at most for a vendor's first byte."""
    with open_shop(folder, catalogue, {"TOLLBRIDGE_FIRST_BYTE_TIMEOUT_S": "2"}) as shop:
        yield shop


def fake(**script: Any) -> dict[str, Any]:
    """Return the option that makes the vendor answer with the text above, or as the script says."""
    return {"extra_body": {"fake": {**SCRIPT, **script}}}


def make(till: Shop, secret: str, **options: Any) -> OpenAI:
    """Return the official client: strict, and without retries of its own unless told otherwise."""
    http = httpx2.Client(verify=PLAIN, trust_env=False)
    return OpenAI(http_client=http, **{**_options(till, secret), **options})


def make_async(till: Shop, secret: str, **options: Any) -> AsyncOpenAI:
    """Return the official asynchronous client, as above."""
    http = httpx2.AsyncClient(verify=PLAIN, trust_env=False)
    return AsyncOpenAI(http_client=http, **{**_options(till, secret), **options})


def _options(till: Shop, secret: str) -> dict[str, Any]:
    return {
        "api_key": secret,
        "base_url": f"{till.gateway.url}/v1",
        "max_retries": 0,
        "_strict_response_validation": True,
    }
