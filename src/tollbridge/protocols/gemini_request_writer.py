"""Owns the writing of a whole request in Gemini's words.

The model and the way of streaming are no part of the body: they are in the path. What the client's
own protocol has besides and Gemini does not is dropped where it is advisory and refused by name
where it is not (protocols.md 4, rule 3). Must not know how bytes travel.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from tollbridge.protocols.abilities import Addressee
from tollbridge.protocols.conversation import Conversation, Json, Wire
from tollbridge.protocols.gemini_config_reader import CONFIG
from tollbridge.protocols.gemini_config_writer import ConfigWriter
from tollbridge.protocols.gemini_tool_writer import ToolWriter
from tollbridge.protocols.gemini_turn_writer import TurnWriter
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.tool_names import ToolNames

NAME_MAX: Final = 128
"""Characters that a tool's name may have."""

# Advisory fields of the other protocols, and what is lost with them.
_ADVISORY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cache_control": "cache_hint",
        "client_metadata": "metadata",
        "include": "include",
        "logit_bias": "logit_bias",
        "metadata": "metadata",
        "prediction": "prediction",
        "prompt_cache_key": "cache_hint",
        "prompt_cache_options": "cache_hint",
        "prompt_cache_retention": "cache_hint",
        "safety_identifier": "end_user",
        "store": "store",
        "stream_options": "stream_option",
        "truncation": "store",
        "user": "end_user",
        "verbosity": "verbosity",
        "web_search_options": "search_option",
    }
)
_NOTHING: Final[tuple[Any, ...]] = (None, False, "", "auto", "default", "disabled", [], {})
# A block that one client puts before its instructions for Anthropic's accounting alone.
_BILLING_BLOCK: Final = "x-anthropic-billing-header"


def write_request(
    conversation: Conversation, to: Addressee, names: ToolNames, losses: Losses
) -> Json:
    """Return the body for a Gemini model.

    Raises Untranslatable with the client's name of a field that cannot be said to Gemini.
    """
    same = conversation.wire is Wire.GEMINI
    body: Json = dict(conversation.extra) if same else {}
    signed = to.abilities.thinks == "level"
    mixing = signed and not to.compatible
    tools = ToolWriter(conversation, names, losses, plain=to.compatible, asks_to_mix=mixing)
    declared = tools.tools()
    contents = TurnWriter(conversation, names, losses, signed=signed).contents()
    system = _system(conversation, losses)
    body["contents"] = contents or [{"role": "user", "parts": [{"text": "(Begin.)"}]}]
    if system:
        body["systemInstruction"] = {"parts": system}
    if declared:
        body["tools"] = declared
    config = ConfigWriter(conversation, to, losses).config()
    _add(body, CONFIG, config)
    _add(body, "toolConfig", tools.config())
    if same:
        if conversation.tier is not None:
            body["serviceTier"] = conversation.tier
        return body
    _note_scalars(conversation, losses)
    _note_extra(conversation.extra, losses)
    return body


def _add(body: Json, name: str, fields: Json) -> None:
    """Add fields to an object of the body that may be there, two levels deep."""
    given = body.get(name, {})
    merged = {**given, **fields}
    for key, value in fields.items():
        if isinstance(value, dict) and isinstance(given.get(key), dict):
            merged[key] = {**given[key], **value}
    if merged:
        body[name] = merged


def _system(conversation: Conversation, losses: Losses) -> list[Json]:
    parts: list[Json] = []
    same = conversation.wire is Wire.GEMINI
    for text in conversation.system:
        if text.cache is not None:
            losses.note("cache_hint")
        if same or (text.text.strip() and not text.text.startswith(_BILLING_BLOCK)):
            parts.append({"text": text.text, **(text.extra if same else {})})
    return parts


def _note_scalars(conversation: Conversation, losses: Losses) -> None:
    if conversation.end_user:
        losses.note("end_user")
    if conversation.tier not in _NOTHING:
        losses.note("tier")


def _note_extra(extra: Json, losses: Losses) -> None:
    """Note what is dropped of the client's own protocol, refuse what must not be."""
    for name, value in extra.items():
        if value in _NOTHING:
            continue
        code = _ADVISORY.get(name)
        if code is None:
            reason = f"This model's vendor has no word for {name}."
            raise Untranslatable(name, reason)
        losses.note(code)
