"""Owns chat completions that are more than text: calls as asked for, thoughts, images, refusals.

Pure: values in, bytes out. Plain answers stay with `fake_openai`, which is cheaper. It must not
know of HTTP.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tollbridge.demo import fake_openai
from tollbridge.demo.fake_fields import loaded, mapping, mappings, text_of
from tollbridge.demo.fake_openai import DONE, Event
from tollbridge.demo.fake_samples import PNG_BASE64
from tollbridge.demo.fake_script import Answer, Ask, pieces
from tollbridge.demo.fake_speech import IMAGE_TOKENS, Call, Ending, Talk, Tool, Wish

_encode = msgspec.json.encode
_FINISH: dict[Ending, str] = {
    "calls": "tool_calls",
    "length": "length",
    "context": "length",
    "filter": "content_filter",
}
_PING = Event(b": keep-alive\n\n")


def wish_of(ask: Ask) -> Wish:
    """Return what the request itself asks for."""
    form = mapping(loaded(ask.response_format))
    choice = loaded(ask.tool_choice)
    text, answered = _last(mappings(loaded(ask.messages)))
    modalities = loaded(ask.modalities)
    wanted = {"json_schema": mapping(form.get("json_schema")).get("schema"), "json_object": True}
    return Wish(
        ask.model,
        ask.prompt_tokens(),
        ask.limit,
        choices=ask.n or 1,
        tools=tuple(_tool(one) for one in mappings(loaded(ask.tools))),
        forced=_forced(choice),
        parallel=ask.parallel_tool_calls is not False,
        answered=answered,
        asked="" if choice == "none" else text,
        schema=wanted.get(str(form.get("type"))),
        image=isinstance(modalities, list) and "image" in modalities,
    )


def unary(talk: Talk, choices: int) -> bytes:
    """Return a whole answer as one JSON object."""
    choice = {"message": _message(talk), "logprobs": None, "finish_reason": _finish(talk)}
    whole = _start(talk, "chat.completion")
    whole["choices"] = [{"index": index, **choice} for index in range(choices)]
    if talk.tells_usage:
        whole["usage"] = _usage(talk)
    return _encode(whole)


def stream(talk: Talk, choices: int, *, include_usage: bool) -> Iterator[Event]:
    """Yield the events of a streamed answer, in order, with the silences the script asks for."""
    pause = talk.script.event_delay_ms
    for index, event in enumerate(_events(talk, choices, include_usage=include_usage)):
        yield Event(event.data, event.tokens, event.pause_ms + (pause if index else 0))


def _events(talk: Talk, choices: int, *, include_usage: bool) -> Iterator[Event]:
    script = talk.script
    start = _start(talk, "chat.completion.chunk")
    rest: dict[str, Any] = {"usage": None} if include_usage else {}
    finish: str | None = None
    for delta, tokens in _deltas(talk):
        for index in range(choices):
            yield _chunk(start, [_choice(index, delta, finish)], rest, tokens)
        yield from (_PING for _ in range(script.pings))
    finish, silence = _finish(talk), 0
    if finish is not None:
        for index in range(choices):
            yield _chunk(start, [_choice(index, {}, finish)], rest)
        silence = script.silent_after_finish_ms
    if script.finish_without_usage:
        return
    if include_usage and talk.tells_usage:
        last = _chunk(start, [], {"usage": _usage(talk)})
        yield Event(last.data, 0, silence)
        silence = 0
    if not script.no_done:
        yield Event(DONE, pause_ms=silence)


def _deltas(talk: Talk) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the deltas of one choice and the tokens that each delivers."""
    speech = talk.speech
    hidden = speech.reasoning - len(speech.thought or ())
    yield {"role": "assistant", "content": "" if speech.text else None, "refusal": None}, hidden
    for text, said in pieces(speech.thought or (), None):
        yield {"reasoning_content": text}, said
    member = "refusal" if speech.ending == "refusal" else "content"
    for text, said in pieces(speech.text, talk.script.events):
        yield {member: text}, said
    if speech.images:
        yield {"images": _images(speech.images)}, speech.images * IMAGE_TOKENS
    for at, call in enumerate(speech.calls):
        field = "input" if call.custom else "arguments"
        kind = "custom" if call.custom else "function"
        opening = _call(call) | {"index": at, kind: {"name": call.name, field: ""}}
        yield {"tool_calls": [opening]}, 0
        for token in call.tokens:
            yield {"tool_calls": [{"index": at, kind: {field: token}}]}, 1


