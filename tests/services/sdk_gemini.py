"""Owns calls of generateContent by Google's SDK (see `sdk_calls`)."""

import base64
from typing import Any

from google.genai import types

from tests.services.sdk_received import (
    CITY,
    QUESTION,
    THINKING_BUDGET,
    TOOL_QUESTION,
    TOOLS,
    TOOLS_QUESTION,
    Fee,
    Received,
    gemini_client,
)
from tollbridge.demo.fake_samples import PNG


def _gemini(
    base_url: str, key: str, model: str, *, stream: bool, contents: Any = QUESTION, **config: Any
) -> Received:
    asked: dict[str, Any] = {"model": model, "contents": contents}
    asked["config"] = types.GenerateContentConfig(**config)
    with gemini_client(base_url, key) as client:
        if not stream:
            return _of_chunks([client.models.generate_content(**asked)])
        return _of_chunks(list(client.models.generate_content_stream(**asked)))


def _of_chunks(chunks: list[Any]) -> Received:
    candidates = [chunk.candidates[0] for chunk in chunks if chunk.candidates]
    contents = [one.content for one in candidates if one.content]
    parts = [part for one in contents for part in one.parts or ()]
    usage = chunks[-1].usage_metadata
    blobs = [part.inline_data.data for part in parts if part.inline_data]
    reason = candidates[-1].finish_reason if candidates else None
    return Received(
        text="".join(part.text for part in parts if part.text and not part.thought),
        thoughts="".join(part.text for part in parts if part.text and part.thought),
        calls=[(part.function_call.name, part.function_call.args) for part in _calling(parts)],
        images=[base64.b64encode(data).decode() for data in blobs],
        finish=reason.value if reason else None,
        tokens_in=usage.prompt_token_count,
        tokens_out=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        model=chunks[-1].model_version,
        pieces=len(chunks),
        parsed=chunks[-1].parsed,
        raw=parts,
    )


def _calling(parts: list[Any]) -> list[Any]:
    return [part for part in parts if part.function_call]


def _tools() -> dict[str, Any]:
    declared = [
        types.FunctionDeclaration(name=name, description=told, parameters_json_schema=CITY)
        for name, told in TOOLS
    ]
    never = types.AutomaticFunctionCallingConfig(disable=True)
    return {
        "tools": [types.Tool(function_declarations=declared)],
        "automatic_function_calling": never,
    }


def gemini_text(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Ask a plain question."""
    return _gemini(base_url, key, model, stream=stream)


def gemini_tools(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have a tool called."""
    return _gemini(base_url, key, model, stream=stream, contents=TOOL_QUESTION, **_tools())


def gemini_both_tools(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have two tools called in one turn."""
    return _gemini(base_url, key, model, stream=stream, contents=TOOLS_QUESTION, **_tools())


def gemini_tool_result(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have tools called, answer their calls and read the answer to that."""
    said = gemini_both_tools(base_url, key, model).raw
    results = []
    for part in _calling(said):
        call = part.function_call
        response = types.FunctionResponse(id=call.id, name=call.name, response={"result": "42"})
        results.append(types.Part(function_response=response))
    contents = [
        types.Content(role="user", parts=[types.Part(text=TOOLS_QUESTION)]),
        types.Content(role="model", parts=said),
        types.Content(role="user", parts=results),
    ]
    return _gemini(base_url, key, model, stream=stream, contents=contents, **_tools())


def gemini_parsed(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have a schema kept."""
    config: dict[str, Any] = {"response_mime_type": "application/json", "response_schema": Fee}
    found = _gemini(base_url, key, model, stream=stream, **config)
    # A stream's chunks are parsed one by one, so that only a whole answer is parsed by the SDK.
    found.parsed = found.parsed or Fee.model_validate_json(found.text)
    return found


def gemini_sees(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Show an image."""
    shown = types.Part.from_bytes(data=PNG, mime_type="image/png")
    return _gemini(base_url, key, model, stream=stream, contents=[QUESTION, shown])


def gemini_thinks(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Ask for reasoning and to see it."""
    config = types.ThinkingConfig(include_thoughts=True, thinking_budget=THINKING_BUDGET)
    return _gemini(base_url, key, model, stream=stream, thinking_config=config)


def gemini_draws(base_url: str, key: str, model: str, *, stream: bool = False) -> Received:
    """Have an image made."""
    return _gemini(base_url, key, model, stream=stream, response_modalities=["TEXT", "IMAGE"])
