"""Owns GET /api/pricing: the price list in the shape that price-comparing tools read.

Ratios as those tools know them: `model_ratio` 1 is two dollars for a million input tokens, the others
are to that; a group's ratio is a factor on all of it. What no ratio can say stands beside it exactly,
in `pricing`, group included. Without a key the list is what users of the group `default` see, unless
the setting `public_prices` closes it. Prices by the hour are told by `peak`.
"""

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
from fastapi import APIRouter, Request, Response

from tollbridge.api.answers import answer, headers_of, services_of
from tollbridge.api.caller import caller
from tollbridge.api.model_prices import price_fields
from tollbridge.billing.pricing import is_priced
from tollbridge.catalog.peak import DAYS, Peak, clock_text
from tollbridge.catalog.prices import Price, Rates
from tollbridge.catalog.snapshot import Channel, Model, Snapshot
from tollbridge.catalog.visibility import listed_models, open_channels
from tollbridge.core.errors import Surface
from tollbridge.core.money import NANO, Multiplier
from tollbridge.identity.presented import presented_secret

router = APIRouter()

UNIT_NANO: Final = 2 * NANO
"""What a million input tokens cost at a `model_ratio` of 1."""

_GROUP: Final = "default"
_ONE: Final = Multiplier(1, 1)
_BY_TOKENS, _BY_CALLS = 0, 1
_LISTS_MAX: Final = 256
# More decimals than any product of prices and factors has; only true quotients are rounded.
_PLACES: Final = 24
_RATIOS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "completion_ratio": "output",
        "cache_ratio": "cache_read",
        "create_cache_ratio": "cache_write_5m",
        "create_cache_1h_ratio": "cache_write_1h",
        "image_ratio": "image_input",
        "audio_ratio": "audio_input",
    }
)
_ENDPOINTS: Final[Mapping[Surface, str]] = MappingProxyType(
    {
        Surface.CHAT: "openai",
        Surface.RESPONSES: "openai-response",
        Surface.MESSAGES: "anthropic",
        Surface.GEMINI: "gemini",
    }
)


class _View(NamedTuple):
    """Who looks: a key, or anybody."""

    channel_id: int | None = None
    group: str = _GROUP
    models: frozenset[str] = frozenset()


@router.api_route("/api/pricing", methods=["GET", "HEAD"])
async def pricing(request: Request) -> Response:
    """List the prices of what the key can call, or of what everybody could."""
    services = services_of(request)
    view = _View()
    secret = presented_secret(headers_of(request), request.scope["query_string"])
    if secret or not services.public_prices:
        key = await caller(request)
        view = _View(key.channel_id, key.user_group, key.models)
    state = request.app.state
    if not hasattr(state, "price_lists"):
        state.price_lists = _Lists()
    return answer(state.price_lists.of(services.snapshot(), view))


class _Lists:
    """Lists that were made already: anybody may ask for one, and a large one takes a while."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._made: dict[_View, msgspec.Raw] = {}

    def of(self, snapshot: Snapshot, view: _View) -> msgspec.Raw:
        """Return the list as JSON."""
        if snapshot is not self._snapshot or len(self._made) >= _LISTS_MAX:
            self._snapshot = snapshot
            self._made.clear()
        made = self._made.get(view)
        if made is None:
            shown = prices_for(snapshot, view.channel_id, view.group, view.models)
            made = self._made[view] = msgspec.Raw(msgspec.json.encode(shown))
        return made


def prices_for(
    snapshot: Snapshot, channel_id: int | None, group: str, allowed: frozenset[str]
) -> dict[str, Any]:
    """Return the list as a key of this channel, group and model list sees it."""
    factor = snapshot.groups.get(group, _ONE)
    channels = open_channels(snapshot, channel_id, group)
    data = []
    for name, channel in listed_models(snapshot, channels, allowed).items():
        model = snapshot.model(name)
        if model is not None and model.price is not None and is_priced(model.price):
            data.append(_line(name, model, model.price, channel, group, factor))
    return {
        "success": True,
        "message": "",
        "data": data,
        "group_ratio": {group: _decimal(Fraction(factor.num, factor.den))},
        "usable_group": {group: group},
        "auto_groups": [group],
        "vendors": [],
        "supported_endpoint": {},
        "currency": "USD",
    }


def _line(
    name: str, model: Model, price: Price, channel: Channel, group: str, factor: Multiplier
) -> dict[str, Any]:
    own = Fraction(channel.multiplier.num, channel.multiplier.den)
    whole = own * Fraction(factor.num, factor.den)
    by_calls = bool(price.request) and not any(price.rates.of(each) for each in _sold())
    return {
        "model_name": name,
        "quota_type": _BY_CALLS if by_calls else _BY_TOKENS,
        "model_price": _decimal(own * price.request / NANO),
        **_ratios(price.rates, own),
        "owner_by": channel.platform,
        "enable_groups": [group],
        "supported_endpoint_types": [
            word for surface, word in _ENDPOINTS.items() if surface in channel.surfaces
        ],
        "channel": channel.name,
        "context_length": model.context,
        "max_output_tokens": model.max_output,
        "multiplier": Multiplier(whole.numerator, whole.denominator).text(),
        **price_fields(price, Multiplier(whole.numerator, whole.denominator)),
        **({"peak": _peak(channel.peak)} if channel.peak else {}),
    }


def _sold() -> tuple[str, ...]:
    return ("input", *_RATIOS.values(), "audio_output", "image_output")


def _ratios(rates: Rates, own: Fraction) -> dict[str, msgspec.Raw]:
    """Return the ratios; where the input is free there is nothing to relate the others to: 0."""
    base = rates.of("input")
    shown = {"model_ratio": _decimal(own * base / UNIT_NANO)}
    for name, bucket in _RATIOS.items():
        shown[name] = _decimal(Fraction(rates.of(bucket), base) if base else Fraction(0))
    # Audio that is made relates to audio that is heard.
    heard = rates.of("audio_input")
    made = Fraction(rates.of("audio_output"), heard) if heard else Fraction(0)
    return {**shown, "audio_completion_ratio": _decimal(made)}


def _decimal(value: Fraction) -> msgspec.Raw:
    """Return a JSON number, exact where a decimal of so many places is, else rounded up there."""
    scaled = -(-value.numerator * 10**_PLACES // value.denominator)
    whole, rest = divmod(scaled, 10**_PLACES)
    decimals = f"{rest:0{_PLACES}d}".rstrip("0")
    return msgspec.Raw((f"{whole}.{decimals}" if decimals else str(whole)).encode())


def _peak(peak: Peak) -> dict[str, Any]:
    return {
        "from": clock_text(peak.start),
        "to": clock_text(peak.end),
        "days": [DAYS[day] for day in sorted(peak.days)],
        "zone": peak.zone,
        "factor": peak.factor.text(),
    }
