"""What has not the expected shape is as if it were not there, and never ends a connection."""

import msgspec
import pytest

from tests.demo.surfaces import post
from tollbridge.demo.fake_fields import loaded, mapping, mappings, text_of

ODD = [
    None,
    1,
    "x",
    [],
    {},
    [None],
    [{}],
    [{"role": "user", "content": None}],
    [{"role": "user", "content": [None, 1, "x"], "parts": [None]}],
    [{"type": ["x"], "function": None, "functionDeclarations": 5}],
    {"type": {}, "format": 1, "functionCallingConfig": []},
]
FIELDS = {
    "chat": ("messages", "tools", "tool_choice", "response_format", "modalities"),
    "responses": ("input", "tools", "tool_choice", "text", "reasoning", "include", "instructions"),
    "compact": ("input",),
    "messages": ("messages", "tools", "tool_choice", "thinking", "output_config", "system"),
    "gemini": ("contents", "tools", "toolConfig", "generationConfig"),
    "embeddings": ("input",),
    "moderations": ("input",),
}


@pytest.mark.parametrize(
    ("surface", "field"),
    [(surface, field) for surface, fields in FIELDS.items() for field in fields],
)
def test_odd_requests_are_answered(client, surface, field):
    for odd in ODD:
        assert post(client, surface, **{field: odd}).status_code in {200, 400}


def test_values():
    assert (loaded(msgspec.Raw()), loaded(msgspec.Raw(b"[1]"))) == (None, [1])
    assert (mapping({"a": 1}), mapping([1]), mapping(None)) == ({"a": 1}, {}, {})
    assert (mappings([{}, 1]), mappings({"a": 1}), mappings("x")) == ([{}], [{"a": 1}], [])
    assert [text_of(one) for one in ("a", [{"text": "a"}, 1, {"text": "b"}], None)] == [
        "a",
        "a b",
        "",
    ]
