"""Owns GET /v1/models: what a key can call, in the shape of OpenAI's list.

Only what the key's channels list and what has a price. Ids are exact and case-sensitive.
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from tollbridge.api.answers import answer, path_of, services_of
from tollbridge.api.caller import Caller
from tollbridge.billing.pricing import is_priced
from tollbridge.catalog.snapshot import Channel, Snapshot
from tollbridge.catalog.visibility import is_sold, listed_models, open_channels
from tollbridge.core.errors import ApiError, Kind, not_found
from tollbridge.identity.keys import KeyRecord

router = APIRouter()

# SDKs want a number here; the catalogue's view carries no dates. 2025-01-01.
_CREATED_S = 1_735_689_600


@router.api_route("/v1/models", methods=["GET", "HEAD"])
async def list_models(request: Request, key: Caller) -> Response:
    """List what the key can call."""
    snapshot = services_of(request).snapshot()
    found = _listed(snapshot, _channels(snapshot, key), key)
    data = [_shown(name, channel) for name, channel in found.items()]
    return answer({"object": "list", "data": data})


@router.api_route("/v1/models/{model:path}", methods=["GET", "HEAD"])
async def retrieve_model(request: Request, model: str, key: Caller) -> Response:
    """Show one model; model_unknown names the nearest."""
    if not model:
        raise not_found(request.method, path_of(request))
    snapshot = services_of(request).snapshot()
    channels = _channels(snapshot, key)
    if not key.models or model in key.models:
        for channel in channels:
            if is_sold(snapshot, channel, model) and _has_worth(snapshot, model):
                return answer(_shown(model, channel))
    nearest = ", ".join(snapshot.nearest(model, _listed(snapshot, channels, key)))
    raise ApiError(Kind.MODEL_UNKNOWN, facts={"model": model, "nearest": nearest})


def _channels(snapshot: Snapshot, key: KeyRecord) -> list[Channel]:
    channels = open_channels(snapshot, key.channel_id, key.user_group)
    if not channels and key.channel_id is not None:
        raise ApiError(Kind.CHANNEL_DISABLED, facts={"key_last6": key.last6})
    return channels


def _listed(snapshot: Snapshot, channels: list[Channel], key: KeyRecord) -> dict[str, Channel]:
    found = listed_models(snapshot, channels, key.models)
    return {name: channel for name, channel in found.items() if _has_worth(snapshot, name)}


def _has_worth(snapshot: Snapshot, name: str) -> bool:
    """Tell whether the price asks for anything at all: calls at no price are refused."""
    model = snapshot.model(name)
    return model is not None and model.price is not None and is_priced(model.price)


def _shown(name: str, channel: Channel) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED_S, "owned_by": channel.platform}
