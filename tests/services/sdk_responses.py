"""Owns calls of the Responses API by OpenAI's SDK (see `sdk_calls`)."""

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


def _responses(base_url: str, key: str, model: str, *, stream: bool, **more: Any) -> Received:
    asked = {"model": model, "input": QUESTION, **more}
    with openai_client(base_url, key) as client:
        if not stream:
            make = client.responses.parse if "text_format" in asked else client.responses.create
            return _of_response(make(**asked), 0)
        with client.responses.stream(**asked) as events:
            found = list(events)
        # The helper's own `get_final_response` takes no other end than a completed one.
        pieces = sum(event.type.endswith(".delta") for event in found)
        return _of_response(found[-1].response, pieces)


def _of_response(answer: Any, pieces: int) -> Received:
    items = {
        kind: [item for item in answer.output if item.type == kind]
        for kind in ("reasoning", "function_call", "image_generation_call")
    }
    return Received(
        text=answer.output_text,
        thoughts="".join(part.text for item in items["reasoning"] for part in item.summary),
        calls=[(item.name, json.loads(item.arguments)) for item in items["function_call"]],
        images=[item.result for item in items["image_generation_call"]],
        finish=answer.status,
        tokens_in=answer.usage.input_tokens,
        tokens_out=answer.usage.output_tokens,
        model=answer.model,
        pieces=pieces,
        parsed=getattr(answer, "output_parsed", None),
        raw=answer,
    )


def _responses_tools() -> list[dict[str, Any]]:
    made = [{"name": a, "description": b, "parameters": CITY, "strict": True} for a, b in TOOLS]
    return [{"type": "function", **one} for one in made]


def responses_text(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Ask a plain question."""
    return _responses(base_url, key, model, stream=stream)


def responses_tools(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have a tool called."""
    asked = {"input": TOOL_QUESTION, "tools": _responses_tools()}
    return _responses(base_url, key, model, stream=stream, **asked)


def responses_both_tools(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have two tools called in one turn."""
    asked = {"input": TOOLS_QUESTION, "tools": _responses_tools()}
    return _responses(base_url, key, model, stream=stream, **asked)


def responses_tool_result(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have tools called, answer their calls and read the answer to that."""
    said = responses_both_tools(base_url, key, model).raw.output
    items: list[Any] = [{"role": "user", "content": TOOLS_QUESTION}]
    items += [item.model_dump(exclude_none=True) for item in said]
    made = [item.call_id for item in said if item.type == "function_call"]
    items += [{"type": "function_call_output", "call_id": one, "output": "42"} for one in made]
    tools = _responses_tools()
    return _responses(base_url, key, model, stream=stream, input=items, tools=tools)


def responses_parsed(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have a schema kept."""
    return _responses(base_url, key, model, stream=stream, text_format=Fee)


def responses_sees(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Show an image."""
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG_BASE64}"}
    content = [{"type": "input_text", "text": QUESTION}, {**image, "detail": "auto"}]
    items = [{"role": "user", "content": content}]
    return _responses(base_url, key, model, stream=stream, input=items)


def responses_thinks(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Ask for reasoning and to see it."""
    asked: dict[str, Any] = {"reasoning": {"effort": "medium", "summary": "auto"}, "store": False}
    asked["include"] = ["reasoning.encrypted_content"]
    return _responses(base_url, key, model, stream=stream, **asked)


def responses_draws(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have an image made."""
    asked: dict[str, Any] = {"input": "Draw a bridge.", "tools": [{"type": "image_generation"}]}
    return _responses(base_url, key, model, stream=stream, **asked)
