"""Owns made-up requests, each written out in all four protocols by hand; knows no code under test.

A plan is what a client wants, in no protocol's words: `written` says it in one.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["city"],
}
NAMES = st.sampled_from(["look_up", "get-weather", "f", "Say"])
TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=9
)
ARGUMENTS = st.dictionaries(
    st.sampled_from(["city", "n", "deep"]),
    st.one_of(
        st.integers(-(2**53), 2**53), TEXTS, st.booleans(), st.lists(st.integers(), max_size=2)
    ),
    max_size=3,
)
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@dataclass(frozen=True)
class Step:
    """The model's calls as (name, arguments, result), then what it says."""

    calls: tuple[tuple[str, Any, str], ...]
    text: str


@dataclass(frozen=True)
class Plan:
    """A whole request; `turns` are the user's text, whether with an image, and the model's step."""

    turns: tuple[tuple[str, bool, Step | None], ...]
    system: str = ""
    tools: tuple[str, ...] = ()
    choice: str = ""
    limit: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    bound: bool = False
    stream: bool = False
    stop: tuple[str, ...] = field(default=())


@st.composite
def plans(draw: st.DrawFn, *, stops: bool = True) -> Plan:
    """Draw a plan that every vendor can be asked for; with `stops` all but Responses."""
    tools = tuple(draw(st.lists(NAMES, unique=True, max_size=3)))
    call = st.tuples(st.sampled_from(tools or ("f",)), ARGUMENTS, TEXTS)
    step = st.builds(Step, st.lists(call, max_size=3 if tools else 0).map(tuple), TEXTS)
    past = st.tuples(TEXTS, st.booleans(), step)
    turns = (*draw(st.lists(past, max_size=2)), (draw(TEXTS), draw(st.booleans()), None))
    # Some models take only one of them.
    sampling = draw(st.sampled_from(["temperature", "top_p", ""]))
    fraction = draw(st.sampled_from([0, 0.5, 1]))
    return Plan(
        turns=turns,
        system=draw(st.one_of(st.just(""), TEXTS)),
        tools=tools,
        choice=draw(st.sampled_from(["", "auto", "none", "required", *tools])) if tools else "",
        limit=draw(st.one_of(st.none(), st.integers(16, 4_000))),
        temperature=fraction if sampling == "temperature" else None,
        top_p=fraction if sampling == "top_p" else None,
        bound=draw(st.booleans()) and not tools,
        stream=draw(st.booleans()),
        stop=tuple(draw(st.lists(TEXTS, max_size=2))) if stops else (),
    )


def written(wire: str, plan: Plan, model: str) -> dict[str, Any]:
    """Return a plan as a request of a protocol; what it does not ask for is left out."""
    made = _WRITERS[wire](plan)
    if wire != "gemini":
        made |= {"model": model, "stream": plan.stream or None}
    return {name: value for name, value in made.items() if value not in (None, [], {}, ())}


def _chat(plan: Plan) -> dict[str, Any]:
    messages: list[Any] = [{"role": "system", "content": plan.system}] if plan.system else []
    for at, (text, image, step) in enumerate(plan.turns):
        url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
        parts = [{"type": "text", "text": text}, url]
        messages.append({"role": "user", "content": parts if image else text})
        if step is None:
            continue
        if step.calls:
            entries = [
                {
                    "id": f"call_{at}_{nth}",
                    "type": "function",
                    "function": {"name": name, "arguments": json.dumps(arguments)},
                }
                for nth, (name, arguments, _) in enumerate(step.calls)
            ]
            messages.append({"role": "assistant", "content": None, "tool_calls": entries})
            messages += [
                {"role": "tool", "tool_call_id": f"call_{at}_{nth}", "content": result}
                for nth, (_, _, result) in enumerate(step.calls)
            ]
        messages.append({"role": "assistant", "content": step.text})
    named = {"type": "function", "function": {"name": plan.choice}}
    form = {"type": "json_schema", "json_schema": {"name": "form", "schema": SCHEMA}}
    return {
        "messages": messages,
        "tools": [
            {"type": "function", "function": {"name": name, "parameters": SCHEMA}}
            for name in plan.tools
        ],
        "tool_choice": named if plan.choice in plan.tools else plan.choice or None,
        "max_completion_tokens": plan.limit,
        "temperature": plan.temperature,
        "top_p": plan.top_p,
        "stop": list(plan.stop),
        "response_format": form if plan.bound else None,
    }


