"""Owns the repair of chat answers from compatible upstreams, so that official SDKs can read them.

Many upstreams speak the Chat Completions protocol almost. The rules, in the order of a chunk
(protocols.md 2.2, 2.3 and 7.2 name the vendors):

1. `id`, `created` and `model` are those of the first chunk in every chunk; `object` is the protocol's.
   What is missing comes from the Identity. A `service_tier` that the protocol does not know moves
   to `vendor_service_tier`.
2. Comments and chunks without choices are dropped; fields of the latter join the usage chunk.
3. Every choice has an `index` and a `finish_reason`; a `message` beside a `delta` is dropped.
4. `role` is "assistant" once a choice, first; `name` once.
5. Content arrays: text parts become `content`, thinking parts `reasoning_content`, others `content_parts`.
6. `tool_calls: []` is dropped. Calls are numbered in order of appearance. `id`, `type` and the
   function's name are given once; a missing id is made up. An object as arguments is written as text.
   A new id at a used index is a new call; neither index nor id continues the last call.
7. Entries of other lists of objects get the `index` that accumulators ask for.
8. A finish reason is given once a choice; one that the protocol does not know becomes "stop".
9. Usage leaves all chunks. If the client asked for it, a last chunk with `choices: []` bears it,
   with prompt + completion = total and the reasoning inside the completion.
10. `[DONE]` ends every stream that an error did not.

Whole answers: the same, and `message.content`, `refusal` and `logprobs` are always there.
Fields that no rule names survive. It must not know streams' bytes, money or accounts.
"""

from typing import Any, Final

import msgspec

from tollbridge.protocols.answer import Identity
from tollbridge.protocols.chat_usage import usage_from
from tollbridge.protocols.facts import decoded, text_or_none

Json = dict[str, Any]

_FINISHES: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
_TIERS: Final = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
_CHOICE_FIELDS: Final = frozenset(
    {"index", "delta", "finish_reason", "native_finish_reason", "logprobs"}
)
_DONE: Final = b"data: [DONE]\n\n"


class _Call:
    """One tool call of a choice, as far as it was told to the client."""

    __slots__ = ("id", "index", "name", "upstream_index")

    def __init__(self, index: int, call_id: str, upstream_index: object) -> None:
        self.index = index
        self.id = call_id
        self.upstream_index = upstream_index
        self.name = ""


class _Choice:
    """What was already told of one choice."""

    __slots__ = ("calls", "finished", "lists", "named", "started")

    def __init__(self) -> None:
        self.started = False
        self.named = False
        self.finished = False
        self.calls: list[_Call] = []
        self.lists: dict[str, int] = {}

    def call_for(self, entry: Json, prefix: str) -> tuple[_Call, bool]:
        """Return the call that an entry belongs to and whether it is a new one (rule 6)."""
        call_id, at = text_or_none(entry.get("id")), entry.get("index")
        same_id = next((call for call in self.calls if call_id and call.id == call_id), None)
        if same_id is not None:
            return same_id, False
        if call_id is None:
            if at is None and self.calls:
                return self.calls[-1], False
            known = next((call for call in reversed(self.calls) if call.upstream_index == at), None)
            if known is not None:
                return known, False
        index = len(self.calls)
        fresh = _Call(index, call_id or f"call_{prefix}_{index}", at)
        self.calls.append(fresh)
        return fresh, True


