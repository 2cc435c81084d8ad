"""Owns how recordings are played through a gateway: its catalogue, the requests, what came back.

It judges nothing; tests do.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.conformance.corpus import Recording
from tests.conformance.oracle import PriceList
from tests.conformance.shop import Shop
from tollbridge.demo.fake_books import AccountScript
from tollbridge.demo.fake_reply import recording

NATIVE, COMPATIBLE, FAILING = (f"sk-{name:-<40}" for name in ("native", "compatible", "failing"))
MULTIPLIERS = {NATIVE: (115, 100), COMPATIBLE: (85, 100), FAILING: (1, 1)}
_CHANNELS = """
[site]
allow_private_upstreams = true

[[channel]]
name = "native"
platform = "openai"
models = {models}
multiplier = "1.15"
{native_one}{native_two}
[[channel]]
name = "compatible"
platform = "openai"
models = {models}
multiplier = "0.85"
{compatible_one}{compatible_two}
[[channel]]
name = "failing"
platform = "openai"
models = {models}
{failing}{spare}
[[user]]
email = "user@example.com"
credit = "1000000.00"
"""


def catalogue(vendor: str, models: Iterable[str]) -> str:
    """Return a configuration with a channel of each kind; every model has prices of its own."""
    names = sorted(set(models))
    text = _CHANNELS.format(
        models=json.dumps(names),
        native_one=_account(vendor, "native-one"),
        native_two=_account(vendor, "native-two"),
        compatible_one=_account(vendor, "compatible-one", "compatible = true"),
        compatible_two=_account(vendor, "compatible-two", "compatible = true"),
        failing=_account(vendor, "failing"),
        spare=_account(vendor, "spare", "priority = 1"),
    )
    for key in MULTIPLIERS:
        name = key.removeprefix("sk-").rstrip("-")
        text += f'[[user.key]]\nname = "{name}"\nsecret = "{key}"\nchannel = "{name}"\n'
    for name, prices in price_lists(names).items():
        head = f'[[model]]\nname = "{name}"\ncontext = 1000000\nmax_output = 100000\n'
        text += head + prices.toml()
    return text


def _account(vendor: str, name: str, more: str = "") -> str:
    return (
        f'[[channel.account]]\nname = "{name}"\nbase_url = "{vendor}"\nsecret = "{name}"\n{more}\n'
    )


def price_lists(models: Iterable[str]) -> dict[str, PriceList]:
    """Return the prices of each model."""
    return {name: PriceList.numbered(nth) for nth, name in enumerate(sorted(set(models)))}


@dataclass(frozen=True)
class Played:
    """One call and what became of it."""

    response: httpx2.Response
    sent: dict[str, Any]
    received: bytes
    receipt: dict[str, Any]
    charge: int


def key_of(one: Recording) -> str:
    """Return the key of the channel that fits the vendor."""
    return NATIVE if one.native else COMPATIBLE


def play(shop: Shop, one: Recording, pieces: list[bytes], *, want_usage: bool) -> Played:
    """Let the vendor answer with a recording, in these pieces, and call it."""
    shop.books.recordings[one.id] = recording(200, _headers(one), pieces)
    body = request_of(one, want_usage=want_usage)
    return _called(shop, key_of(one), one.path, {**body, "fake": {"replay": one.id}})


def play_to_two(shop: Shop, one: Recording) -> Played:
    """Let the first account answer with a recording, and another one in a usual way if it is asked."""
    shop.books.recordings[one.id] = recording(200, _headers(one), one.as_recorded())
    shop.books.accounts["failing"] = AccountScript({"replay": one.id})
    shop.books.accounts["spare"] = AccountScript({"text": "From the spare account."})
    return _called(shop, FAILING, one.path, request_of(one, want_usage=True))


def request_of(one: Recording, *, want_usage: bool) -> dict[str, Any]:
    """Return the request that was recorded, or the least one there can be."""
    least: dict[str, Any] = (
        {"messages": [{"role": "user", "content": "Hello"}]} if one.chat else {"prompt": "Hello"}
    )
    body = {**(one.request or least), "model": one.model}
    if one.sse is not None:
        body["stream"] = True
        options = {**(body.pop("stream_options", None) or {}), "include_usage": want_usage}
        # Not to ask is mostly to say nothing.
        if want_usage or len(options) > 1:
            body["stream_options"] = options
    return body


def _headers(one: Recording) -> dict[str, str]:
    kind = "application/json" if one.sse is None else "text/event-stream; charset=utf-8"
    return {"content-type": kind, "x-ratelimit-limit-requests": "15000"}


def _called(shop: Shop, key: str, path: str, sent: dict[str, Any]) -> Played:
    response = shop.call(key, path, json.dumps(sent).encode())
    tid = response.headers["x-request-id"]
    receipt = shop.receipt(key, tid)
    whole, _, part = receipt["charge"].partition(".")
    charge = int(whole) * 10**9 + int(part.ljust(9, "0"))
    return Played(response, sent, shop.books.calls[-1].body, receipt, charge)
