"""Owns writing a conversation as a chat request, wherever it comes from (protocols.md 5, column C).

What would change what the model sees and has no place here is refused with the client's own name of
the field; what is advisory is counted as a loss. Must not know how messages are written.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from tollbridge.protocols.abilities import Addressee, effort_of, nearest_effort
from tollbridge.protocols.chat_message_writer import MessageWriter
from tollbridge.protocols.chat_tools import is_custom, write_tools
from tollbridge.protocols.conversation import Conversation, Format, Json, Thinking, Wire
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.tool_names import ToolNames

_STOPS_MAX = 4
_ALTERNATIVES_MAX = 20
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
_TIERS_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {"standard_only": "default", "standard": "default"}
)
_STOP_FIELD: Mapping[Wire, str] = MappingProxyType(
    {Wire.MESSAGES: "stop_sequences", Wire.GEMINI: "generationConfig.stopSequences"}
)
# Fields of other protocols that are advisory, by the loss that they are.
_ADVISORY: Mapping[str, str] = MappingProxyType(
    {
        "cache_control": "cache_hint",
        "client_metadata": "metadata",
        "include": "include",
        "includeServerSideToolInvocations": "include",
        "labels": "metadata",
        "mediaResolution": "image_detail",
        "metadata": "metadata",
        "prompt_cache_key": "cache_hint",
        "prompt_cache_options": "cache_hint",
        "prompt_cache_retention": "cache_hint",
        "safetySettings": "safety_settings",
        "store": "store",
        "stream_options": "stream_option",
        "top_logprobs": "logprobs",
        "logprobs": "logprobs",
        "truncation": "context_edit",
        "user": "end_user",
        "verbosity": "verbosity",
    }
)
# Fields that are the same here; compatible vendors do not know them.
_SAME = frozenset(
    {
        "moderation",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "verbosity",
    }
)
_GROUPS = frozenset({"generationConfig", "output_config", "text", "toolConfig"})
# What these fields say when they say nothing, beside null, false and what is empty.
_DEFAULTS: Mapping[str, object] = MappingProxyType({"truncation": "disabled"})
_JSON_ONLY = "Answer with one JSON value that is valid by this JSON schema, and nothing else:\n"


def write_request(
    conversation: Conversation, to: Addressee, names: ToolNames, losses: Losses
) -> Json:
    """Return the request for the upstream; Untranslatable names what it cannot be told."""
    own = conversation.wire is Wire.CHAT
    customs = frozenset(name for name in conversation.names() if is_custom(conversation, name, to))
    body: Json = {
        "model": to.model,
        "messages": MessageWriter(conversation, to, names, losses, customs).messages(),
    }
    body.update(write_tools(conversation, to, names, losses))
    body.update(_limit(conversation, to))
    body.update(_sampling(conversation, to, losses))
    body.update(_stop(conversation, to))
    body.update(_thinking(conversation, to, losses))
    body.update(_form(conversation.format, to, body["messages"], own=own))
    body.update(_media(conversation, to))
    body.update(_household(conversation, to, losses))
    if conversation.stream:
        more = conversation.extra.get("stream_options", {}) if own else {}
        body["stream"] = True
        body["stream_options"] = {**more, "include_usage": True}
    if own:
        body.update({name: value for name, value in conversation.extra.items() if name not in body})
    else:
        body.update(_rest(conversation, to, losses))
    return body


def _limit(conversation: Conversation, to: Addressee) -> Json:
    limit = conversation.max_output
    if limit is None:
        return {}
    if conversation.wire is not Wire.CHAT and to.max_output:
        limit = min(limit, to.max_output)
    old = to.abilities.old_limit_field or to.compatible
    return {"max_tokens" if old else "max_completion_tokens": limit}


def _sampling(conversation: Conversation, to: Addressee, losses: Losses) -> Json:
    abilities = to.abilities
    fields: Json = {}
    for name, loss, usual in (
        ("temperature", "temperature", 1),
        ("top_p", "top_p", 1),
        ("presence_penalty", "penalties", 0),
        ("frequency_penalty", "penalties", 0),
    ):
        value = getattr(conversation, name)
        alone = abilities.both_samplings or name != "top_p" or conversation.temperature is None
        if value is not None and abilities.sampling and alone:
            fields[name] = value
        elif value is not None and value != usual:
            losses.note(loss)
    if conversation.seed is not None:
        fields["seed"] = conversation.seed
    if conversation.copies != 1:
        fields["n"] = conversation.copies
    return {**fields, **_likelihood(conversation, to, losses)}


def _likelihood(conversation: Conversation, to: Addressee, losses: Losses) -> Json:
    """Return what is said of the probabilities of tokens, read or bounded."""
    fields: Json = {}
    if conversation.logprobs is not None:
        if to.abilities.sampling:
            fields["logprobs"] = True
            if conversation.logprobs:
                fields["top_logprobs"] = min(conversation.logprobs, _ALTERNATIVES_MAX)
        else:
            losses.note("logprobs")
    if conversation.top_k is not None:
        if conversation.wire is Wire.CHAT and to.compatible:
            fields["top_k"] = conversation.top_k
        else:
            losses.note("top_k")
    return fields


def _stop(conversation: Conversation, to: Addressee) -> Json:
    stop = conversation.stop
    if not stop:
        return {}
    if len(stop) > _STOPS_MAX and conversation.wire is not Wire.CHAT and not to.compatible:
        raise Untranslatable(
            _STOP_FIELD.get(conversation.wire, "stop"),
            f"This model takes at most {_STOPS_MAX} stop sequences.",
        )
    return {"stop": stop}


def _thinking(conversation: Conversation, to: Addressee, losses: Losses) -> Json:
    wish = conversation.thinking
    if wish is None:
        return {}
    if conversation.wire is Wire.CHAT:
        return wish.extra or ({} if wish.effort is None else {"reasoning_effort": wish.effort})
    asked = _asked_effort(wish)
    if asked is None:
        return {}
    effort = nearest_effort(asked, to.abilities)
    if effort != asked and not (effort is None and asked == "none"):
        losses.note("effort")
    return {} if effort is None else {"reasoning_effort": effort}


def _asked_effort(wish: Thinking) -> str | None:
    """Return the effort that a wish amounts to; None when the client did not say."""
    if wish.enabled is False or wish.budget == 0:
        return "none"
    if wish.effort is not None:
        return wish.effort
    if wish.budget is not None:
        return effort_of(wish.budget)
    return "medium" if wish.enabled or wish.adaptive else None


def _form(form: Format | None, to: Addressee, messages: list[Json], *, own: bool) -> Json:
    """Return the form of the answer; a model that takes no schema is told it in words."""
    if form is None:
        return {}
    if form.kind == "json":
        return {"response_format": {"type": "json_object"}}
    if not own and not to.abilities.output_schema:
        _instruct(messages, _JSON_ONLY + msgspec.json.encode(form.schema or {}).decode())
        return {"response_format": {"type": "json_object"}}
    schema: Json = {"name": form.name or "response"}
    if form.description:
        schema["description"] = form.description
    if form.schema is not None:
        schema["schema"] = form.schema
    if form.strict is not None:
        schema["strict"] = form.strict
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _instruct(messages: list[Json], text: str) -> None:
    """Add an instruction to the leading one."""
    if messages and messages[0]["role"] == "system":
        content = messages[0]["content"]
        if isinstance(content, str):
            messages[0]["content"] = f"{content}\n\n{text}"
        else:
            content.append({"type": "text", "text": text})
    else:
        messages.insert(0, {"role": "system", "content": text})


def _media(conversation: Conversation, to: Addressee) -> Json:
    """Return what is said of the answer's modalities; text alone is what everybody gives."""
    own = conversation.wire is Wire.CHAT
    fields: Json = {}
    wanted = conversation.modalities
    if wanted and (own or wanted != ["text"]):
        if not own and ("audio" in wanted or not to.compatible):
            raise Untranslatable(
                "generationConfig.responseModalities", "This model can be asked for text only."
            )
        fields["modalities"] = wanted
    options = conversation.image_options
    if options and (own or to.compatible):
        fields["image_config"] = options if own else {_snake(k): v for k, v in options.items()}
    if conversation.audio_options and own:
        fields["audio"] = conversation.audio_options
    return fields