def _responses(plan: Plan) -> dict[str, Any]:
    items: list[Any] = []
    for at, (text, image, step) in enumerate(plan.turns):
        url = f"data:image/png;base64,{PNG}"
        picture = {"type": "input_image", "detail": "auto", "image_url": url}
        parts = [{"type": "input_text", "text": text}, picture]
        items.append({"role": "user", "content": parts if image else text})
        if step is None:
            continue
        items += [
            {
                "type": "function_call",
                "call_id": f"call_{at}_{nth}",
                "name": name,
                "arguments": json.dumps(arguments),
            }
            for nth, (name, arguments, _) in enumerate(step.calls)
        ]
        items += [
            {"type": "function_call_output", "call_id": f"call_{at}_{nth}", "output": result}
            for nth, (_, _, result) in enumerate(step.calls)
        ]
        items.append({"role": "assistant", "content": step.text})
    named = {"type": "function", "name": plan.choice}
    form = {"type": "json_schema", "name": "form", "schema": SCHEMA}
    return {
        "input": items,
        "instructions": plan.system or None,
        "tools": [
            {"type": "function", "name": name, "parameters": SCHEMA, "strict": False}
            for name in plan.tools
        ],
        "tool_choice": named if plan.choice in plan.tools else plan.choice or None,
        "max_output_tokens": plan.limit,
        "temperature": plan.temperature,
        "top_p": plan.top_p,
        "text": {"format": form} if plan.bound else None,
    }


def _messages(plan: Plan) -> dict[str, Any]:
    messages: list[Any] = []
    before: list[Any] = []
    for at, (text, image, step) in enumerate(plan.turns):
        source = {"type": "base64", "media_type": "image/png", "data": PNG}
        parts: list[Any] = [{"type": "text", "text": text}]
        parts += [{"type": "image", "source": source}] if image else []
        messages.append({"role": "user", "content": before + parts})
        if step is None:
            continue
        if step.calls:
            blocks = [
                {"type": "tool_use", "id": f"call_{at}_{nth}", "name": name, "input": arguments}
                for nth, (name, arguments, _) in enumerate(step.calls)
            ]
            results = [
                {"type": "tool_result", "tool_use_id": f"call_{at}_{nth}", "content": result}
                for nth, (_, _, result) in enumerate(step.calls)
            ]
            messages.append({"role": "assistant", "content": blocks})
            messages.append({"role": "user", "content": results})
        messages.append({"role": "assistant", "content": step.text})
    kinds = {"required": "any", "auto": "auto", "none": "none"}
    named = {"type": "tool", "name": plan.choice}
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    return {
        "messages": messages,
        "system": plan.system or None,
        "max_tokens": plan.limit or 4_096,
        "tools": [{"name": name, "input_schema": SCHEMA} for name in plan.tools],
        "tool_choice": {"type": kinds[plan.choice]} if plan.choice in kinds else _if(plan, named),
        "temperature": plan.temperature,
        "top_p": plan.top_p,
        "stop_sequences": list(plan.stop),
        "output_config": form if plan.bound else None,
    }


def _gemini(plan: Plan) -> dict[str, Any]:
    contents: list[Any] = []
    for text, image, step in plan.turns:
        picture = {"inlineData": {"mimeType": "image/png", "data": PNG}}
        parts = [{"text": text}, *([picture] if image else [])]
        contents.append({"role": "user", "parts": parts})
        if step is None:
            continue
        if step.calls:
            calls = [{"functionCall": {"name": name, "args": args}} for name, args, _ in step.calls]
            results = [
                {"functionResponse": {"name": name, "response": {"result": result}}}
                for name, _, result in step.calls
            ]
            contents.append({"role": "model", "parts": calls})
            contents.append({"role": "user", "parts": results})
        contents.append({"role": "model", "parts": [{"text": step.text}]})
    kinds = {"required": "ANY", "auto": "AUTO", "none": "NONE"}
    named = {"mode": "ANY", "allowedFunctionNames": [plan.choice]}
    calling = {"mode": kinds[plan.choice]} if plan.choice in kinds else _if(plan, named)
    config = {
        "maxOutputTokens": plan.limit,
        "temperature": plan.temperature,
        "topP": plan.top_p,
        "stopSequences": list(plan.stop) or None,
        "responseMimeType": "application/json" if plan.bound else None,
        "responseJsonSchema": SCHEMA if plan.bound else None,
    }
    declared = [{"name": name, "parametersJsonSchema": SCHEMA} for name in plan.tools]
    return {
        "contents": contents,
        "systemInstruction": {"parts": [{"text": plan.system}]} if plan.system else None,
        "tools": [{"functionDeclarations": declared}] if declared else None,
        "toolConfig": {"functionCallingConfig": calling} if calling else None,
        "generationConfig": {name: value for name, value in config.items() if value is not None},
    }


def _if(plan: Plan, named: Any) -> Any:
    return named if plan.choice in plan.tools else None


_WRITERS = {"chat": _chat, "responses": _responses, "messages": _messages, "gemini": _gemini}
