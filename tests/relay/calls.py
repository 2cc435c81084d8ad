"""Owns the values that calls are made of in tests: a small catalogue, a key, an admitted call."""

from typing import Any

from tests.relay.visitor import Visitor
from tollbridge.catalog.prices import Price, Rates
from tollbridge.catalog.snapshot import Account, Channel, Model, Site, Snapshot, split_names
from tollbridge.core.clock import new_tid
from tollbridge.core.errors import Surface
from tollbridge.core.money import Multiplier
from tollbridge.identity.keys import KeyRecord
from tollbridge.relay.call import Call
from tollbridge.relay.gate import Offers, read_body
from tollbridge.relay.reserve import make_bill
from tollbridge.relay.routes import match

WALLET, LIMIT = 1, 3
ONE = Multiplier(1, 1)
INPUT_NANO, OUTPUT_NANO = 2, 10
"""What a token costs, in nano-dollars."""


def account(number: int = 1, **values: Any) -> Account:
    """Return an account of channel 1."""
    facts = {
        "id": number, "channel_id": 1, "name": f"account {number}", "platform": "openai",
        "base_url": "http://127.0.0.1:9", "secret": f"secret-{number}", "weight": 1,
        "priority": 0, "compatible": False, "proxy": "", "cost": ONE, "stops_on_abort": True,
    }  # fmt: skip
    return Account(**{**facts, **values})


def price(**values: Any) -> Price:
    """Return a price of 2 nano-dollars a token in and 10 a token out."""
    rates = Rates.filled({"input": INPUT_NANO * 1_000_000, "output": OUTPUT_NANO * 1_000_000})
    return Price(**{"id": 7, "model": "gpt-test", "rates": rates, **values})


def model(name: str = "gpt-test", **values: Any) -> Model:
    """Return a model of 10,000 tokens of context and 1,000 of output."""
    facts = {"id": 1, "name": name, "context": 10_000, "max_output": 1_000, "price": price()}
    return Model(**{**facts, **values})


def channel(number: int = 1, name: str = "main", **values: Any) -> Channel:
    """Return a channel that serves gpt-test to everybody through one account."""
    exact, wildcards = split_names(values.pop("models", ["gpt-test"]))
    facts = {
        "id": number, "name": name, "platform": "openai", "surfaces": frozenset(Surface),
        "models": exact, "wildcards": wildcards, "multiplier": ONE, "capabilities": frozenset(),
        "client_policy": "any", "groups": frozenset({"*"}), "enabled": True,
        "accounts": (account(),),
    }  # fmt: skip
    return Channel(**{**facts, **values})


def snapshot(*channels: Channel, models: tuple[Model, ...] = (), **site: Any) -> Snapshot:
    """Return a catalogue; without arguments it has one channel and one model."""
    site = {"allow_private_upstreams": True, **site}
    return Snapshot.build(1, Site(**site), channels or (channel(),), models or (model(),))


def key(**values: Any) -> KeyRecord:
    """Return a key that is bound to channel 1 and has neither limits nor a budget."""
    facts = {
        "id": 11, "user_id": 12, "wallet_id": WALLET, "limit_purse_id": None, "name": "a key",
        "last6": "abc123", "channel_id": 1, "enabled": True, "user_active": True,
        "user_group": "default", "user_role": "user", "expires_ms": None, "ips": (),
        "models": frozenset(), "may_pin": False, "rpm": 0, "tpm": 0, "concurrency": 0,
        "user_rpm": 0, "user_tpm": 0, "user_concurrency": 0,
        "budget_nano": None, "budget_period": None,
    }  # fmt: skip
    return KeyRecord(**{**facts, **values})


def chat(**fields: Any) -> dict[str, Any]:
    """Return the body of a chat request."""
    return {"model": "gpt-test", "messages": [{"role": "user", "content": "hello"}], **fields}


def asked(
    body: Any = None,
    *,
    by: KeyRecord | None = None,
    catalogue: Snapshot | None = None,
    path: str = "/v1/chat/completions",
    query: bytes = b"",
    headers: dict[bytes, bytes] | None = None,
) -> Call:
    """Return a call whose body and choice have yet to be judged."""
    visitor = Visitor(chat() if body is None else body, path=path, query=query, headers=headers)
    dialect = match(path)
    assert dialect is not None
    call = Call(visitor, new_tid(), dialect, 0.0)
    call.snapshot = catalogue or snapshot()
    call.key = by or key()
    return call


def admitted(body: Any = None, **values: Any) -> Call:
    """Return a call that the gate has let in, before any money was set aside."""
    call = asked(body, **values)
    read_body(call)
    Offers().choose(call)
    call.bill = make_bill(call)
    return call


def visitor_of(call: Call) -> Visitor:
    """Return the client of a call."""
    assert isinstance(call.exchange, Visitor)
    return call.exchange