def _household(conversation: Conversation, to: Addressee, losses: Losses) -> Json:
    """Return the fields for the vendor's own records: the end user and the tier."""
    own = conversation.wire is Wire.CHAT
    fields: Json = {}
    user, tier = conversation.end_user, conversation.tier
    if user:
        # Another vendor's name of a user can say more of him than this one has to know.
        said = user if own else hashlib.sha256(user.encode()).hexdigest()
        fields["user" if to.compatible else "safety_identifier"] = said
    if tier:
        mapped = tier if own else _TIERS_ELSEWHERE.get(tier.lower(), tier.lower())
        if own or (mapped in _TIERS and not to.compatible):
            fields["service_tier"] = mapped
        elif mapped not in {"auto", "default"}:
            losses.note("tier")
    return fields


def _rest(conversation: Conversation, to: Addressee, losses: Losses) -> Json:
    """Deal with the fields of other protocols that the model has no name for."""
    fields: Json = {}
    for name, value in conversation.extra.items():
        if name in _GROUPS and isinstance(value, dict):
            for inner, one in value.items():
                fields.update(_other(inner, one, f"{name}.", to, losses))
        else:
            fields.update(_other(name, value, "", to, losses))
    return fields


def _other(name: str, value: object, where: str, to: Addressee, losses: Losses) -> Json:
    """Return the field where the protocol has the same one; Untranslatable for a strange one."""
    if not value or value == _DEFAULTS.get(name):
        return {}
    if name in _SAME and not to.compatible:
        return {name: value}
    if name == "context_management" and _only_clears(value):
        losses.note("context_edit")
    elif name in _ADVISORY:
        losses.note(_ADVISORY[name])
    else:
        raise Untranslatable(where + name, "This model's vendor has no such field.")
    return {}


def _only_clears(value: object) -> bool:
    """Say whether context edits only take old content away, which is to spare tokens."""
    edits = value.get("edits") if isinstance(value, dict) else None
    return isinstance(edits, list) and all(
        isinstance(edit, dict) and str(edit.get("type", "")).startswith("clear_") for edit in edits
    )


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
