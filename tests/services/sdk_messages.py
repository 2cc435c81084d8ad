"""Owns calls of Messages by Anthropic's SDK (see `sdk_calls`)."""

from typing import Any

from tests.services.sdk_received import (
    CITY,
    LIMIT,
    QUESTION,
    THINKING_BUDGET,
    TOOL_QUESTION,
    TOOLS,
    TOOLS_QUESTION,
    Fee,
    Received,
    anthropic_client,
)
from tollbridge.demo.fake_samples import PNG_BASE64


def _messages(base_url: str, key: str, model: str, *, stream: bool, **more: Any) -> Received:
    asked: dict[str, Any] = {"model": model, "max_tokens": LIMIT}
    asked |= {"messages": [{"role": "user", "content": QUESTION}], **more}
    with anthropic_client(base_url, key) as client:
        if not stream:
            make = client.messages.parse if "output_format" in asked else client.messages.create
            return _of_message(make(**asked), 0)
        with client.messages.stream(**asked) as events:
            pieces = sum(event.type == "content_block_delta" for event in events)
            return _of_message(events.get_final_message(), pieces)


def _of_message(answer: Any, pieces: int) -> Received:
    usage = answer.usage
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return Received(
        text="".join(block.text for block in answer.content if block.type == "text"),
        thoughts="".join(block.thinking for block in answer.content if block.type == "thinking"),
        calls=[(block.name, block.input) for block in answer.content if block.type == "tool_use"],
        finish=answer.stop_reason,
        tokens_in=usage.input_tokens + cached,
        tokens_out=usage.output_tokens,
        model=answer.model,
        pieces=pieces,
        parsed=getattr(answer, "parsed_output", None),
        raw=answer,
    )


def _messages_tools() -> list[dict[str, Any]]:
    return [{"name": a, "description": b, "input_schema": CITY} for a, b in TOOLS]


def messages_text(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Ask a plain question."""
    return _messages(base_url, key, model, stream=stream)


def messages_tools(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have a tool called."""
    messages = [{"role": "user", "content": TOOL_QUESTION}]
    tools = _messages_tools()
    return _messages(base_url, key, model, stream=stream, messages=messages, tools=tools)


def messages_both_tools(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have two tools called in one turn."""
    messages = [{"role": "user", "content": TOOLS_QUESTION}]
    tools = _messages_tools()
    return _messages(base_url, key, model, stream=stream, messages=messages, tools=tools)


def messages_tool_result(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have tools called, answer their calls and read the answer to that."""
    said = messages_both_tools(base_url, key, model).raw.content
    made = [block.id for block in said if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": one, "content": "42"} for one in made]
    messages = [
        {"role": "user", "content": TOOLS_QUESTION},
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in said]},
        {"role": "user", "content": results},
    ]
    tools = _messages_tools()
    return _messages(base_url, key, model, stream=stream, messages=messages, tools=tools)


def messages_parsed(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have a schema kept."""
    return _messages(base_url, key, model, stream=stream, output_format=Fee)


def messages_sees(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Show an image."""
    source = {"type": "base64", "media_type": "image/png", "data": PNG_BASE64}
    content = [{"type": "image", "source": source}, {"type": "text", "text": QUESTION}]
    messages = [{"role": "user", "content": content}]
    return _messages(base_url, key, model, stream=stream, messages=messages)


def messages_thinks(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Ask for reasoning."""
    thinking = {"type": "enabled", "budget_tokens": THINKING_BUDGET}
    return _messages(base_url, key, model, stream=stream, thinking=thinking)