class StreamNormaliser:
    """Re-emits the chunks of one stream by the rules above."""

    __slots__ = ("_choices", "_extras", "_head", "_identity", "_want_usage")

    def __init__(self, identity: Identity, *, want_usage: bool) -> None:
        self._identity = identity
        self._want_usage = want_usage
        self._head: Json | None = None
        self._choices: dict[int, _Choice] = {}
        self._extras: Json = {}

    def chunk(self, chunk: Json) -> bytes:
        """Return the frame to emit for one parsed chunk, empty when nothing is left of it."""
        if self._head is None:
            self._head = _head(chunk, self._identity, "chat.completion.chunk")
        fresh = {**chunk, **self._head}
        fresh.pop("usage", None)
        _repair_tier(fresh)
        choices = chunk.get("choices")
        kept = [
            choice
            for position, given in enumerate(choices if isinstance(choices, list) else ())
            if isinstance(given, dict) and (choice := self._choice(given, position)) is not None
        ]
        if not kept:
            self._extras.update(fresh)
            return b""
        fresh["choices"] = kept
        return _frame(fresh)

    def end(self, figures: Json | None, *, complete: bool) -> bytes:
        """Return the last frames: usage when it was asked for and is known, and the end mark."""
        frames = b""
        if self._want_usage and figures and usage_from(figures) is not None:
            head = self._head or _head({}, self._identity, "chat.completion.chunk")
            frames = _frame(
                {**self._extras, **head, "choices": [], "usage": repaired_usage(figures)}
            )
        return frames + _DONE if complete else frames

    def _choice(self, given: Json, position: int) -> Json | None:
        index = given.get("index")
        index = index if type(index) is int else position
        state = self._choices.setdefault(index, _Choice())
        delta = given.get("delta")
        finish = None if state.finished else finish_reason(given.get("finish_reason"))
        choice = {**given, "index": index, "finish_reason": finish}
        choice["delta"] = self._delta(dict(delta) if isinstance(delta, dict) else {}, state)
        choice.pop("message", None)
        choice.pop("usage", None)
        state.finished = state.finished or finish is not None
        idle = not choice["delta"] and finish is None and not choice.get("logprobs")
        return None if idle and choice.keys() <= _CHOICE_FIELDS else choice

    def _delta(self, delta: Json, state: _Choice) -> Json:
        delta.pop("role", None)
        if state.named:
            delta.pop("name", None)
        state.named = state.named or bool(delta.get("name"))
        _repair_content(delta)
        calls = delta.pop("tool_calls", None)
        _index_lists(delta, state.lists)
        if isinstance(calls, list) and calls:
            delta["tool_calls"] = [
                self._call(entry, state) for entry in calls if isinstance(entry, dict)
            ]
        if state.started:
            return delta
        state.started = True
        return {"role": "assistant", **delta}

    def _call(self, entry: Json, state: _Choice) -> Json:
        prefix = self._head["id"] if self._head else chat_id(self._identity)
        call, new = state.call_for(entry, prefix)
        told = {
            key: value
            for key, value in entry.items()
            if key not in ("id", "type", "index", "function")
        }
        told["index"] = call.index
        if new:
            told["id"] = call.id
            told["type"] = entry.get("type") or "function"
        function = entry.get("function")
        if isinstance(function, dict):
            told["function"] = _call_function(function, call)
        return told


def _call_function(function: Json, call: _Call) -> Json:
    told = dict(function)
    name = told.pop("name", None)
    if isinstance(name, str) and name and name != call.name:
        # A name in pieces is put together by the client, so a later piece passes as it is.
        told["name"] = name
        call.name += name
    if "arguments" in told:
        told["arguments"] = arguments_text(told["arguments"])
    return told


def normal_reply(body: bytes, identity: Identity) -> bytes:
    """Return a whole answer by the rules above; what is not a chat completion passes as it is."""
    reply = decoded(body)
    choices = reply.get("choices") if reply is not None else None
    if reply is None or not isinstance(choices, list):
        return body
    reply.update(_head(reply, identity, "chat.completion"))
    _repair_tier(reply)
    reply["choices"] = [
        _whole_choice(choice, position, reply["id"])
        for position, choice in enumerate(choices)
        if isinstance(choice, dict)
    ]
    usage = reply.pop("usage", None)
    if isinstance(usage, dict) and usage_from(usage) is not None:
        reply["usage"] = repaired_usage(usage)
    return msgspec.json.encode(reply)


def _whole_choice(given: Json, position: int, prefix: str) -> Json:
    index, message = given.get("index"), given.get("message")
    told = {"content": None, "refusal": None, **(message if isinstance(message, dict) else {})}
    told["role"] = "assistant"
    _repair_content(told)
    calls = told.pop("tool_calls", None)
    if isinstance(calls, list) and calls:
        told["tool_calls"] = [
            _whole_call(call, n, prefix) for n, call in enumerate(calls) if isinstance(call, dict)
        ]
    choice = {"logprobs": None, **given, "message": told}
    choice.pop("delta", None)
    choice["index"] = index if type(index) is int else position
    choice["finish_reason"] = finish_reason(given.get("finish_reason")) or "stop"
    return choice


