"""Owns admission: who calls, what is asked, and whether this key may have it from this channel.

Raises ApiError for everything refused; nothing has been held or sent by then (architecture.md,
"One request", step 2). It must not know of upstreams.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from tollbridge.billing.pricing import is_priced
from tollbridge.catalog.factors import multiplier_of
from tollbridge.catalog.snapshot import Channel, Model, Snapshot
from tollbridge.catalog.visibility import cheapest, open_channels
from tollbridge.core.errors import ApiError, Kind
from tollbridge.identity import presented
from tollbridge.identity.keys import KeyRecord, KeyStore, digest_of
from tollbridge.identity.presented import check_key, presented_secret
from tollbridge.protocols.abilities import split_effort
from tollbridge.protocols.endpoints import is_endpoint
from tollbridge.protocols.gemini import RoleMissing
from tollbridge.protocols.json_peek import FieldError, PeekError, Refusal
from tollbridge.protocols.losses import Untranslatable
from tollbridge.protocols.media_request import Refused
from tollbridge.protocols.multipart import FormError
from tollbridge.relay.call import Call
from tollbridge.relay.client_policy import admits
from tollbridge.relay.dialects import Dialect
from tollbridge.relay.exchange import Exchange
from tollbridge.relay.passthrough import PassAsk
from tollbridge.relay.told_cost import take_wish

__all__ = ["Offers", "authenticate", "check_key", "field_error", "read_body", "recognise"]

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
    facts = exchange.facts
    digest = facts.secret_digest
    if digest is None:
        digest = digest_of(presented_secret(exchange.headers, exchange.query))
        facts.secret_digest = digest
    return keys.known(digest)


def authenticate(exchange: Exchange, keys: KeyStore) -> Coroutine[Any, Any, KeyRecord]:
    """Return, when awaited, the key's record; ApiError when the request has no usable key."""
    return presented.authenticate(exchange.headers, exchange.query, keys)


def read_body(call: Call) -> None:
    """Read what the call asks for into `call.source`, `call.ask` and `call.wish`; ApiError."""
    dialect = call.dialect
    try:
        call.source, call.ask = dialect.read(call.exchange)
        take_wish(call)
    except (PeekError, FormError, FieldError, Refused) as error:
        raise _unreadable(error) from None
    call.wish = dialect.wish(call.ask)
    call.blobs = dialect.blobs(call.exchange, call.ask)


def _unreadable(error: PeekError | FormError | FieldError | Refused) -> ApiError:
    kind = Kind.INVALID_REQUEST
    if isinstance(error, PeekError):
        if error.reason is Refusal.DUPLICATE_KEY:
            text = "The request body names a top-level field twice."
            return ApiError(kind, text, code="duplicate_field")
        return ApiError(kind, _PEEK_MESSAGES[error.reason], code="invalid_json")
    if isinstance(error, FormError):
        text = f"The form cannot be read: {error.reason.value.replace('_', ' ')}."
        return ApiError(kind, text, code="invalid_form", param=error.name)
    if isinstance(error, Refused):
        return ApiError(kind, error.message, code=error.code, param=error.param)
    return field_error(error)


def field_error(error: FieldError) -> ApiError:
    """Return what a client hears of a field that is wrong, or that the vendor cannot be told."""
    if isinstance(error, RoleMissing):
        text = (
            f"Request contains an invalid argument: {error.name} must be {error.expected}."
            ' Give every content a role: "user" or "model".'
        )
        return ApiError(Kind.INVALID_REQUEST, text, code="invalid_value", param=error.name)
    if isinstance(error, Untranslatable):
        text = f"Invalid '{error.name}': {error.reason}"
        return ApiError(Kind.INVALID_REQUEST, text, code="unsupported_value", param=error.name)
    return ApiError(
        Kind.INVALID_REQUEST,
        f"Invalid '{error.name}': expected {error.expected}.",
        code="invalid_value",
        param=error.name,
    )


Readiness = Callable[[Call, Channel], int]
"""Returns how likely a channel answers a call now; compared among channels only."""


class Offers:
    """What each channel sells under each model name, worked out once a snapshot.

    A wildcard can be called by any number of names, so what is remembered is bounded.
    """

    __slots__ = ("_found", "_readiness", "_snapshot")

    def __init__(self, readiness: Readiness | None = None) -> None:
        """`readiness` is asked where a call could go to several channels; without it all are alike."""
        self._readiness = readiness
        self._snapshot: Snapshot | None = None
        self._found: dict[tuple[int, str, str, type], tuple[Channel, Model]] = {}

    def choose(self, call: Call) -> None:
        """Find the channel and the model of a call, and check that the key may use both."""
        key = call.key
        name = call.upstream_model = call.ask.model
        _split_name(call)
        if key.models and name not in key.models and call.upstream_model not in key.models:
            raise ApiError(Kind.MODEL_NOT_ALLOWED, facts={"model": name, "key_last6": key.last6})
        if key.channel_id is None or call.pinned is not None:
            call.channel, model = _offer(call, self._readiness)
        else:
            call.channel, model = self._bound_offer(call, key.channel_id)
        if not _welcomes(call, call.channel):
            raise ApiError(Kind.CLIENT_NOT_ALLOWED, facts={"key_last6": key.last6})
        if call.channel.requires_telegram and not key.user_telegram:
            raise ApiError(Kind.VERIFICATION_REQUIRED, facts={"key_last6": key.last6})
        if model.price is None:
            raise ApiError(Kind.MODEL_UNPRICED, facts={"model": name})
        call.model, call.price = model, model.price
        channel = call.channel
        if channel.peak is None and not call.snapshot.groups:
            call.multiplier = channel.multiplier
        else:
            call.multiplier, call.factors = multiplier_of(
                call.snapshot, channel, key.user_group, call.at_ms
            )
        _check_capability(call)
        _check_limits(call, model)

    def _bound_offer(self, call: Call, channel_id: int) -> tuple[Channel, Model]:
        if call.snapshot is not self._snapshot:
            self._snapshot = call.snapshot
            self._found.clear()
        dialect = call.dialect
        which = (channel_id, call.upstream_model, dialect.surface_name, type(dialect))
        found = self._found.get(which)
        if found is None:
            found = _offer(call)
            if len(self._found) < _OFFERS_MAX:
                self._found[which] = found
        return found


