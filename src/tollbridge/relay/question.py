"""Owns the smallest call that tells whether an account answers: which model, which words. Pure.

Text if the channel sells any: the cheapest model, one word in, next to nothing out. Else one word to
embed; else the list of models, which costs nothing. Must not know how it is sent.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from tollbridge.catalog.snapshot import Account, Channel, Model, Snapshot
from tollbridge.core.errors import Surface

_WORD: Final = "hi"
_OUTPUT: Final = 1
# OpenAI's models that think refuse less, and its Responses take no less.
_OPENAI_OUTPUT: Final = 16
_TURN: Final = ({"role": "user", "content": _WORD},)
_OTHER_THAN_TEXT: Final = re.compile(
    r"embed|rerank|image|dall-e|imagen|veo|sora|tts|whisper|transcri|speech|moderation|realtime"
)
_EMBEDS: Final = re.compile(r"embed")
_LISTS: Mapping[str, str] = MappingProxyType(
    {"openai": "/v1/models", "anthropic": "/v1/models", "gemini": "/v1beta/models"}
)


class Question(NamedTuple):
    """What to ask. Without a model it is the list of models, by GET and without a body."""

    path: str
    model: Model | None = None
    name: str = ""
    """The name that is sold, of which the model may be the wildcard."""
    body: bytes = b""


def question(snapshot: Snapshot, channel: Channel, account: Account, wish: str | None) -> Question:
    """Return what to ask an account, of the model `wish` if there is one.

    ValueError when the channel does not sell that model.
    """
    if wish is not None:
        model = snapshot.model(wish)
        if model is None or not channel.serves(wish):
            raise ValueError(f"the channel {channel.name} does not sell this model")
        if _EMBEDS.search(wish):
            return _to_embed(account, model, wish)
        return _text(channel, account, model, wish)
    names = snapshot.visible[channel.id] or sorted(channel.models)
    sold = [(name, model) for name in names if (model := snapshot.model(name)) is not None]
    texts = [(name, model) for name, model in sold if _writes_text(name, model)]
    if texts and channel.surfaces - {Surface.MEDIA}:
        name, model = min(texts, key=lambda each: (_price(each[1]), each[0]))
        return _text(channel, account, model, name)
    for name, model in sold:
        if _EMBEDS.search(name) and account.platform != "anthropic":
            return _to_embed(account, model, name)
    return Question(_LISTS[account.platform])


def _text(channel: Channel, account: Account, model: Model, name: str) -> Question:
    ask: dict[str, Any]
    if account.platform == "gemini":
        ask = {
            "contents": [{"role": "user", "parts": [{"text": _WORD}]}],
            "generationConfig": {"maxOutputTokens": _OUTPUT},
        }
        return _question(f"/v1beta/models/{account.sent(name)}:generateContent", model, name, ask)
    if account.platform == "anthropic":
        ask = {"model": name, "messages": _TURN, "max_tokens": _OUTPUT}
        return _question("/v1/messages", model, name, ask)
    if channel.surfaces - {Surface.MEDIA} == {Surface.RESPONSES}:
        ask = {"model": name, "input": _WORD, "max_output_tokens": _OPENAI_OUTPUT, "store": False}
        return _question("/v1/responses", model, name, ask)
    limit = "max_tokens" if account.compatible else "max_completion_tokens"
    ask = {"model": name, "messages": _TURN, limit: _OPENAI_OUTPUT}
    return _question("/v1/chat/completions", model, name, ask)


def _to_embed(account: Account, model: Model, name: str) -> Question:
    if account.platform == "gemini":
        ask: dict[str, Any] = {"content": {"parts": [{"text": _WORD}]}}
        return _question(f"/v1beta/models/{account.sent(name)}:embedContent", model, name, ask)
    return _question("/v1/embeddings", model, name, {"model": name, "input": _WORD})


def _question(path: str, model: Model, name: str, ask: dict[str, Any]) -> Question:
    return Question(path, model, name, msgspec.json.encode(ask))


def _writes_text(name: str, model: Model) -> bool:
    if _OTHER_THAN_TEXT.search(name):
        return False
    price = model.price
    return price is None or not (price.images or price.second or price.character)


def _price(model: Model) -> int:
    """Return what matters of a price here; a model without one may cost anything."""
    price = model.price
    return 2**63 if price is None else price.request * 1_000 + price.rates.output