def _choice(index: int, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def _chunk(
    start: dict[str, Any], choices: list[dict[str, Any]], rest: dict[str, Any], tokens: int = 0
) -> Event:
    return Event(b"data: " + _encode({**start, "choices": choices, **rest}) + b"\n\n", tokens)


def _start(talk: Talk, kind: str) -> dict[str, Any]:
    start = {"id": f"chatcmpl-fake{talk.serial:024d}", "object": kind, "created": talk.created}
    start |= {"model": talk.named, "system_fingerprint": "fp_fake"}
    return start if talk.script.tier is None else {**start, "service_tier": talk.script.tier}


def _message(talk: Talk) -> dict[str, Any]:
    speech = talk.speech
    refused = speech.ending == "refusal"
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if refused or not speech.text else speech.said,
        "refusal": speech.said if refused else None,
        "annotations": [],
    }
    if speech.thought:
        message["reasoning_content"] = speech.thoughts
    if speech.calls:
        message["tool_calls"] = [_call(call) for call in speech.calls]
    if speech.images:
        message["images"] = _images(speech.images)
    return message


def _call(call: Call) -> dict[str, Any]:
    if call.custom:
        custom = {"name": call.name, "input": call.text}
        return {"id": call.id, "type": "custom", "custom": custom}
    function = {"name": call.name, "arguments": call.text}
    return {"id": call.id, "type": "function", "function": function}


def _images(count: int) -> list[dict[str, Any]]:
    url = {"url": f"data:image/png;base64,{PNG_BASE64}"}
    return [{"type": "image_url", "image_url": url, "index": at} for at in range(count)]


def _finish(talk: Talk) -> str | None:
    if talk.script.no_finish or talk.script.empty:
        return None
    return talk.script.finish or _FINISH.get(talk.speech.ending, "stop")


def _usage(talk: Talk) -> dict[str, object] | None:
    """Return the same usage object that a plain answer with these counts would have."""
    speech, counts = talk.speech, talk.speech.counts
    choices = 1
    text = ("",) * (counts.output - counts.reasoning)
    same = Answer(text, counts.reasoning, choices, None, counts.prompt, counts.cached)
    told = fake_openai.usage(talk.script, same)
    details = told.get("completion_tokens_details") if told else None
    if speech.images and isinstance(details, dict):
        details["image_tokens"] = counts.image
    return told


def _tool(fields: Mapping[str, Any]) -> Tool:
    if fields.get("type") == "custom":
        return Tool(str(mapping(fields.get("custom")).get("name", "")), custom=True)
    function = mapping(fields.get("function"))
    return Tool(str(function.get("name", "")), function.get("parameters"))


def _forced(choice: Any) -> str | None:
    if choice == "required":
        return ""
    if isinstance(choice, Mapping):
        named = mapping(choice.get("function") or choice.get("custom"))
        return str(named.get("name", ""))
    return None


def _last(messages: list[dict[str, Any]]) -> tuple[str, bool]:
    """Return the text of the last user message, and whether a tool's result comes last."""
    answered = bool(messages) and messages[-1].get("role") in ("tool", "function")
    last: dict[str, Any] = next(
        (one for one in reversed(messages) if one.get("role") == "user"), {}
    )
    return text_of(last.get("content")), answered
