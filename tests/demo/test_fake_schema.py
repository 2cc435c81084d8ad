"""Made-up values fit the schemas they are made for."""

import pytest

from tollbridge.demo.fake_schema import sample

LINKED = {
    "$defs": {"City": {"type": "object", "properties": {"name": {"type": "string"}}}},
    "type": "object",
    "properties": {"city": {"$ref": "#/$defs/City"}},
}
LOOP = {"type": "object", "properties": {"next": {"$ref": "#"}}}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "toll"),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "NUMBER"}, 1.5),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": 4}, 4),
        ({"type": "array", "items": {"type": "boolean"}}, [True]),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"properties": {"a": {"type": "OBJECT", "properties": {"b": {}}}}}, {"a": {"b": "toll"}}),
        ({"type": "object"}, {}),
        (LINKED, {"city": {"name": "toll"}}),
        (None, "toll"),
    ],
)
def test_values(schema, value):
    assert sample(schema) == value


def test_a_schema_without_end_has_one():
    made = sample(LOOP)
    depth = 0
    while isinstance(made, dict):
        made, depth = made["next"], depth + 1
    assert 1 < depth < 10
