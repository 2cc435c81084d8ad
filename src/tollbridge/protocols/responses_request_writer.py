"""Owns the writing of a conversation as a request of the Responses protocol (protocols.md 5, 9).

The same protocol gets what its client said; for others every field is said in this protocol's
words, lost on record, or refused by name. Must not know accounts or prices.
"""

from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

from msgspec import structs

from tollbridge.protocols.abilities import Addressee, effort_of, nearest_effort
from tollbridge.protocols.conversation import Conversation, Json, Thinking, Wire
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.messages_request_reader import is_billing_header
from tollbridge.protocols.responses_history_writer import HistoryWriter
from tollbridge.protocols.responses_said import format_fields, said_request
from tollbridge.protocols.responses_tools_writer import tools_and_choice
from tollbridge.protocols.tool_names import ToolNames

OUTPUT_MIN: Final = 16
"""The least limit of the output that the protocol takes."""

_CARRIERS: Final = "reasoning.encrypted_content"
# Fields of other protocols that change nothing of what the model sees.
_ADVISORY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cache_control": "cache_hint",
        "client_metadata": "metadata",
        "enable_thinking": "effort",
        "include": "include",
        "includeServerSideToolInvocations": "include",
        "labels": "metadata",
        "metadata": "metadata",
        "logit_bias": "logit_bias",
        "logprobs": "logprobs",
        "mediaResolution": "image_detail",
        "prediction": "prediction",
        "safetySettings": "safety_settings",
        "store": "store",
        "stream_options": "stream_option",
        "top_logprobs": "logprobs",
    }
)
# Fields of chat completions that are the same here.
_SAME: Final = frozenset(
    {
        "metadata",
        "moderation",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
    }
)
_GROUPS: Final = frozenset({"generationConfig", "toolConfig"})
_STOPS: Final[Mapping[Wire, str]] = MappingProxyType(
    {
        Wire.CHAT: "stop",
        Wire.MESSAGES: "stop_sequences",
        Wire.GEMINI: "generationConfig.stopSequences",
    }
)
_COPIES: Final[Mapping[Wire, str]] = MappingProxyType(
    {Wire.GEMINI: "generationConfig.candidateCount"}
)
_MODALITIES: Final[Mapping[Wire, str]] = MappingProxyType(
    {Wire.GEMINI: "generationConfig.responseModalities"}
)
_TIERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "auto": "auto",
        "default": "default",
        "standard_only": "default",
        "flex": "flex",
        "priority": "priority",
        "scale": "scale",
    }
)
_CARRYING: Final = frozenset({Wire.MESSAGES, Wire.GEMINI})
"""The protocols whose clients return what was signed."""


def write_request(
    conversation: Conversation, to: Addressee, names: ToolNames, losses: Losses
) -> Json:
    """Return the request; Untranslatable for what cannot be said and would change the answer."""
    if conversation.wire is Wire.RESPONSES:
        return said_request(conversation, to.model, losses)
    _refuse(conversation)
    history = HistoryWriter(conversation, to, names, losses)
    items = history.items()
    body: Json = {"model": to.model, "input": items, "store": False}
    instructions = _instructions(conversation, losses)
    if instructions and items:
        body["instructions"] = instructions
    elif instructions:
        body["input"] = [{"role": "developer", "content": instructions}]
    body |= tools_and_choice(conversation, to, names, losses)
    body |= _sampling(conversation, to, losses) | _service(conversation, losses)
    reasoning = _reasoning(conversation, to, losses)
    if reasoning:
        body["reasoning"] = reasoning
    if history.replays or _wants_carriers(conversation, reasoning):
        body["include"] = [_CARRIERS]
    if conversation.stream:
        body["stream"] = True
    _extra(conversation, body, losses)
    text = _text(conversation)
    if text:
        body["text"] = text
    return body


def _refuse(conversation: Conversation) -> None:
    wire = conversation.wire
    if any(stop for stop in conversation.stop):
        raise Untranslatable(_STOPS[wire], "This model's vendor has no stop sequences.")
    if conversation.copies > 1:
        raise Untranslatable(
            _COPIES.get(wire, "n"), "This model's vendor gives one answer a request."
        )
    strange = [one for one in conversation.modalities if one != "text"]
    if strange:
        field = _MODALITIES.get(wire, "modalities")
        raise Untranslatable(field, f"This model's vendor answers with no {strange[0]}.")
    if conversation.audio_options:
        raise Untranslatable("audio", "This model's vendor answers with no audio.")


def _instructions(conversation: Conversation, losses: Losses) -> str:
    if any(text.cache for text in conversation.system):
        losses.note("cache_hint")
    texts = [text.text for text in conversation.system if not is_billing_header(text.text)]
    return "\n\n".join(text for text in texts if text.strip())


