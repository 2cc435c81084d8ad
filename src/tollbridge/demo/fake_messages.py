"""Owns how the pretend vendor speaks Anthropic's Messages API (protocols.md 7.4).

Pure: values in, values and bytes out. It must not know of HTTP. Input tokens exclude what was
read from or written to a cache, as the vendor counts.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tollbridge.demo.fake_fields import loaded, mapping, mappings, text_of
from tollbridge.demo.fake_openai import Event
from tollbridge.demo.fake_script import Ask, Count, pieces
from tollbridge.demo.fake_speech import Call, Ending, Talk, Tool, Wish, prompt_tokens

_encode = msgspec.json.encode
_STOP: dict[Ending, str] = {
    "end": "end_turn",
    "calls": "tool_use",
    "length": "max_tokens",
    "context": "model_context_window_exceeded",
    "refusal": "refusal",
    "filter": "refusal",
    "sequence": "stop_sequence",
    "pause": "pause_turn",
    "fault": "end_turn",
}
_PING = Event(b'event: ping\ndata: {"type": "ping"}\n\n')
_DELTAS = {"text": "text_delta", "thinking": "thinking_delta"}


class MessagesAsk(msgspec.Struct, frozen=True):
    """The fields of a call that the pretend vendor reads; all others are ignored."""

    model: str = ""
    max_tokens: Count | None = None
    stream: bool | None = None
    messages: msgspec.Raw = msgspec.Raw()
    system: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None
    output_format: dict[str, Any] | None = None
    stop_sequences: list[str] | None = None
    fake: msgspec.Raw = msgspec.Raw()

    @property
    def prompt_tokens(self) -> int:
        """About a token for each four bytes of what the model would read."""
        return prompt_tokens(bytes(self.messages), bytes(self.system), bytes(self.tools))


decoder = msgspec.json.Decoder(MessagesAsk)


def ask_of(asked: MessagesAsk) -> Ask:
    """Return what the books keep of a call."""
    return Ask(model=asked.model, stream=asked.stream, max_tokens=asked.max_tokens)


def missing(asked: MessagesAsk, *, counting: bool) -> str:
    """Return the vendor's complaint about the first required field that is missing, or nothing."""
    given = {"model": bool(asked.model), "messages": bool(len(asked.messages))}
    if not counting:
        given["max_tokens"] = asked.max_tokens is not None
    name = next((name for name, there in given.items() if not there), "")
    return f"{name}: Field required" if name else ""


def wish_of(asked: MessagesAsk) -> Wish:
    """Return what the request itself asks for."""
    declared = mappings(loaded(asked.tools))
    choice = asked.tool_choice or {}
    text, answered = _last(asked.messages)
    thinking = asked.thinking or {}
    thinks = thinking.get("type") in ("enabled", "adaptive")
    form = mapping((asked.output_config or {}).get("format") or asked.output_format)
    return Wish(
        asked.model,
        asked.prompt_tokens,
        asked.max_tokens,
        tools=tuple(_tool(one) for one in declared if one.get("type", "custom") == "custom"),
        forced={"any": "", "tool": str(choice.get("name", ""))}.get(str(choice.get("type"))),
        parallel=not choice.get("disable_parallel_tool_use"),
        answered=answered,
        asked=text if choice.get("type") != "none" else "",
        schema=form.get("schema"),
        thinks=thinks,
        shows=thinks and thinking.get("display") != "omitted",
        search_tool=any(str(one.get("type")).startswith("web_search") for one in declared),
    )


def count(asked: MessagesAsk) -> bytes:
    """Return the answer of the endpoint that counts."""
    return _encode({"input_tokens": asked.prompt_tokens})


def unary(talk: Talk, stop: list[str] | None) -> bytes:
    """Return the whole answer; `stop` are the sequences that the caller named."""
    whole = {**_start(talk), "content": _blocks(talk), **_end(talk, stop)}
    if talk.tells_usage:
        whole["usage"] = _usage(talk)
        if talk.script.tier is not None and whole["usage"] is not None:
            whole["usage"]["service_tier"] = talk.script.tier
    if talk.script.pad_bytes:
        return _encode(whole) + b" " * talk.script.pad_bytes
    return _encode(whole)


