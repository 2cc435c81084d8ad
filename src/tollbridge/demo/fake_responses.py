"""Owns how the pretend vendor reads OpenAI's Responses API and what its whole answers look like.

Pure: values in, values and bytes out. Streams are `fake_responses_stream`. It must not know of HTTP.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tollbridge.demo.fake_fields import loaded, mapping, mappings, text_of
from tollbridge.demo.fake_samples import PNG_BASE64
from tollbridge.demo.fake_script import Ask, Count
from tollbridge.demo.fake_speech import Call, Ending, Talk, Tool, Wish, prompt_tokens

_encode = msgspec.json.encode
_FUNCTION_TOOLS = frozenset({"function", "custom"})
_ECHOED = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "user",
)
_DEFAULTS: dict[str, Any] = {
    "background": False,
    "metadata": {},
    "parallel_tool_calls": True,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
}
_INCOMPLETE: dict[Ending, str] = {
    "length": "max_output_tokens",
    "context": "max_output_tokens",
    "filter": "content_filter",
}
_IMAGE_OUTPUT = 272


class ResponsesAsk(msgspec.Struct, frozen=True):
    """The fields of a call that the pretend vendor reads; all others are ignored."""

    model: str = ""
    stream: bool | None = None
    max_output_tokens: Count | None = None
    input: msgspec.Raw = msgspec.Raw()
    instructions: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    text: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None
    include: list[str] | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    fake: msgspec.Raw = msgspec.Raw()

    @property
    def prompt_tokens(self) -> int:
        """About a token for each four bytes of what the model would read."""
        return prompt_tokens(bytes(self.input), bytes(self.instructions), bytes(self.tools))

    @property
    def encrypted(self) -> bool:
        """Whether reasoning shall carry its encrypted form."""
        return "reasoning.encrypted_content" in (self.include or ())


decoder = msgspec.json.Decoder(ResponsesAsk)


def ask_of(asked: ResponsesAsk) -> Ask:
    """Return what the books keep of a call."""
    limit = asked.max_output_tokens
    return Ask(model=asked.model, stream=asked.stream, max_completion_tokens=limit)


def wish_of(asked: ResponsesAsk) -> Wish:
    """Return what the request itself asks for."""
    tools = mappings(loaded(asked.tools))
    kinds = {str(tool.get("type")) for tool in tools}
    text, answered = _last(asked.input)
    effort = (asked.reasoning or {}).get("effort")
    form = mapping((asked.text or {}).get("format"))
    wanted = {"json_schema": form.get("schema"), "json_object": True}
    return Wish(
        asked.model,
        asked.prompt_tokens,
        asked.max_output_tokens,
        tools=tuple(_tool(tool) for tool in tools if str(tool.get("type")) in _FUNCTION_TOOLS),
        forced=_forced(asked.tool_choice),
        parallel=asked.parallel_tool_calls is not False,
        answered=answered,
        asked=text,
        schema=wanted.get(str(form.get("type"))),
        thinks=asked.reasoning is not None and effort != "none",
        shows=bool((asked.reasoning or {}).get("summary")),
        image_tool="image_generation" in kinds,
        search_tool=any(kind.startswith("web_search") for kind in kinds),
    )


def output(talk: Talk, *, encrypted: bool) -> list[dict[str, Any]]:
    """Return the items of the whole answer, in order."""
    speech = talk.speech
    items: list[dict[str, Any]] = []
    if speech.reasoning or speech.thought:
        items.append(_reasoning(talk, encrypted=encrypted))
    items += [_search(talk, at) for at in range(speech.searches)]
    items += [_image(talk, at) for at in range(speech.images)]
    if speech.text or not (speech.calls or items):
        items.append(_message(talk))
    items += [_call(talk, call, at) for at, call in enumerate(speech.calls)]
    return items


def unary(talk: Talk, request: Mapping[str, Any], *, encrypted: bool) -> bytes:
    """Return the whole answer."""
    return _encode(finished(talk, request, output(talk, encrypted=encrypted)))


def finished(talk: Talk, request: Mapping[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the response object as the last event has it."""
    whole = {**begun(talk, request), "output": items, "completed_at": talk.created + 1}
    ending = talk.speech.ending
    reason = _INCOMPLETE.get(ending)
    whole["status"] = "incomplete" if reason else "failed" if ending == "fault" else "completed"
    if reason:
        whole["incomplete_details"] = {"reason": reason}
    if ending == "fault":
        whole["error"] = {"code": "server_error", "message": "The model produced no valid output."}
    if talk.script.finish is not None:
        whole["status"] = talk.script.finish
    whole["usage"] = usage(talk) if talk.tells_usage else None
    if talk.script.usage == "none":
        del whole["usage"]
    if talk.speech.images:
        whole["tool_usage"] = _tool_usage(talk.speech.images)
    return whole


