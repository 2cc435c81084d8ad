"""Owns admission: who calls, what is asked, and whether this key may have it from this channel.

Raises ApiError for everything refused; nothing has been held or sent by then (architecture.md,
"One request", step 2). It must not know of upstreams.
"""

from collections.abc import Coroutine
from fractions import Fraction
from typing import Any

from tollbridge.billing.pricing import is_priced
from tollbridge.catalog.snapshot import Channel, Model, Snapshot
from tollbridge.catalog.visibility import open_channels
from tollbridge.core.errors import ApiError, Kind
from tollbridge.identity import presented
from tollbridge.identity.keys import KeyRecord, KeyStore
from tollbridge.identity.presented import check_key
from tollbridge.protocols.json_peek import FieldError, PeekError, Refusal, peek
from tollbridge.relay.call import Call
from tollbridge.relay.exchange import Exchange

__all__ = ["Offers", "authenticate", "check_key", "read_body", "recognise"]

_OFFERS_MAX = 10_000
_NAME_MAX = 200
_PEEK_MESSAGES = {
    Refusal.EMPTY: "The request has no body; send a JSON object.",
    Refusal.NOT_UTF8: "The request body is not valid UTF-8.",
    Refusal.NOT_JSON: "The request body is not valid JSON.",
    Refusal.NOT_OBJECT: "The request body must be a JSON object.",
    Refusal.TOO_DEEP: "The request body is nested too deeply.",
}


def recognise(exchange: Exchange, keys: KeyStore) -> KeyRecord | None:
    """Return the key's record when it is known without asking anybody, else None."""
    return presented.recognise(exchange.headers, exchange.query, keys)


def authenticate(exchange: Exchange, keys: KeyStore) -> Coroutine[Any, Any, KeyRecord]:
    """Return, when awaited, the key's record; ApiError when the request has no usable key."""
    return presented.authenticate(exchange.headers, exchange.query, keys)


def read_body(call: Call) -> None:
    """Peek the body and read what the call asks for into `call.top` and `call.ask`."""
    try:
        call.top = peek(call.exchange.body)
        call.ask = call.dialect.read_ask(call.top)
    except PeekError as error:
        if error.reason is Refusal.DUPLICATE_KEY:
            raise ApiError(
                Kind.INVALID_REQUEST,
                "The request body names a top-level field twice.",
                code="duplicate_field",
            ) from None
        raise ApiError(
            Kind.INVALID_REQUEST, _PEEK_MESSAGES[error.reason], code="invalid_json"
        ) from None
    except FieldError as error:
        raise ApiError(
            Kind.INVALID_REQUEST,
            f"Invalid '{error.name}': expected {error.expected}.",
            code="invalid_value",
            param=error.name,
        ) from None


class Offers:
    """What each channel sells under each model name, worked out once a snapshot.

    A wildcard can be called by any number of names, so what is remembered is bounded.
    """

    __slots__ = ("_found", "_snapshot")

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._found: dict[tuple[int, str, str], tuple[Channel, Model]] = {}

    def choose(self, call: Call) -> None:
        """Find the channel and the model of a call, and check that the key may use both."""
        key, name = call.key, call.ask.model
        if key.models and name not in key.models:
            raise ApiError(Kind.MODEL_NOT_ALLOWED, facts={"model": name, "key_last6": key.last6})
        if key.channel_id is None:
            call.channel, model = _offer(call)
        else:
            call.channel, model = self._bound_offer(call, key.channel_id)
        if model.price is None:
            raise ApiError(Kind.MODEL_UNPRICED, facts={"model": name})
        call.model, call.price = model, model.price
        _check_limits(call, model)

    def _bound_offer(self, call: Call, channel_id: int) -> tuple[Channel, Model]:
        if call.snapshot is not self._snapshot:
            self._snapshot = call.snapshot
            self._found.clear()
        which = (channel_id, call.ask.model, call.dialect.surface_name)
        found = self._found.get(which)
        if found is None:
            found = _offer(call)
            if len(self._found) < _OFFERS_MAX:
                self._found[which] = found
        return found


def _offer(call: Call) -> tuple[Channel, Model]:
    """Return the channel that a call goes to and the priced model; ApiError when there is none."""
    key, snapshot, name = call.key, call.snapshot, call.ask.model
    facts = {"model": name, "key_last6": key.last6}
    channels = _open_to(key, snapshot)
    # Under a wildcard any text is a name, and names are kept: only what can be one is.
    can_be_name = len(name) <= _NAME_MAX and name.isprintable()
    serving = [channel for channel in channels if can_be_name and channel.serves(name)]
    model = snapshot.model(name)
    if not serving or model is None:
        facts["nearest"] = _nearest(snapshot, channels, name)
        if key.channel_id is not None:
            facts["fixed_channel"] = "yes"
        raise ApiError(Kind.MODEL_UNKNOWN, facts=facts)
    surface = call.dialect.surface
    speaking = [channel for channel in serving if surface in channel.surfaces]
    if not speaking:
        raise ApiError(Kind.SURFACE_NOT_ALLOWED, facts=facts)
    if model.price is None or not is_priced(model.price):
        raise ApiError(Kind.MODEL_UNPRICED, facts=facts)
    # An `auto` key gets the cheapest channel that serves the model and has somebody to ask.
    staffed = [channel for channel in speaking if channel.accounts] or speaking
    cheapest = min(staffed, key=lambda one: Fraction(one.multiplier.num, one.multiplier.den))
    return cheapest, model


def _open_to(key: KeyRecord, snapshot: Snapshot) -> list[Channel]:
    channels = open_channels(snapshot, key.channel_id, key.user_group)
    if not channels and key.channel_id is not None:
        raise ApiError(Kind.CHANNEL_DISABLED, facts={"key_last6": key.last6})
    return channels


def _nearest(snapshot: Snapshot, channels: list[Channel], name: str) -> str:
    names = {model for channel in channels for model in channel.models}
    return ", ".join(snapshot.nearest(name, names))


def _check_limits(call: Call, model: Model) -> None:
    limit = call.ask.limit
    if limit is not None and limit > model.max_output:
        raise ApiError(
            Kind.INVALID_REQUEST,
            f"The output limit is too large: {call.ask.model} writes at most"
            f" {model.max_output} tokens.",
            code="max_tokens_too_large",
            param="max_tokens",
        )
