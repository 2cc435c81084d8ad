"""Owns the lists of models: what a key can call, in the shape of the family that asks.

Only what the key's channels list and what has a price. Ids are exact and case-sensitive. How a
model looks is decided in `model_shapes`.
"""

from fastapi import APIRouter, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from tollbridge.api.answers import answer, family, services_of
from tollbridge.api.caller import Caller
from tollbridge.api.model_shapes import Offer, listed, shown
from tollbridge.billing.pricing import is_priced
from tollbridge.catalog.factors import lasting_multiplier
from tollbridge.catalog.snapshot import Channel, Snapshot
from tollbridge.catalog.visibility import listed_models, open_channels, seller
from tollbridge.core.errors import ApiError, Kind
from tollbridge.identity.keys import KeyRecord

router = APIRouter()

_METHODS = ["GET", "HEAD"]
_FAMILIES = (
    *("/v1", "/claude/v1", "/v1beta", "/v1alpha"),
    *("/gemini/v1", "/gemini/v1beta", "/gemini/v1alpha"),
)


class _Name(Convertor[str]):
    """A model's name in a path: whatever is not a call of Gemini's native interface."""

    regex = r"(?!.*:(?:\w+Contents?|countTokens|predict\w*)$).+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("model_name", _Name())


async def list_models(request: Request, key: Caller) -> Response:
    """List what the key can call."""
    snapshot = services_of(request).snapshot()
    offers = _offers(snapshot, _channels(snapshot, key), key)
    return answer(listed(family(request), offers, request.query_params))


async def retrieve_model(request: Request, model: str, key: Caller) -> Response:
    """Show one model; model_unknown names the nearest."""
    snapshot = services_of(request).snapshot()
    channels = _channels(snapshot, key)
    if not key.models or model in key.models:
        channel = seller(snapshot, channels, model)
        offer = _offer(snapshot, model, channel, key) if channel else None
        if offer:
            return answer(shown(family(request), offer))
    nearest = ", ".join(snapshot.nearest(model, _offers(snapshot, channels, key)))
    raise ApiError(Kind.MODEL_UNKNOWN, facts={"model": model, "nearest": nearest})


for _family in _FAMILIES:
    router.add_api_route(f"{_family}/models", list_models, methods=_METHODS)
    router.add_api_route(f"{_family}/models/{{model:model_name}}", retrieve_model, methods=_METHODS)


def _channels(snapshot: Snapshot, key: KeyRecord) -> list[Channel]:
    channels = open_channels(snapshot, key.channel_id, key.user_group)
    if not channels and key.channel_id is not None:
        raise ApiError(Kind.CHANNEL_DISABLED, facts={"key_last6": key.last6})
    return channels


def _offers(snapshot: Snapshot, channels: list[Channel], key: KeyRecord) -> dict[str, Offer]:
    found = listed_models(snapshot, channels, key.models)
    offers = (_offer(snapshot, name, channel, key) for name, channel in found.items())
    return {offer.name: offer for offer in offers if offer}


def _offer(snapshot: Snapshot, name: str, channel: Channel, key: KeyRecord) -> Offer | None:
    """Return the offer if its price asks for anything at all: calls at no price are refused."""
    model = snapshot.model(name)
    priced = model is not None and model.price is not None and is_priced(model.price)
    if not (model and priced):
        return None
    return Offer(name, model, channel, lasting_multiplier(snapshot, channel, key.user_group))
