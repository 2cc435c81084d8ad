"""Owns how each family of SDKs is shown a model, and a page of them.

Only OpenAI's shape has room for prices: Google's SDK refuses unknown fields, Anthropic's has its
own for the limits. Must not know which models there are.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from tollbridge.api.model_pages import Query, cursor_page, token_page
from tollbridge.api.model_prices import price_fields
from tollbridge.catalog.snapshot import Channel, Model
from tollbridge.core.errors import Surface
from tollbridge.core.money import Multiplier

# SDKs want a date here; the catalogue's view carries none.
_CREATED_S = 1_735_689_600
_CREATED = "2025-01-01T00:00:00Z"
_VERSION = "001"
_EMBEDS = ("embedContent", "batchEmbedContents")
_GENERATES = ("generateContent", "streamGenerateContent", "countTokens")


class Offer(NamedTuple):
    """A model under the name that a client writes, with the channel that its price is of.

    `multiplier` is what the client pays there outside of peak hours.
    """

    name: str
    model: Model
    channel: Channel
    multiplier: Multiplier


Offers = Mapping[str, Offer]


def shown(surface: Surface, offer: Offer) -> dict[str, Any]:
    """Return one model in the shape of a family."""
    return _ONE.get(surface, _openai)(offer)


def listed(surface: Surface, offers: Offers, query: Query) -> dict[str, Any]:
    """Return the list, or the page of it that the query asks for; ApiError when it asks wrongly.

    `offers` are sorted by name.
    """
    return _MANY.get(surface, _openai_list)(offers, query)


def _openai(offer: Offer) -> dict[str, Any]:
    model, price = offer.model, offer.model.price
    return {
        "id": offer.name,
        "object": "model",
        "created": _CREATED_S,
        "owned_by": offer.channel.platform,
        "context_length": model.context,
        "max_output_tokens": model.max_output,
        **(price_fields(price, offer.multiplier) if price else {}),
    }


def _anthropic(offer: Offer) -> dict[str, Any]:
    return {
        "type": "model",
        "id": offer.name,
        "display_name": offer.name,
        "created_at": _CREATED,
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "line": None,
        "capabilities": None,
        "max_input_tokens": offer.model.context,
        "max_tokens": offer.model.max_output,
    }


def _gemini(offer: Offer) -> dict[str, Any]:
    return {
        "name": f"models/{offer.name}",
        "version": _VERSION,
        "displayName": offer.name,
        "inputTokenLimit": offer.model.context,
        "outputTokenLimit": offer.model.max_output,
        "supportedGenerationMethods": _methods(offer),
    }


def _methods(offer: Offer) -> Sequence[str]:
    """Name what can be called; that a model embeds is known by its name alone."""
    if Surface.GEMINI not in offer.channel.surfaces:
        return ()
    return _EMBEDS if "embed" in offer.name else _GENERATES


def _openai_list(offers: Offers, _query: Query) -> dict[str, Any]:
    return {"object": "list", "data": [_openai(offer) for offer in offers.values()]}


def _anthropic_list(offers: Offers, query: Query) -> dict[str, Any]:
    names, more = cursor_page(list(offers), query)
    return {
        "data": [_anthropic(offers[name]) for name in names],
        "has_more": more,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }


def _gemini_list(offers: Offers, query: Query) -> dict[str, Any]:
    names, token = token_page(list(offers), query)
    page: dict[str, Any] = {"models": [_gemini(offers[name]) for name in names]}
    return {**page, "nextPageToken": token} if token else page


_ONE: Mapping[Surface, Callable[[Offer], dict[str, Any]]] = MappingProxyType(
    {Surface.MESSAGES: _anthropic, Surface.GEMINI: _gemini}
)
_MANY: Mapping[Surface, Callable[[Offers, Query], dict[str, Any]]] = MappingProxyType(
    {Surface.MESSAGES: _anthropic_list, Surface.GEMINI: _gemini_list}
)
