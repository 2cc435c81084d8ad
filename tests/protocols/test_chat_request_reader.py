"""Chat requests are read into the neutral conversation; what is malformed is named."""

import pytest

from tests.protocols import recordings
from tollbridge.protocols.chat_request_reader import read_request
from tollbridge.protocols.conversation import Format, Text, Thinking, Turn, Wire
from tollbridge.protocols.json_peek import FieldError


def asked(**fields):
    return read_request({"model": "m", "messages": [{"role": "user", "content": "q"}], **fields})


def test_every_recorded_request_is_read(corpus):
    for one in recordings.load(corpus, "openai_chat"):
        body = one.request
        if not isinstance(body, dict) or not body.get("messages") or not body.get("model"):
            continue
        said = read_request(body)
        assert said.wire is Wire.CHAT and said.model == body["model"]
        assert len(said.tools) == len(body.get("tools") or []) + bool(
            body.get("web_search_options")
        )
        text = [p.text for turn in said.turns for p in turn.parts if isinstance(p, Text)]
        last = body["messages"][-1]
        if last["role"] == "user" and isinstance(last["content"], str) and last["content"]:
            assert text[-1] == last["content"], one.file


def test_scalars():
    said = asked(
        max_tokens=9,
        max_completion_tokens=7,
        temperature=1,
        top_p=0.5,
        top_k=3,
        stop="x",
        seed=1,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logprobs=True,
        n=2,
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
        safety_identifier="s",
        user="u",
        service_tier="flex",
        modalities=["Text", "image"],
        image_config={"aspect_ratio": "1:1"},
        audio={"voice": "alloy"},
        parallel_tool_calls=False,
        verbosity="low",
        store=None,
    )
    assert said.max_output == 7 and said.temperature == 1 and said.top_p == 0.5
    assert (said.top_k, said.stop, said.seed) == (3, ["x"], 1)
    assert (said.presence_penalty, said.frequency_penalty) == (0.1, 0.2)
    assert (said.logprobs, said.copies, said.stream, said.wants_usage) == (0, 2, True, True)
    assert (said.end_user, said.tier, said.modalities) == ("s", "flex", ["text", "image"])
    assert said.image_options == {"aspect_ratio": "1:1"}
    assert said.audio_options == {"voice": "alloy"} and said.parallel is False
    assert said.extra.pop("user") == "u"
    assert said.extra == {"verbosity": "low", "stream_options": {"include_obfuscation": False}}


def test_what_was_not_said_is_not_there():
    said = asked(stop=["", "a"], top_logprobs=3, response_format={"type": "text"})
    assert said.stop == ["a"] and said.logprobs is None and said.format is None
    assert said.turns == [Turn(role="user", parts=[Text(text="q")])]
    assert said.extra == {} and said.copies == 1 and said.thinking is None


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({"reasoning_effort": "low"}, Thinking(effort="low")),
        (
            {"reasoning": {"max_tokens": 5, "exclude": True, "summary": "auto"}},
            Thinking(budget=5, shown=False, summary="auto"),
        ),
        ({"reasoning": {"effort": "high", "enabled": True}}, Thinking(effort="high", enabled=True)),
        ({"thinking": {"type": "disabled"}}, Thinking(enabled=False)),
        ({"thinking": {"type": "adaptive"}}, Thinking(enabled=True, adaptive=True)),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 9}, "reasoning_effort": "low"},
            Thinking(effort="low", enabled=True, budget=9),
        ),
    ],
)
def test_thinking(fields, thinking):
    said = asked(**fields).thinking
    if set(fields) != {"reasoning_effort"}:
        assert said.extra == fields
        said.extra = {}
    assert said == thinking


def test_forms():
    assert asked(response_format={"type": "json_object"}).format == Format(kind="json")
    inner = {"name": "n", "description": "d", "schema": {"type": "object"}, "strict": True}
    said = asked(response_format={"type": "json_schema", "json_schema": inner})
    assert said.format == Format(kind="schema", **inner)
    other = {"type": "grammar", "grammar": "g"}
    assert asked(response_format=other).extra == {"response_format": other}


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "x"}, "messages"),
        ({"temperature": "warm"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stop": [1]}, "stop"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"modalities": [1]}, "modalities"),
        ({"reasoning": {"effort": 1}}, "reasoning.effort"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"messages": [{"role": "robot"}]}, "messages[0].role"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
    ],
)
def test_malformed_fields_are_named(fields, name):
    with pytest.raises(FieldError) as error:
        asked(**fields)
    assert error.value.name == name