def stream(talk: Talk, stop: list[str] | None) -> Iterator[Event]:
    """Yield the events of a streamed answer, in order, with the silences the script asks for."""
    pause = talk.script.event_delay_ms
    for index, event in enumerate(_events(talk, stop)):
        yield Event(event.data, event.tokens, event.pause_ms + (pause if index else 0))


def _events(talk: Talk, stop: list[str] | None) -> Iterator[Event]:
    script, speech = talk.script, talk.speech
    begun = {**_start(talk), "content": [], "stop_reason": None, "stop_sequence": None}
    yield _event(talk, "message_start", 0, message={**begun, "usage": _start_usage(talk)})
    hidden = speech.reasoning - (0 if script.redacted else len(speech.thought or ()))
    calls = iter(speech.calls)
    for at, block in enumerate(_blocks(talk)):
        yield _event(talk, "content_block_start", hidden, index=at, content_block=_blank(block))
        hidden = 0
        if not at:
            yield _PING
        for tokens, delta in _deltas(talk, block, calls):
            yield _event(talk, "content_block_delta", tokens, index=at, delta=delta)
            yield from (_PING for _ in range(script.pings))
        yield _event(talk, "content_block_stop", 0, index=at)
    if script.no_finish:
        return
    final: dict[str, Any] = {"usage": _usage(talk)} if talk.tells_usage else {}
    last = _event(talk, "message_delta", 0, delta=_end(talk, stop), **final)
    yield Event(last.data, 0, script.silent_after_finish_ms)
    if not script.no_done:
        yield _event(talk, "message_stop", 0)


def _event(talk: Talk, kind: str, tokens: int, **fields: Any) -> Event:
    data = _encode({"type": kind, **fields}) + b" " * talk.script.pad_bytes
    return Event(b"event: %s\ndata: %s\n\n" % (kind.encode(), data), tokens)


def _start(talk: Talk) -> dict[str, Any]:
    made = f"msg_fake{talk.serial:024d}"
    return {"id": made, "type": "message", "role": "assistant", "model": talk.named}


