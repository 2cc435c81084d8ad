"""Owns reading a chat request into the neutral conversation (protocols.md 5, column C).

What the model has no field for stays in `extra` under its own name. Fields that compatible vendors
have made common (`reasoning`, `thinking`, `image_config`) are understood too. Must not know
any other protocol.
"""

from typing import Any

from tollbridge.protocols.chat_fields import (
    boolean_in,
    integer_in,
    list_in,
    number_in,
    object_in,
    required,
    rest_of,
    text_in,
)
from tollbridge.protocols.chat_message_reader import read_messages
from tollbridge.protocols.chat_tools import read_choice, read_tools
from tollbridge.protocols.conversation import Conversation, Format, Json, Thinking, Wire
from tollbridge.protocols.json_peek import FieldError

_KNOWN = (
    "messages",
    "model",
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "parallel_tool_calls",
    "web_search_options",
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "n",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "response_format",
    "stream",
    "stream_options",
    "user",
    "safety_identifier",
    "service_tier",
    "modalities",
    "image_config",
    "audio",
)
_THINKING = ("reasoning", "thinking", "reasoning_effort")


def read_request(body: Json) -> Conversation:
    """Return what a chat request asks for; FieldError names what is missing or malformed."""
    messages = required(list_in(body, "messages"), "messages", "at least one message")
    system, turns = read_messages(messages)
    tools = read_tools(body)
    options = object_in(body, "stream_options") or {}
    extra = rest_of(body, *_KNOWN)
    form = _format(body, extra)
    more = rest_of(options, "include_usage")
    if more:
        extra["stream_options"] = more
    user, identifier = text_in(body, "user"), text_in(body, "safety_identifier")
    if user and identifier:
        extra["user"] = user
    copies = integer_in(body, "n")
    return Conversation(
        wire=Wire.CHAT,
        model=required(text_in(body, "model"), "model", "a model name"),
        system=system,
        turns=turns,
        tools=tools,
        choice=read_choice(body),
        parallel=False if body.get("functions") else boolean_in(body, "parallel_tool_calls"),
        max_output=_limit(body),
        temperature=number_in(body, "temperature"),
        top_p=number_in(body, "top_p"),
        top_k=integer_in(body, "top_k"),
        stop=_stop(body.get("stop")),
        seed=integer_in(body, "seed"),
        presence_penalty=number_in(body, "presence_penalty"),
        frequency_penalty=number_in(body, "frequency_penalty"),
        logprobs=_logprobs(body),
        copies=1 if copies is None else copies,
        thinking=_thinking(body),
        format=form,
        stream=boolean_in(body, "stream") or False,
        wants_usage=boolean_in(options, "include_usage", "stream_options.") or False,
        end_user=identifier or user,
        tier=text_in(body, "service_tier"),
        modalities=_modalities(body),
        image_options=object_in(body, "image_config"),
        audio_options=object_in(body, "audio"),
        extra=extra,
    )


def _limit(body: Json) -> int | None:
    """Return the output limit, the smaller one when both fields are given."""
    limits = [integer_in(body, "max_completion_tokens"), integer_in(body, "max_tokens")]
    return min((one for one in limits if one is not None), default=None)


def _stop(given: Any) -> list[str]:
    if given is None:
        return []
    stop = [given] if isinstance(given, str) else given
    if not isinstance(stop, list) or not all(isinstance(one, str) for one in stop):
        raise FieldError("stop", "a string or an array of strings")
    return [one for one in stop if one]


def _logprobs(body: Json) -> int | None:
    top = integer_in(body, "top_logprobs")
    return (top or 0) if boolean_in(body, "logprobs") else None


def _modalities(body: Json) -> list[str]:
    given = list_in(body, "modalities")
    if not all(isinstance(one, str) for one in given):
        raise FieldError("modalities", "an array of strings")
    return [one.lower() for one in given]


def _thinking(body: Json) -> Thinking | None:
    """Return how much the model is to think; vendors' own objects stay in `extra` as they were."""
    effort = text_in(body, "reasoning_effort")
    reasoning, thinking = object_in(body, "reasoning"), object_in(body, "thinking")
    if reasoning is None and thinking is None:
        return None if effort is None else Thinking(effort=effort)
    wish = Thinking(effort=effort, extra={name: body[name] for name in _THINKING if body.get(name)})
    if reasoning is not None:
        where = "reasoning."
        wish.effort = effort or text_in(reasoning, "effort", where)
        wish.budget = integer_in(reasoning, "max_tokens", where)
        wish.enabled = boolean_in(reasoning, "enabled", where)
        wish.summary = text_in(reasoning, "summary", where)
        exclude = boolean_in(reasoning, "exclude", where)
        wish.shown = None if exclude is None else not exclude
    if thinking is not None:
        kind = text_in(thinking, "type", "thinking.")
        wish.enabled = None if kind is None else kind != "disabled"
        wish.adaptive = kind == "adaptive"
        wish.budget = integer_in(thinking, "budget_tokens", "thinking.") or wish.budget
    return wish


def _format(body: Json, extra: Json) -> Format | None:
    """Return the form of the answer; a form that no other protocol has goes to `extra`."""
    given = object_in(body, "response_format")
    kind = None if given is None else given.get("type")
    if given is None or kind == "text":
        return None
    if kind == "json_object":
        return Format(kind="json")
    where = "response_format.json_schema"
    if kind != "json_schema":
        extra["response_format"] = given
        return None
    inner = required(object_in(given, "json_schema", "response_format."), where, "an object")
    return Format(
        kind="schema",
        name=text_in(inner, "name", f"{where}.") or "",
        description=text_in(inner, "description", f"{where}.") or "",
        schema=object_in(inner, "schema", f"{where}."),
        strict=boolean_in(inner, "strict", f"{where}."),
    )