def _offer(call: Call, readiness: Readiness | None = None) -> tuple[Channel, Model]:
    """Return the channel that a call goes to and the priced model; ApiError when there is none.

    Of several it is the cheapest of those that are the readiest.
    """
    key, snapshot, name = call.key, call.snapshot, call.upstream_model
    facts = {"model": name, "key_last6": key.last6}
    channels = _open_to(key, snapshot) if call.pinned is None else [call.pinned]
    # Under a wildcard any text is a name, and names are kept: only what can be one is.
    can_be_name = len(name) <= _NAME_MAX and name.isprintable()
    # No endpoint can be called as a model, nor the other way round.
    passes = isinstance(call.ask, PassAsk)
    can_be_name = can_be_name and is_endpoint(name) == passes
    serving = [channel for channel in channels if can_be_name and channel.serves(name)]
    model = snapshot.model(name)
    if not serving or model is None:
        facts["nearest"] = "" if passes else _nearest(snapshot, channels, name)
        if key.channel_id is not None or call.pinned is not None:
            facts["fixed_channel"] = "yes"
        raise ApiError(Kind.MODEL_UNKNOWN, facts=facts)
    surface = call.dialect.surface
    speaking = [
        channel
        for channel in serving
        if surface in channel.surfaces and _reaches(call.dialect, channel)
    ]
    if not speaking:
        raise ApiError(Kind.SURFACE_NOT_ALLOWED, facts=facts)
    # An endpoint that has a price may be given away: its price was written.
    if model.price is None or not (passes or is_priced(model.price)):
        raise ApiError(Kind.MODEL_UNPRICED, facts=facts)
    welcoming = [
        channel
        for channel in speaking
        if _welcomes(call, channel) and (key.user_telegram or not channel.requires_telegram)
    ]
    if readiness is not None and len(welcoming) > 1:
        ready = [readiness(call, channel) for channel in welcoming]
        best = max(ready)
        welcoming = [one for one, said in zip(welcoming, ready, strict=True) if said == best]
    return cheapest(welcoming or speaking, call.at_ms), model


def _welcomes(call: Call, channel: Channel) -> bool:
    policy = channel.client_policy
    return admits(policy, call.exchange.headers, counting=call.dialect.free)


def _reaches(dialect: Dialect, channel: Channel) -> bool:
    """Say whether any account of the channel could answer; one without accounts may get some."""
    return not channel.accounts or any(dialect.serves(account) for account in channel.accounts)


def _split_name(call: Call) -> None:
    """Take an effort off the end of a name that is not sold as it is."""
    name, snapshot = call.ask.model, call.snapshot
    if isinstance(call.ask, PassAsk):
        call.upstream_model = call.ask.endpoint
        return
    if name in snapshot.models:
        return
    parts = split_effort(name)
    if parts is not None and parts[0] in snapshot.models:
        call.upstream_model, call.effort = parts


def _open_to(key: KeyRecord, snapshot: Snapshot) -> list[Channel]:
    channels = open_channels(snapshot, key.channel_id, key.user_group)
    if not channels and key.channel_id is not None:
        raise ApiError(Kind.CHANNEL_DISABLED, facts={"key_last6": key.last6})
    return channels


def _nearest(snapshot: Snapshot, channels: list[Channel], name: str) -> str:
    """Return what looks like the name and can be called; a model without a price cannot."""
    names = {model for channel in channels for model in snapshot.visible[channel.id]}
    return ", ".join(snapshot.nearest(name, names))


def _check_capability(call: Call) -> None:
    dialect = call.dialect
    makes = dialect.images or dialect.makes_images(call.ask)
    if makes and "images" not in call.channel.capabilities:
        raise ApiError(Kind.IMAGES_NOT_ENABLED)


def _check_limits(call: Call, model: Model) -> None:
    try:
        call.dialect.check(call.ask, model)
    except Refused as error:
        raise ApiError(
            Kind.INVALID_REQUEST, error.message, code=error.code, param=error.param
        ) from None
    wish = call.wish
    limit = wish.limit if wish.has_output else None
    if limit is not None and limit > model.max_output:
        raise ApiError(
            Kind.INVALID_REQUEST,
            f"The output limit is too large: {call.ask.model} writes at most"
            f" {model.max_output} tokens.",
            code="max_tokens_too_large",
            param="max_tokens",
        )
