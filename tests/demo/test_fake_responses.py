"""Responses look like OpenAI's: items in order, statuses, the usage and the request's echo."""

import json

import pytest
from openai.types.responses import CompactedResponse, Response

from tests.demo.talking import talk
from tollbridge.demo import fake_responses
from tollbridge.demo.fake_script import ScriptedCall
from tollbridge.demo.fake_speech import IMAGE_TOKENS

ASK = {"model": "m", "input": "Hello"}


def whole(request=ASK, *, encrypted=False, **script):
    found = json.loads(fake_responses.unary(talk(**script), request, encrypted=encrypted))
    if script.get("usage", "given") == "given":
        Response.model_validate(found)
    return found


def read(**fields):
    return fake_responses.decoder.decode(json.dumps({**ASK, **fields}).encode())


def test_items_stand_in_order():
    calls = (ScriptedCall("a", {"b": 1}), ScriptedCall("c", "look", custom=True))
    script = {"thought": "Hm.", "images": 1, "searches": 1, "text": "Well.", "calls": calls}
    found = whole(encrypted=True, **script)
    kinds = ["reasoning", "web_search_call", "image_generation_call", "message"]
    items = found["output"]
    assert [item["type"] for item in items] == [*kinds, "function_call", "custom_tool_call"]
    assert items[0]["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert items[0]["encrypted_content"].startswith("gAAAAA")
    assert (items[4]["arguments"], items[5]["input"]) == ('{"b": 1}', "look")
    assert len({item["id"] for item in items}) == len(items)
    assert found["tool_usage"]["image_gen"]["total_tokens"] > 0


def test_hidden_reasoning_has_no_summary():
    (item, _) = whole(reasoning=9)["output"]
    assert (item["summary"], "encrypted_content" in item) == ([], False)


@pytest.mark.parametrize(
    ("script", "status", "reason"),
    [
        ({}, "completed", None),
        ({"stop": "length"}, "incomplete", "max_output_tokens"),
        ({"stop": "filter"}, "incomplete", "content_filter"),
        ({"stop": "fault"}, "failed", None),
        ({"finish": "cancelled"}, "cancelled", None),
    ],
)
def test_statuses(script, status, reason):
    found = whole(**script)
    assert found["status"] == status
    assert (found["incomplete_details"] or {}).get("reason") == reason
    assert (found["error"] is None) == (status != "failed")


def test_a_refusal_is_a_part():
    (item,) = whole(stop="refusal")["output"]
    assert item["content"][0]["type"] == "refusal"


def test_usage():
    script = {"prompt_tokens": 50, "cached_tokens": 20, "cache_write_tokens": 10, "reasoning": 4}
    told = whole(text="a b", images=1, **script)["usage"]
    assert told == {
        "input_tokens": 50,
        "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 10},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 56,
    }
    assert talk(text="a b", images=1).speech.counts.output == 2 + IMAGE_TOKENS
    assert "usage" not in whole(usage="none")
    assert whole(usage="null")["usage"] is None
    assert whole(usage="nonsense")["usage"]["input_tokens"] < 0
    assert whole(usage="zero")["usage"]["total_tokens"] == 0
    assert "input_tokens_details" not in whole(usage="no_details")["usage"]


def test_the_request_is_echoed():
    asked = {**ASK, "instructions": "Be brief.", "temperature": 0.5, "store": False}
    found = whole({**asked, "text": {"verbosity": "low"}}, tier="flex", model="m-2026")
    assert (found["instructions"], found["temperature"], found["store"]) == (
        "Be brief.",
        0.5,
        False,
    )
    assert found["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert (found["service_tier"], found["model"]) == ("flex", "m-2026")


def test_wishes():
    tools = [
        {"type": "function", "name": "a", "parameters": {}},
        {"type": "custom", "name": "b"},
        {"type": "web_search"},
        {"type": "image_generation"},
    ]
    form = {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}
    choice = {"type": "function", "name": "a"}
    asked = read(tools=tools, tool_choice=choice, text=form, reasoning={"effort": "low"})
    wish = fake_responses.wish_of(asked)
    assert [(tool.name, tool.custom) for tool in wish.tools] == [("a", False), ("b", True)]
    assert (wish.forced, wish.schema, wish.asked) == ("a", {"type": "object"}, "Hello")
    assert (wish.thinks, wish.shows) == (True, False)
    assert wish.search_tool and wish.image_tool
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Use a tool"}]},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
    ]
    wish = fake_responses.wish_of(read(input=items, reasoning={"effort": "none"}))
    assert (wish.asked, wish.answered, wish.thinks) == ("Use a tool", True, False)


def test_counting_and_compaction():
    counted = json.loads(fake_responses.input_tokens(read(input="x" * 38)))
    assert counted == {"object": "response.input_tokens", "input_tokens": 10}
    items = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    found = json.loads(fake_responses.compacted(talk(), read(input=items)))
    assert [item["type"] for item in found["output"]] == ["message", "compaction"]
    # The SDK's own type has no place for the user's messages, which the vendor keeps.
    CompactedResponse.model_validate({**found, "output": found["output"][1:]})