def _sampling(conversation: Conversation, to: Addressee, losses: Losses) -> Json:
    body: Json = {}
    if conversation.max_output is not None:
        limit = conversation.max_output
        limit = min(limit, to.max_output) if to.max_output > 0 else limit
        body["max_output_tokens"] = max(OUTPUT_MIN, limit)
    for name, value in (("temperature", conversation.temperature), ("top_p", conversation.top_p)):
        if value is not None and to.abilities.sampling:
            body[name] = value
        elif value is not None:
            losses.note(name)
    if conversation.top_k is not None:
        losses.note("top_k")
    if conversation.seed is not None:
        losses.note("seed")
    if conversation.presence_penalty or conversation.frequency_penalty:
        losses.note("penalties")
    if conversation.logprobs is not None:
        losses.note("logprobs")
    return body


def _service(conversation: Conversation, losses: Losses) -> Json:
    """Return for whom and how fast the vendor is to work."""
    body: Json = {}
    if conversation.end_user:
        # The vendor needs to tell users apart, not to know their names.
        body["safety_identifier"] = sha256(conversation.end_user.encode()).hexdigest()
    if conversation.tier is not None:
        tier = _TIERS.get(conversation.tier.lower())
        if tier is None:
            losses.note("tier")
        else:
            body["service_tier"] = tier
    return body


def _reasoning(conversation: Conversation, to: Addressee, losses: Losses) -> Json:
    """Return effort and summary (protocols.md 5.7); empty for a model that cannot be told."""
    thinking = conversation.thinking
    if thinking is None:
        return {}
    wished = _wished(thinking)
    if to.abilities.thinks == "never":
        if wished not in {None, "none"}:
            losses.note("effort")
        return {}
    reasoning: Json = {}
    if wished is not None:
        effort = nearest_effort(wished, to.abilities)
        if effort != wished:
            losses.note("effort")
        if effort is not None:
            reasoning["effort"] = effort
    if wished != "none" and _shows(conversation.wire, thinking):
        reasoning["summary"] = thinking.summary or "auto"
    return reasoning


def _wished(thinking: Thinking) -> str | None:
    """Return the effort that is wished; thoughts without any measure are medium ones."""
    if thinking.enabled is False:
        return "none"
    if thinking.effort is not None:
        return thinking.effort
    if thinking.budget is not None:
        return effort_of(thinking.budget)
    return "medium" if thinking.enabled else None


def _shows(wire: Wire, thinking: Thinking) -> bool:
    if thinking.shown is not None:
        return thinking.shown
    if thinking.summary is not None:
        return True
    if wire is Wire.MESSAGES:
        # There an effort alone does not make the model think aloud.
        return thinking.adaptive or thinking.enabled is True
    return wire is Wire.CHAT


def _wants_carriers(conversation: Conversation, reasoning: Json) -> bool:
    """Say whether thoughts come with their carriers: only to who thinks aloud and returns them."""
    return "summary" in reasoning and conversation.wire in _CARRYING


def _text(conversation: Conversation) -> Json:
    text: Json = {}
    wanted = conversation.format
    if wanted is not None:
        if wanted.kind == "schema" and wanted.strict is None:
            wanted = structs.replace(wanted, strict=False)
        text["format"] = format_fields(wanted)
    verbosity = conversation.extra.get("verbosity")
    if verbosity:
        text["verbosity"] = verbosity
    return text


def _extra(conversation: Conversation, body: Json, losses: Losses) -> None:
    """Say, lose or refuse the fields that the neutral model has no name for."""
    for name, value in conversation.extra.items():
        if _nothing(value):
            continue
        if name in _SAME and conversation.wire is Wire.CHAT:
            body[name] = value
        elif name in _GROUPS and isinstance(value, dict):
            for inner, one in value.items():
                _lose(inner, one, f"{name}.", losses)
        elif name != "context_management" or not _only_clears(value):
            _lose(name, value, "", losses)


def _lose(name: str, value: Any, where: str, losses: Losses) -> None:
    if _nothing(value) or (name == "verbosity" and not where):
        return
    code = "cache_hint" if name.startswith("prompt_cache") else _ADVISORY.get(name)
    if code is None:
        raise Untranslatable(where + name, "This model's vendor has no such field.")
    losses.note(code)


def _only_clears(value: Any) -> bool:
    """Say whether edits of the context only take old content away, which is to spare tokens."""
    edits = value.get("edits") if isinstance(value, dict) else None
    return isinstance(edits, list) and all(
        isinstance(edit, dict) and str(edit.get("type")).startswith("clear_") for edit in edits
    )


def _nothing(value: Any) -> bool:
    """Say whether a value says nothing: null, false, or empty."""
    return value is None or value is False or value in ("", [], {})
