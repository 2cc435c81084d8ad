"""Owns calls of Chat Completions by OpenAI's SDK (see `sdk_calls`)."""

import json
from typing import Any

from tests.services.sdk_received import (
    CITY,
    QUESTION,
    TOOL_QUESTION,
    TOOLS,
    TOOLS_QUESTION,
    Fee,
    Received,
    openai_client,
)
from tollbridge.demo.fake_samples import PNG_BASE64


def _chat(base_url: str, key: str, model: str, *, stream: bool, **more: Any) -> Received:
    asked = {"model": model, "messages": [{"role": "user", "content": QUESTION}], **more}
    with openai_client(base_url, key) as client:
        if not stream:
            return _of_chat(client.chat.completions.create(**asked), 0)
        options = {"stream_options": {"include_usage": True}}
        with client.chat.completions.stream(**asked, **options) as events:
            pieces = sum(event.type == "chunk" for event in events)
            return _of_chat(events.get_final_completion(), pieces)


def _of_chat(answer: Any, pieces: int) -> Received:
    (choice,) = answer.choices
    message = choice.message
    extra = message.model_extra or {}
    return Received(
        text=message.content or "",
        thoughts=extra.get("reasoning_content") or "",
        calls=[
            (one.function.name, json.loads(one.function.arguments))
            for one in message.tool_calls or ()
        ],
        images=[one["image_url"]["url"] for one in extra.get("images") or ()],
        finish=choice.finish_reason,
        tokens_in=answer.usage.prompt_tokens,
        tokens_out=answer.usage.completion_tokens,
        model=answer.model,
        pieces=pieces,
        parsed=getattr(message, "parsed", None),
        raw=answer,
    )


def _chat_tools() -> list[dict[str, Any]]:
    made = [{"name": a, "description": b, "parameters": CITY, "strict": True} for a, b in TOOLS]
    return [{"type": "function", "function": one} for one in made]


def chat_text(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Ask a plain question."""
    return _chat(base_url, key, model, stream=stream)


def chat_tools(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have a tool called."""
    messages = [{"role": "user", "content": TOOL_QUESTION}]
    return _chat(base_url, key, model, stream=stream, messages=messages, tools=_chat_tools())


def chat_both_tools(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have two tools called in one turn."""
    messages = [{"role": "user", "content": TOOLS_QUESTION}]
    return _chat(base_url, key, model, stream=stream, messages=messages, tools=_chat_tools())


def chat_tool_result(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have tools called, answer their calls and read the answer to that."""
    said = chat_both_tools(base_url, key, model).raw.choices[0].message
    messages: list[Any] = [{"role": "user", "content": TOOLS_QUESTION}]
    messages.append(said.model_dump(exclude_none=True))
    made = [call.id for call in said.tool_calls]
    messages += [{"role": "tool", "tool_call_id": one, "content": "42"} for one in made]
    return _chat(base_url, key, model, stream=stream, messages=messages, tools=_chat_tools())


def chat_parsed(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have a schema kept."""
    if stream:
        return _chat(base_url, key, model, stream=True, response_format=Fee)
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    with openai_client(base_url, key) as client:
        make = client.chat.completions.parse
        return _of_chat(make(model=model, messages=messages, response_format=Fee), 0)


def chat_sees(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Show an image."""
    url = {"url": f"data:image/png;base64,{PNG_BASE64}"}
    content = [{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": url}]
    messages = [{"role": "user", "content": content}]
    return _chat(base_url, key, model, stream=stream, messages=messages)


def chat_thinks(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Ask for reasoning."""
    return _chat(base_url, key, model, stream=stream, reasoning_effort="medium")
