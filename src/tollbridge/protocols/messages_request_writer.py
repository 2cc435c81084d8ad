"""Owns the writing of the neutral model as an Anthropic Messages request.

Also which fields of other protocols are advisory and lost, and which are refused by name
(protocols.md 5). Must not know how single parts or tools are written.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tollbridge.protocols.abilities import Addressee
from tollbridge.protocols.conversation import Conversation, Format, Json, Text, Turn, Wire
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.messages_thinking import Thoughts, is_mere_wish, thoughts
from tollbridge.protocols.messages_tools import Toolbox, toolbox
from tollbridge.protocols.messages_turns import BlockWriter, sendable
from tollbridge.protocols.schema_rules import anthropic_output_schema
from tollbridge.protocols.tool_names import ToolNames

LIMIT_DEFAULT: Final = 4_096
"""Output tokens where neither the client nor the catalogue says how many."""

_JSON_ONLY: Final = "Answer with one JSON object and nothing else."
_TIERS: Final = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_TOP_P_THINKING: Final = 0.95
_NESTED: Final = ("output_config", "metadata")

_ADVISORY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "client_metadata": "metadata",
        "enable_thinking": "effort",
        "include": "include",
        "includeServerSideToolInvocations": "include",
        "labels": "metadata",
        "logit_bias": "logit_bias",
        "logprobs": "logprobs",
        "mediaResolution": "image_detail",
        "metadata": "metadata",
        "prediction": "prediction",
        "prompt_cache_key": "cache_hint",
        "prompt_cache_options": "cache_hint",
        "prompt_cache_retention": "cache_hint",
        "safetySettings": "safety_settings",
        "safety_identifier": "end_user",
        "store": "store",
        "stream_options": "stream_option",
        "top_logprobs": "logprobs",
        "user": "end_user",
        "verbosity": "verbosity",
    }
)
"""Other protocols' fields that a model need not see, and the loss that each of them is."""

_GROUPS: Final = frozenset({"generationConfig", "text", "toolConfig"})
"""Fields that are only groups of such fields."""

# What says nothing, beside what is empty or zero.
_NOTHING: Final = ("auto", "default", "disabled")


def write_request(
    conversation: Conversation, to: Addressee, names: ToolNames, losses: Losses
) -> Json:
    """Return the request's body; raises Untranslatable for what this vendor cannot be told."""
    own = conversation.wire is Wire.MESSAGES
    if not own:
        _check(conversation, losses)
    limit = _limit(conversation, to, own=own)
    turns = sendable(conversation, losses, system_anywhere=to.abilities.system_anywhere)
    mind = thoughts(conversation, turns, to.abilities, limit, losses)
    # What the client itself says of thinking it has also thought of in the rest of its request.
    ours = not own or is_mere_wish(conversation.thinking, to.abilities)
    box = toolbox(conversation, to.abilities, names, losses, thinks=ours and mind.active)
    request: Json = {"model": to.model, "max_tokens": limit}
    _content(request, conversation, turns, box, BlockWriter(conversation, names, losses))
    if box.choice is not None:
        request["tool_choice"] = box.choice
    if mind.field is not None:
        request["thinking"] = mind.field
    config = _output_config(conversation, to, mind, losses)
    if config:
        request["output_config"] = config
    if ours:
        _sampling(request, conversation, to, losses, thinks=mind.active)
    else:
        _own_sampling(request, conversation)
    if own:
        _own_scalars(request, conversation)
    else:
        _labels(request, conversation, losses)
    if conversation.stream:
        request["stream"] = True
    return request


def _check(conversation: Conversation, losses: Losses) -> None:
    """Refuse what would change the answer, and note what is lost besides."""
    if conversation.copies > 1:
        raise Untranslatable(
            "generationConfig.candidateCount" if conversation.wire is Wire.GEMINI else "n",
            "This model gives one answer at a time.",
        )
    if set(conversation.modalities) - {"text"}:
        raise Untranslatable(
            "generationConfig.responseModalities"
            if conversation.wire is Wire.GEMINI
            else "modalities",
            "This model answers in text only.",
        )
    _lose(conversation.extra, "", losses)
    if conversation.seed is not None:
        losses.note("seed")
    if conversation.presence_penalty or conversation.frequency_penalty:
        losses.note("penalties")
    if conversation.logprobs is not None:
        losses.note("logprobs")


