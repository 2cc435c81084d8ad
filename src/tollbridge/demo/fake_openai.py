"""Owns how a pretend answer looks in OpenAI's formats: chat completions and legacy completions.

Pure: values in, bytes out. It must not know of HTTP, sockets or time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from tollbridge.demo.fake_script import TOOL, Answer, Script, pieces

_type_of_status = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_exceeded",
}
_code_of_status = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
_encode = msgspec.json.encode
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream: its bytes, the tokens it delivers, the silence before it."""

    data: bytes
    tokens: int = 0
    pause_ms: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """What stays the same in all objects of one answer."""

    chat: bool
    model: str
    serial: int
    created: int
    include_usage: bool
    script: Script
    answer: Answer

    def start(self, kind: str) -> dict[str, object]:
        """Return the members that open every object of this answer."""
        made = f"{'chatcmpl' if self.chat else 'cmpl'}-fake{self.serial:024d}"
        return {"id": made, "object": kind, "created": self.created, "model": self.model}

    @property
    def counts_usage(self) -> bool:
        """Whether the answer carries a usage member at all."""
        return self.script.usage != "none" and not self.script.finish_without_usage


def error_body(status: int, message: str) -> bytes:
    """Return an error in OpenAI's shape."""
    kind = _type_of_status.get(status, "server_error")
    code = _code_of_status.get(status)
    return _encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def usage(script: Script, answer: Answer) -> dict[str, object] | None:
    """Return the usage object as scripted; None stands for JSON null."""
    if script.usage == "null":
        return None
    if script.usage == "nonsense":
        return _usage(-7, 3, total=-1, cached=999_999, reasoning=5_000)
    if script.usage == "zero":
        return _usage(0, 0, total=0, cached=0, reasoning=0)
    prompt, completion = answer.prompt_tokens, answer.completion_tokens
    if script.usage == "no_details":
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
    reasoning = answer.reasoning * answer.choices
    told = _usage(prompt, completion, prompt + completion, answer.cached_tokens, reasoning)
    written = script.cache_write_tokens + script.cache_write_1h_tokens
    if written:
        room = prompt - answer.cached_tokens
        told["prompt_tokens_details"]["cache_write_tokens"] = min(written, room)
    return told


def unary(shape: Shape) -> bytes:
    """Return a whole answer as one JSON object."""
    whole = shape.start("chat.completion" if shape.chat else "text_completion")
    choice = _chat_choice(shape) if shape.chat else _text_choice(shape)
    whole["choices"] = [{"index": index, **choice} for index in range(shape.answer.choices)]
    if shape.counts_usage:
        whole["usage"] = usage(shape.script, shape.answer)
    whole["system_fingerprint"] = "fp_fake"
    if shape.script.pad_bytes:
        whole["obfuscation"] = "x" * shape.script.pad_bytes
    return _encode(whole)


def stream(shape: Shape) -> Iterator[Event]:
    """Yield the events of a streamed answer, in order, with the silences the script asks for."""
    pause = shape.script.event_delay_ms
    for index, event in enumerate(_answer_events(shape)):
        yield Event(event.data, event.tokens, event.pause_ms + (pause if index else 0))


def stream_error() -> Event:
    """Return the event with which a vendor breaks a stream that it began with status 200."""
    message = "The server had an error while processing your request."
    return Event(b"data: " + error_body(500, message) + b"\n\n")


def _answer_events(shape: Shape) -> Iterator[Event]:
    script, answer = shape.script, shape.answer
    writer = _EventWriter(shape)
    choices = range(answer.choices)
    if shape.chat:
        yield from (Event(writer.opening(index), answer.reasoning) for index in choices)
    for text, count in pieces(answer.tokens, script.events):
        yield from (Event(writer.content(index, text), count) for index in choices)
    silence = 0
    if answer.finish is not None:
        yield from (Event(writer.finish(index)) for index in choices)
        silence = script.silent_after_finish_ms
    if script.finish_without_usage:
        return
    if shape.include_usage and shape.counts_usage:
        yield Event(writer.usage(), pause_ms=silence)
        silence = 0
    if not script.no_done:
        yield Event(DONE, pause_ms=silence)


class _EventWriter:
    """Writes the chunks of one stream around bytes that are the same in each of them."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        kind = "chat.completion.chunk" if shape.chat else "text_completion"
        start = {**shape.start(kind), "system_fingerprint": "fp_fake"}
        self._head = b"data: " + _encode(start)[:-1]
        pad = shape.script.pad_bytes
        self._pad = b',"obfuscation":"' + b"x" * pad + b'"' if pad else b""
        self._tail = (b',"usage":null' if shape.include_usage else b"") + self._pad + b"}\n\n"
        self._role = b'"role":"assistant",' if shape.script.role_in_every_delta else b""

    def opening(self, index: int) -> bytes:
        tools = self._shape.script.tool_calls
        delta: dict[str, object] = {
            "role": "assistant",
            "content": None if tools else "",
            "refusal": None,
        }
        if tools:
            delta["tool_calls"] = [{"index": at, **_tool_call(at, "")} for at in range(int(tools))]
        return self._chunk(index, b'"delta":' + _encode(delta), b"null")

    def content(self, index: int, text: str) -> bytes:
        encoded = _encode(text)
        if not self._shape.chat:
            return self._chunk(index, b'"text":' + encoded, b"null")
        if self._shape.script.tool_calls:
            call = b'"tool_calls":[{"index":0,"function":{"arguments":' + encoded + b"}}]"
            return self._chunk(index, b'"delta":{' + self._role + call + b"}", b"null")
        return self._chunk(
            index, b'"delta":{' + self._role + b'"content":' + encoded + b"}", b"null"
        )

    def finish(self, index: int) -> bytes:
        body = b'"delta":{' + self._role[:-1] + b"}" if self._shape.chat else b'"text":""'
        return self._chunk(index, body, _encode(self._shape.answer.finish))

    def usage(self) -> bytes:
        counted = _encode(usage(self._shape.script, self._shape.answer))
        return self._head + b',"choices":[],"usage":' + counted + self._pad + b"}\n\n"

    def _chunk(self, index: int, body: bytes, finish: bytes) -> bytes:
        choice = b',"choices":[{"index":%d,%s,"logprobs":null,"finish_reason":%s}]' % (
            index,
            body,
            finish,
        )
        return self._head + choice + self._tail


def _chat_choice(shape: Shape) -> dict[str, object]:
    text = "".join(shape.answer.tokens)
    message: dict[str, object] = {
        "role": "assistant",
        "content": text,
        "refusal": None,
        "annotations": [],
    }
    calls = int(shape.script.tool_calls)
    if calls:
        message["content"] = None
        message["tool_calls"] = [_tool_call(at, "" if at else text) for at in range(calls)]
    return {"message": message, "logprobs": None, "finish_reason": shape.answer.finish}


def _text_choice(shape: Shape) -> dict[str, object]:
    return {
        "text": "".join(shape.answer.tokens),
        "logprobs": None,
        "finish_reason": shape.answer.finish,
    }


def _tool_call(at: int, arguments: str) -> dict[str, object]:
    return {
        "id": f"call_fake{at}",
        "type": "function",
        "function": {"name": TOOL, "arguments": arguments},
    }


def _usage(prompt: int, completion: int, total: int, cached: int, reasoning: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
