"""Owns how the pretend vendor speaks Gemini's generateContent (protocols.md 7.5).

Pure: values in, values and bytes out. It must not know of HTTP. Thoughts are outside the
candidates' tokens, tool-use prompts outside the prompt's, as the vendor counts.
"""

import base64
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from tollbridge.demo.fake_fields import loaded, mapping, mappings, text_of
from tollbridge.demo.fake_openai import Event
from tollbridge.demo.fake_samples import PNG_BASE64
from tollbridge.demo.fake_script import Ask, Count, decoded, pieces
from tollbridge.demo.fake_speech import (
    IMAGE_TOKENS,
    Call,
    Ending,
    Talk,
    Tool,
    Wish,
    prompt_tokens,
)

_encode = msgspec.json.encode
_FINISH: dict[Ending, str] = {
    "length": "MAX_TOKENS",
    "context": "MAX_TOKENS",
    "refusal": "SAFETY",
    "fault": "MALFORMED_FUNCTION_CALL",
}
_SNAKE = re.compile(rb'"[a-z]+_[a-z_]+"\s*:')
_FREE = frozenset({"args", "response", "parameters", "parametersJsonSchema", "fake"})
_PING = b": keep-alive\r\n\r\n"
_SAFETY = [{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH"}]


class Config(msgspec.Struct, frozen=True, rename="camel"):
    """The generation settings that the pretend vendor reads."""

    max_output_tokens: Count | None = None
    candidate_count: int | None = None
    response_mime_type: str = ""
    response_schema: Any = None
    response_json_schema: Any = None
    response_modalities: list[str] | None = None
    thinking_config: dict[str, Any] | None = None


class GeminiAsk(msgspec.Struct, frozen=True, rename="camel"):
    """The fields of a call that the pretend vendor reads; all others are ignored."""

    contents: msgspec.Raw = msgspec.Raw()
    system_instruction: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()
    tool_config: dict[str, Any] | None = None
    generation_config: Config | None = None
    generate_content_request: msgspec.Raw = msgspec.Raw()
    fake: msgspec.Raw = msgspec.Raw()

    @property
    def config(self) -> Config:
        """The generation settings, given or not."""
        return self.generation_config or Config()

    @property
    def prompt_tokens(self) -> int:
        """About a token for each four bytes of what the model would read."""
        read = (self.contents, self.system_instruction, self.tools, self.generate_content_request)
        return prompt_tokens(*map(bytes, read))


_decoder = msgspec.json.Decoder(GeminiAsk)


def read_ask(body: bytes) -> GeminiAsk:
    """Read a call in either spelling: the vendor takes `generation_config` as well, at any depth.

    BadAsk when it is not JSON or a field that is read has a wrong type.
    """
    asked = decoded(_decoder, body)
    if _SNAKE.search(body) is None:
        return asked
    return decoded(_decoder, _encode(_camel(msgspec.json.decode(body))))


def ask_of(asked: GeminiAsk, model: str, *, streams: bool) -> Ask:
    """Return what the books keep of a call."""
    config = asked.config
    limit = config.max_output_tokens
    return Ask(model=model, stream=streams, max_completion_tokens=limit, n=config.candidate_count)


def wish_of(asked: GeminiAsk, model: str) -> Wish:
    """Return what the request itself asks for."""
    config, groups = asked.config, mappings(loaded(asked.tools))
    thinking = config.thinking_config or {}
    text, answered = _last(asked.contents)
    calling = mapping((asked.tool_config or {}).get("functionCallingConfig"))
    allowed = calling.get("allowedFunctionNames")
    first = str(allowed[0]) if isinstance(allowed, list) and allowed else ""
    mode = str(calling.get("mode", "")).upper()
    json_wanted = config.response_mime_type == "application/json"
    schema = config.response_json_schema or config.response_schema
    return Wish(
        model,
        asked.prompt_tokens,
        config.max_output_tokens,
        choices=config.candidate_count or 1,
        tools=_tools(groups),
        forced=first if mode == "ANY" else None,
        answered=answered,
        asked="" if mode == "NONE" else text,
        schema=(schema or True) if json_wanted else None,
        thinks=config.thinking_config is not None and thinking.get("thinkingBudget") != 0,
        shows=bool(thinking.get("includeThoughts")),
        image="IMAGE" in [str(one).upper() for one in config.response_modalities or ()],
        search_tool=any("googleSearch" in group for group in groups),
    )


def count(asked: GeminiAsk) -> bytes:
    """Return the answer of countTokens."""
    total = asked.prompt_tokens
    details = [{"modality": "TEXT", "tokenCount": total}]
    return _encode({"totalTokens": total, "promptTokensDetails": details})


def unary(talk: Talk, choices: int) -> bytes:
    """Return the whole answer with as many candidates as asked for."""
    whole: dict[str, Any] = {}
    if talk.speech.ending == "filter":
        whole["promptFeedback"] = {"blockReason": "SAFETY", "safetyRatings": _SAFETY}
    else:
        parts = [part for part, _ in _parts(talk, whole=True)]
        whole["candidates"] = [_candidate(talk, at, parts, last=True) for at in range(choices)]
    if talk.tells_usage:
        whole["usageMetadata"] = _usage(talk)
    body = _encode({**whole, **_end(talk)})
    return body + b" " * talk.script.pad_bytes


def stream(talk: Talk, choices: int, *, array: bool) -> Iterator[Event]:
    """Yield the chunks of a streamed answer: events with CRLF, or the members of a JSON array."""
    pause = talk.script.event_delay_ms
    for index, (fields, tokens, silence) in enumerate(_chunks(talk, choices)):
        data = _encode(fields) + b" " * talk.script.pad_bytes
        framed = (b",\r\n" if index else b"[") + data if array else b"data: %s\r\n\r\n" % data
        yield Event(framed, tokens, silence + (pause if index else 0))
        if not array:
            yield from (Event(_PING) for _ in range(talk.script.pings))
    if array:
        yield Event(b"\n]")


def _chunks(talk: Talk, choices: int) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Yield the chunks, the tokens that each delivers and the silence before it."""
    script, speech = talk.script, talk.speech
    if speech.ending == "filter":
        feedback = {"blockReason": "SAFETY", "safetyRatings": _SAFETY}
        final = {"usageMetadata": _usage(talk)} if talk.tells_usage else {}
        yield {"promptFeedback": feedback, **final, **_end(talk)}, 0, 0
        return
    parts = _parts(talk, whole=False)
    said, hidden = 0, (speech.reasoning - len(speech.thought or ())) * choices
    for at, (part, tokens) in enumerate(parts):
        last = at == len(parts) - 1 and not script.no_finish
        for choice in range(choices):
            candidate = _candidate(talk, choice, [part], last=last)
            said += tokens
            ends = last and choice == choices - 1
            told = {}
            if talk.tells_usage and (ends or script.usage == "given"):
                told = {"usageMetadata": _usage(talk) if ends else _so_far(talk, said)}
            silence = script.silent_after_finish_ms if ends else 0
            yield {"candidates": [candidate], **told, **_end(talk)}, tokens + hidden, silence
            hidden = 0


def _parts(talk: Talk, *, whole: bool) -> list[tuple[dict[str, Any], int]]:
    """Return the parts and the tokens of each; in a whole answer texts are not cut up."""
    speech = talk.speech
    found: list[tuple[dict[str, Any], int]] = []
    signature = base64.b64encode(f"fake thought {talk.serial:024d}".encode()).decode()
    if speech.thought:
        found.append(({"text": speech.thoughts, "thought": True}, len(speech.thought)))
    texts = pieces(speech.text, 1 if whole else talk.script.events)
    found += [({"text": text}, said) for text, said in texts]
    image = {"inlineData": {"mimeType": "image/png", "data": PNG_BASE64}}
    found += [(image, IMAGE_TOKENS)] * speech.images
    signs = bool(speech.reasoning) or "gemini-3" in talk.model
    for at, call in enumerate(one for one in speech.calls if one.whole):
        part: dict[str, Any] = {"functionCall": _call(talk, call)}
        if not at and signs:
            part["thoughtSignature"] = signature
        found.append((part, len(call.tokens)))
    if speech.reasoning and not speech.calls and found:
        found.append(({"text": "", "thoughtSignature": signature}, 0))
    return found or [({"text": ""}, 0)]


def _call(talk: Talk, call: Call) -> dict[str, Any]:
    """Return a function call; only Gemini 3 gives it an id."""
    named = {"name": call.name, "args": call.arguments}
    return {"id": call.id, **named} if "gemini-3" in talk.model else named


def _candidate(
    talk: Talk, index: int, parts: list[dict[str, Any]], *, last: bool
) -> dict[str, Any]:
    refused = talk.speech.ending == "refusal"
    candidate: dict[str, Any] = {"index": index}
    if not refused:
        candidate = {"content": {"parts": parts, "role": "model"}, **candidate}
    if last and not talk.script.no_finish and not talk.script.empty:
        reason = talk.script.finish or _FINISH.get(talk.speech.ending, "STOP")
        candidate["finishReason"] = reason
        if refused:
            candidate["safetyRatings"] = _SAFETY
        if talk.speech.searches:
            candidate["groundingMetadata"] = _grounding(talk.speech.searches)
    return candidate


def _grounding(searches: int) -> dict[str, Any]:
    web = {"uri": "https://bridges.example/", "title": "Bridges"}
    return {"webSearchQueries": ["toll bridges"] * searches, "groundingChunks": [{"web": web}]}


def _end(talk: Talk) -> dict[str, Any]:
    return {"modelVersion": talk.named, "responseId": f"fake{talk.serial:020d}"}


def _so_far(talk: Talk, said: int) -> dict[str, Any]:
    prompt = talk.speech.counts.prompt
    return {"promptTokenCount": prompt, "totalTokenCount": prompt + said}


def _usage(talk: Talk) -> dict[str, Any] | None:
    """Return the usage as scripted; None stands for JSON null."""
    script, counts = talk.script, talk.speech.counts
    if script.usage == "null":
        return None
    if script.usage == "nonsense":
        wrong = {"promptTokenCount": -7, "candidatesTokenCount": 3, "totalTokenCount": -1}
        return {**wrong, "cachedContentTokenCount": 999_999, "thoughtsTokenCount": 5_000}
    if script.usage == "zero":
        return {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0}
    usage: dict[str, Any] = {
        "promptTokenCount": counts.prompt,
        "candidatesTokenCount": counts.output - counts.reasoning,
        "totalTokenCount": counts.prompt + counts.output + script.tool_prompt_tokens,
    }
    if counts.reasoning:
        usage["thoughtsTokenCount"] = counts.reasoning
    if counts.cached:
        usage["cachedContentTokenCount"] = counts.cached
    if script.tool_prompt_tokens:
        usage["toolUsePromptTokenCount"] = script.tool_prompt_tokens
    if script.tier is not None:
        usage["serviceTier"] = script.tier
    if script.usage == "no_details":
        return usage
    usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": counts.prompt}]
    if counts.image:
        usage["candidatesTokensDetails"] = [{"modality": "IMAGE", "tokenCount": counts.image}]
    return usage


def _tools(groups: list[dict[str, Any]]) -> tuple[Tool, ...]:
    declared = [one for group in groups for one in mappings(group.get("functionDeclarations"))]
    return tuple(
        Tool(str(one.get("name", "")), one.get("parametersJsonSchema") or one.get("parameters"))
        for one in declared
    )


def _camel(value: Any) -> Any:
    """Return a value with all names spelt the usual way, but for those that callers choose."""
    if isinstance(value, list):
        return [_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, one in value.items():
        first, *rest = name.split("_")
        usual = first + "".join(map(str.capitalize, rest))
        free = usual in _FREE or usual.endswith("Schema")
        found[usual] = one if free else _camel(one)
    return found


def _last(raw: msgspec.Raw) -> tuple[str, bool]:
    """Return the text of the last content, and whether it brings a function's response."""
    contents = mappings(loaded(raw))
    parts = mappings(contents[-1].get("parts")) if contents else []
    answered = any("functionResponse" in part for part in parts)
    return text_of(parts), answered