def _lose(fields: Json, where: str, losses: Losses) -> None:
    """Note the fields that are advisory; raise Untranslatable for any other that says something."""
    for name, value in fields.items():
        if not value or value in _NOTHING:
            continue
        if name in _GROUPS and isinstance(value, dict):
            _lose(value, f"{name}.", losses)
        elif name in _ADVISORY:
            losses.note(_ADVISORY[name])
        else:
            raise Untranslatable(where + name, "This model's vendor has nothing like it.")


def _limit(conversation: Conversation, to: Addressee, *, own: bool) -> int:
    """Return the tokens of output, which this protocol demands to be said."""
    wished = conversation.max_output
    if wished is None:
        return to.max_output or LIMIT_DEFAULT
    return min(wished, to.max_output) if to.max_output and not own else wished


def _content(
    request: Json, conversation: Conversation, turns: list[Turn], box: Toolbox, writer: BlockWriter
) -> None:
    """Write tools, system and messages, in the order in which the vendor caches them."""
    writer.cached.extend([tool for tool in box.tools if "cache_control" in tool])
    told = [box.instruction] if box.instruction else []
    if _wants_any_json(conversation):
        told.append(_JSON_ONLY)
    system = writer.system([*conversation.system, *(Text(text=text) for text in told)])
    if system:
        request["system"] = system
    request["messages"] = writer.messages(turns)
    if box.tools:
        request["tools"] = box.tools
    if conversation.wire is not Wire.MESSAGES:
        writer.spare()


def _wants_any_json(conversation: Conversation) -> bool:
    form = conversation.format
    return form is not None and (form.kind == "json" or form.schema is None)


def _output_config(
    conversation: Conversation, to: Addressee, mind: Thoughts, losses: Losses
) -> Json:
    config: Json = {}
    if mind.effort is not None:
        config["effort"] = mind.effort
    form = conversation.format
    if form is not None and form.schema is not None:
        if conversation.wire is Wire.MESSAGES:
            config["format"] = {"type": "json_schema", "schema": form.schema}
        elif to.abilities.output_schema:
            config["format"] = _bound(form, losses)
    if conversation.wire is Wire.MESSAGES:
        config.update(conversation.extra.get("output_config") or {})
    return config


def _bound(form: Format, losses: Losses) -> Json:
    return {"type": "json_schema", "schema": anthropic_output_schema(form.schema or {}, losses)}


def _own_sampling(request: Json, conversation: Conversation) -> None:
    """Write the sampling as the client wrote it."""
    for name, value in (
        ("temperature", conversation.temperature),
        ("top_p", conversation.top_p),
        ("top_k", conversation.top_k),
        ("stop_sequences", conversation.stop or None),
    ):
        if value is not None:
            request[name] = value


def _own_scalars(request: Json, conversation: Conversation) -> None:
    """Write the rest of a request of this protocol as the client wrote it."""
    if conversation.tier is not None:
        request["service_tier"] = conversation.tier
    metadata = dict(conversation.extra.get("metadata") or {})
    if conversation.end_user is not None:
        metadata["user_id"] = conversation.end_user
    if metadata:
        request["metadata"] = metadata
    request.update(
        {name: value for name, value in conversation.extra.items() if name not in _NESTED}
    )


def _sampling(
    request: Json, conversation: Conversation, to: Addressee, losses: Losses, *, thinks: bool
) -> None:
    """Write what of the sampling the model takes: less where it thinks, nothing where it is new."""
    stops = [stop for stop in conversation.stop if stop.strip()]
    if stops:
        request["stop_sequences"] = stops
    allowed = to.abilities.sampling
    top_p, top_k = conversation.top_p, conversation.top_k
    if conversation.temperature is not None:
        kept = min(conversation.temperature, 1)
        if allowed and (kept == 1 or not thinks):
            request["temperature"] = kept
        if request.get("temperature", 1) != conversation.temperature:
            losses.note("temperature")
    if top_p is not None:
        alone = "temperature" not in request or to.abilities.both_samplings
        if allowed and alone and not (thinks and top_p < _TOP_P_THINKING):
            request["top_p"] = top_p
        elif top_p != 1:
            losses.note("top_p")
    if top_k is not None:
        if allowed and not thinks:
            request["top_k"] = top_k
        else:
            losses.note("top_k")


def _labels(request: Json, conversation: Conversation, losses: Losses) -> None:
    """Write who the end user is, without telling the vendor the name, and the tier."""
    if conversation.end_user:
        digest = hashlib.sha256(conversation.end_user.encode(errors="surrogatepass")).hexdigest()
        request["metadata"] = {"user_id": digest}
    if conversation.tier is not None:
        tier = _TIERS.get(conversation.tier)
        if tier is None:
            losses.note("tier")
        else:
            request["service_tier"] = tier
