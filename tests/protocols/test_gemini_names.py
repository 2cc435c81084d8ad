"""Both spellings of a field's name are the same field."""

import pytest

from tollbridge.protocols.gemini_names import camel, name_in, snake, spelled
from tollbridge.protocols.json_peek import FieldError, peek


@pytest.mark.parametrize(
    ("one", "other"),
    [("max_output_tokens", "maxOutputTokens"), ("top_p", "topP"), ("contents", "contents")],
)
def test_both_ways(one, other):
    assert camel(one) == other
    assert snake(other) == one
    assert camel(other) == other


def test_a_leading_underscore_is_no_word():
    assert camel("_response_json_schema") == "_responseJsonSchema"


def test_only_one_level_is_respelled_and_the_documented_name_counts():
    given = {"function_call": {"args": {"a_b": 1}}, "functionCall": 2, "top_p": 3}
    assert spelled(given) == {"functionCall": 2, "topP": 3}
    assert spelled({"function_call": {"a_b": 1}}) == {"functionCall": {"a_b": 1}}
    assert spelled([1]) == {}


def test_two_spellings_at_once_are_refused():
    top = peek(b'{"generation_config":{},"generationConfig":{}}')
    with pytest.raises(FieldError, match="generationConfig must be given in one spelling only"):
        name_in(top, "generationConfig")
    assert name_in(peek(b'{"generation_config":null}'), "generationConfig") == "generation_config"
    assert name_in(peek(b"{}"), "generationConfig") == "generationConfig"