def begun(talk: Talk, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response object as the first events have it: what was asked for, and no answer."""
    whole: dict[str, Any] = {
        "id": made(talk, "resp"),
        "object": "response",
        "created_at": talk.created,
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": talk.named,
        "output": [],
        "usage": None,
        "service_tier": talk.script.tier or "default",
    }
    whole |= {name: request.get(name) for name in _ECHOED}
    for name, usual in _DEFAULTS.items():
        given = request.get(name)
        whole[name] = usual if given is None else given
    asked = mapping(request.get("reasoning"))
    whole["reasoning"] = {"effort": None, "summary": None} | asked
    whole["text"] = {"format": {"type": "text"}, "verbosity": "medium"} | (
        mapping(request.get("text"))
    )
    return whole


def made(talk: Talk, prefix: str, at: int | None = None) -> str:
    """Return an id: the same for the same thing in all events of one answer."""
    return f"{prefix}_fake{talk.serial:024d}" + ("" if at is None else f"_{at}")


def usage(talk: Talk) -> dict[str, Any] | None:
    """Return the usage object as scripted; None stands for JSON null."""
    script, counts = talk.script, talk.speech.counts
    if script.usage == "null":
        return None
    if script.usage == "nonsense":
        return _usage(-7, 3, cached=999_999, written=0, reasoning=5_000, total=-1)
    if script.usage == "zero":
        return _usage(0, 0, cached=0, written=0, reasoning=0, total=0)
    spent = counts.output - counts.image
    total = counts.prompt + spent
    if script.usage == "no_details":
        return {"input_tokens": counts.prompt, "output_tokens": spent, "total_tokens": total}
    return _usage(
        counts.prompt,
        spent,
        cached=counts.cached,
        written=counts.written,
        reasoning=counts.reasoning,
        total=total,
    )


def input_tokens(asked: ResponsesAsk) -> bytes:
    """Return the answer of the endpoint that counts."""
    return _encode({"object": "response.input_tokens", "input_tokens": asked.prompt_tokens})


def compacted(talk: Talk, asked: ResponsesAsk) -> bytes:
    """Return a compaction: the user's messages and one item that stands for all the rest."""
    items = [item for item in _items(asked.input) if item.get("role") == "user"]
    kept = [
        {"id": made(talk, "msg", at), "type": "message", "status": "completed", **item}
        for at, item in enumerate(items)
    ]
    for item in kept:
        if not isinstance(item.get("content"), list):
            item["content"] = [{"type": "input_text", "text": text_of(item.get("content"))}]
    rest = {"id": made(talk, "cmp"), "type": "compaction", "encrypted_content": "Zm9sZGVk"}
    start = {"id": made(talk, "resp"), "object": "response.compaction"}
    return _encode(
        {**start, "created_at": talk.created, "output": [*kept, rest], "usage": usage(talk)}
    )


def _usage(
    read: int, said: int, *, cached: int, written: int, reasoning: int, total: int
) -> dict[str, Any]:
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": total,
    }


def _tool_usage(images: int) -> dict[str, Any]:
    spent = images * _IMAGE_OUTPUT
    none = {"image_tokens": 0, "text_tokens": 0}
    drawn = {
        "input_tokens": 0,
        "input_tokens_details": none,
        "output_tokens": spent,
        "output_tokens_details": {"image_tokens": spent, "text_tokens": 0},
        "total_tokens": spent,
    }
    return {"image_gen": drawn, "web_search": {"num_requests": 0}}


def _reasoning(talk: Talk, *, encrypted: bool) -> dict[str, Any]:
    thoughts = talk.speech.thoughts
    summary = [{"type": "summary_text", "text": thoughts}] if thoughts else []
    item = {"id": made(talk, "rs", 0), "type": "reasoning", "summary": summary}
    if encrypted:
        item["encrypted_content"] = f"gAAAAAfake{talk.serial:024d}"
    return item


def _search(talk: Talk, at: int) -> dict[str, Any]:
    action = {"type": "search", "query": "toll bridges"}
    return {
        "id": made(talk, "ws", at),
        "type": "web_search_call",
        "status": "completed",
        "action": action,
    }


def _image(talk: Talk, at: int) -> dict[str, Any]:
    looks = {"background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"}
    return {
        "id": made(talk, "ig", at),
        "type": "image_generation_call",
        "status": "completed",
        "result": PNG_BASE64,
        **looks,
    }


def _message(talk: Talk) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "output_text", "annotations": [], "logprobs": []}
    part["text"] = talk.speech.said
    if talk.speech.ending == "refusal":
        part = {"type": "refusal", "refusal": talk.speech.said}
    cut = talk.speech.ending in _INCOMPLETE
    return {
        "id": made(talk, "msg", 0),
        "type": "message",
        "status": "incomplete" if cut else "completed",
        "role": "assistant",
        "content": [part],
    }


def _call(talk: Talk, call: Call, at: int) -> dict[str, Any]:
    status = "completed" if call.whole else "incomplete"
    start = {"call_id": call.id, "name": call.name, "status": status}
    if call.custom:
        kind = {"id": made(talk, "ctc", at), "type": "custom_tool_call"}
        return {**kind, **start, "input": call.text}
    kind = {"id": made(talk, "fc", at), "type": "function_call"}
    return {**kind, **start, "arguments": call.text or "{}"}


def _tool(fields: Mapping[str, Any]) -> Tool:
    name, custom = str(fields.get("name", "")), fields.get("type") == "custom"
    return Tool(name, fields.get("parameters"), custom)


def _forced(choice: Any) -> str | None:
    if choice == "required":
        return ""
    if isinstance(choice, Mapping) and str(choice.get("type")) in _FUNCTION_TOOLS:
        return str(choice.get("name", ""))
    return None


def _last(raw: msgspec.Raw) -> tuple[str, bool]:
    """Return the text of the last user message, and whether a tool's result comes last."""
    items = _items(raw)
    answered = bool(items) and str(items[-1].get("type", "")).endswith("_output")
    last: dict[str, Any] = next(
        (item for item in reversed(items) if item.get("role") == "user"), {}
    )
    return text_of(last.get("content")), answered


def _items(raw: msgspec.Raw) -> list[dict[str, Any]]:
    found = loaded(raw)
    if isinstance(found, str):
        return [{"role": "user", "content": found}]
    return mappings(found)