def _whole_call(given: Json, position: int, prefix: str) -> Json:
    call = dict(given)
    call["id"] = text_or_none(given.get("id")) or f"call_{prefix}_{position}"
    call["type"] = given.get("type") or "function"
    function = given.get("function")
    if isinstance(function, dict):
        call["function"] = {
            **function,
            "name": function.get("name") or "",
            "arguments": arguments_text(function.get("arguments")) or "{}",
        }
    return call


def repaired_usage(figures: Json) -> Json:
    """Return a usage object whose sums hold; the vendor's own further fields survive."""
    usage = usage_from(figures)
    if usage is None:
        return figures
    sent = usage.tokens_in()
    made = usage.output + usage.audio_output + usage.image_output
    inside = figures.get("prompt_tokens_details")
    details = dict(inside) if isinstance(inside, dict) else {}
    details["cached_tokens"] = usage.cache_read
    if "cache_write_tokens" in details:
        details["cache_write_tokens"] = usage.cache_write_5m
    outcome = figures.get("completion_tokens_details")
    reply = dict(outcome) if isinstance(outcome, dict) else {}
    reply["reasoning_tokens"] = usage.reasoning
    return {
        **figures,
        "prompt_tokens": sent,
        "completion_tokens": made,
        "total_tokens": sent + made,
        "prompt_tokens_details": details,
        "completion_tokens_details": reply,
    }


def finish_reason(given: object) -> str | None:
    """Return the protocol's finish reason, None for none yet (rule 8)."""
    if not given:
        return None
    return given if isinstance(given, str) and given in _FINISHES else "stop"


def arguments_text(given: object) -> str:
    """Return tool arguments as the text that the protocol wants."""
    if given is None or isinstance(given, str):
        return given or ""
    return msgspec.json.encode(given).decode()


def chat_id(identity: Identity) -> str:
    """Return the id of an answer whose upstream gave none."""
    return f"chatcmpl-{identity.id}"


def _head(given: Json, identity: Identity, kind: str) -> Json:
    created = given.get("created")
    model = None if identity.renamed else text_or_none(given.get("model"))
    return {
        "id": text_or_none(given.get("id")) or chat_id(identity),
        "object": kind,
        "created": created if type(created) is int else identity.created_s,
        "model": model or identity.model,
    }


def _repair_tier(answer: Json) -> None:
    tier = answer.get("service_tier")
    if tier is not None and tier not in _TIERS:
        answer["vendor_service_tier"] = answer.pop("service_tier")


def _repair_content(message: Json) -> None:
    """Turn an array of parts into texts (rule 5)."""
    parts = message.get("content")
    if not isinstance(parts, list):
        return
    text = "".join(_texts(part) for part in parts if _kind(part) == "text")
    thought = "".join(_texts(part) for part in parts if _kind(part) == "thinking")
    others = [part for part in parts if _kind(part) not in ("text", "thinking")]
    message["content"] = text or None
    if thought:
        message["reasoning_content"] = (
            text_or_none(message.get("reasoning_content")) or ""
        ) + thought
    if others:
        message["content_parts"] = others


def _kind(part: object) -> object:
    return "text" if isinstance(part, str) else part.get("type") if isinstance(part, dict) else None


def _texts(part: object) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "".join(_texts(item) for item in part)
    if isinstance(part, dict):
        return _texts(part.get("text") or part.get("thinking"))
    return ""


def _index_lists(delta: Json, counters: dict[str, int]) -> None:
    """Number the entries of lists of objects that have no number of their own (rule 7)."""
    for name, entries in delta.items():
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            continue
        at = counters.get(name, 0)
        if any("index" not in entry for entry in entries):
            delta[name] = [{**entry, "index": at + n} for n, entry in enumerate(entries)]
            counters[name] = at + len(entries)


def _frame(chunk: Json) -> bytes:
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