def _end(talk: Talk, stop: list[str] | None) -> dict[str, Any]:
    ending = talk.speech.ending
    sequence = (stop or ["STOP"])[0] if ending == "sequence" else None
    reason = talk.script.finish or _STOP[ending]
    end: dict[str, Any] = {"stop_reason": reason, "stop_sequence": sequence}
    if reason == "refusal":
        end["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
    return end


def _blocks(talk: Talk) -> list[dict[str, Any]]:
    """Return the content: thinking, searches, text, calls; at least one block unless it is empty."""
    speech, blocks = talk.speech, []
    if talk.script.redacted:
        blocks.append({"type": "redacted_thinking", "data": _signed(talk, "redacted")})
    elif speech.thought:
        signature = _signed(talk, "thinking")
        blocks.append({"type": "thinking", "thinking": speech.thoughts, "signature": signature})
    for at in range(speech.searches):
        blocks += _search(f"srvtoolu_fake{talk.serial}_{at}")
    if speech.text or not (speech.calls or blocks):
        blocks.append({"type": "text", "text": speech.said})
    blocks += [_call(call) for call in speech.calls]
    return blocks


def _call(call: Call) -> dict[str, Any]:
    made = call.id.replace("call_", "toolu_", 1)
    return {"type": "tool_use", "id": made, "name": call.name, "input": call.arguments}


def _search(made: str) -> list[dict[str, Any]]:
    query = {"query": "toll bridges"}
    found = {"type": "web_search_result", "title": "Bridges", "url": "https://bridges.example/"}
    result = {"type": "web_search_tool_result", "tool_use_id": made}
    return [
        {"type": "server_tool_use", "id": made, "name": "web_search", "input": query},
        {**result, "content": [{**found, "encrypted_content": "Zm91bmQ=", "page_age": None}]},
    ]


def _blank(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block as it starts: what comes in deltas is empty."""
    empty: dict[str, Any] = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {name: empty.get(name, value) for name, value in block.items()}


def _deltas(
    talk: Talk, block: Mapping[str, Any], calls: Iterator[Call]
) -> Iterator[tuple[int, dict[str, Any]]]:
    kind = block["type"]
    if kind in _DELTAS:
        tokens = talk.speech.text if kind == "text" else talk.speech.thought or ()
        for text, said in pieces(tokens, talk.script.events if kind == "text" else None):
            yield said, {"type": _DELTAS[kind], kind: text}
    if kind == "thinking":
        yield 0, {"type": "signature_delta", "signature": block["signature"]}
    if kind == "server_tool_use":
        yield 0, {"type": "input_json_delta", "partial_json": _encode(block["input"]).decode()}
    if kind == "tool_use":
        yield 0, {"type": "input_json_delta", "partial_json": ""}
        yield from _arguments(next(calls))


def _arguments(call: Call) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the pieces of an object's JSON; text that is no object comes as one that holds it."""
    whole = call.text if call.text.lstrip().startswith("{") or not call.text else ""
    if whole == call.text:
        for token in call.tokens:
            yield 1, {"type": "input_json_delta", "partial_json": token}
        return
    wrapped = _encode(call.arguments).decode()
    yield len(call.tokens), {"type": "input_json_delta", "partial_json": wrapped}


def _start_usage(talk: Talk) -> dict[str, Any]:
    """Return the usage of the first event: its output is a placeholder, its input an estimate."""
    usage = _counted(talk)
    usage.pop("output_tokens_details", None)
    if talk.script.start_tokens is not None:
        usage["input_tokens"] = talk.script.start_tokens
    return {**usage, "output_tokens": 1, "service_tier": talk.script.tier or "standard"}


def _usage(talk: Talk) -> dict[str, Any] | None:
    """Return the usage as scripted; None stands for JSON null."""
    script, counts = talk.script, talk.speech.counts
    if script.usage == "null":
        return None
    if script.usage == "nonsense":
        return {"input_tokens": -7, "cache_read_input_tokens": -999_999, "output_tokens": 3}
    if script.usage == "zero":
        return {"input_tokens": 0, "output_tokens": 0}
    if script.usage == "no_details":
        return {"input_tokens": counts.prompt, "output_tokens": counts.output}
    usage = _counted(talk)
    if talk.speech.searches:
        searches = talk.speech.searches
        usage["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": 0}
    return usage


def _counted(talk: Talk) -> dict[str, Any]:
    counts = talk.speech.counts
    usage: dict[str, Any] = {
        "input_tokens": counts.fresh,
        "cache_creation_input_tokens": counts.written,
        "cache_read_input_tokens": counts.cached,
        "output_tokens": counts.output,
    }
    if counts.written:
        usage["cache_creation"] = {
            "ephemeral_5m_input_tokens": counts.written_5m,
            "ephemeral_1h_input_tokens": counts.written_1h,
        }
    if counts.reasoning:
        usage["output_tokens_details"] = {"thinking_tokens": counts.reasoning}
    return usage


def _signed(talk: Talk, what: str) -> str:
    return base64.b64encode(f"fake {what} {talk.serial:024d}".encode()).decode()


def _tool(fields: Mapping[str, Any]) -> Tool:
    return Tool(str(fields.get("name", "")), fields.get("input_schema"))


def _last(raw: msgspec.Raw) -> tuple[str, bool]:
    """Return the text of the last user message, and whether it brings a tool's result."""
    messages = [one for one in mappings(loaded(raw)) if one.get("role") == "user"]
    content = messages[-1].get("content") if messages else ""
    answered = any(block.get("type") == "tool_result" for block in mappings(content))
    return text_of(content), answered
