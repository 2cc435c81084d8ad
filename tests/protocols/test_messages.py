"""The twin of protocols/messages.py."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import messages_oracle as oracle
from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.conversation import Carrier, Vendor
from tollbridge.protocols.json_peek import FieldError, RangeError, peek
from tollbridge.protocols.messages import (
    carries,
    fault_of,
    has_foreign_thoughts,
    prepare,
    read_ask,
    read_reply,
)
from tollbridge.protocols.usage import Usage

LEAST = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


def ask(**fields):
    return read_ask(peek(json.dumps({**LEAST, **fields}).encode()))


def prepared(model=None, output_limit=None, **fields):
    body = json.dumps({**LEAST, **fields}).encode()
    top = peek(body)
    return body, prepare(top, read_ask(top), model=model, output_limit=output_limit)


def test_the_least_request():
    found = ask()
    assert (found.model, found.stream, found.limit) == ("claude", False, 9)
    assert (found.has_tools, found.web_search, found.server_tools) == (False, False, ())
    assert (found.thinking, found.thinking_budget) == (None, None)


def test_tools_of_every_kind():
    found = ask(
        stream=True,
        tools=[
            {"name": "own", "input_schema": {}},
            {"type": "custom", "name": "other"},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            {"type": "code_execution_20260120", "name": "code_execution"},
        ],
        mcp_servers=[{"url": "u"}],
        thinking={"type": "enabled", "budget_tokens": 2000},
    )
    assert found.stream and found.has_tools and found.web_search
    assert found.web_search_uses == 3
    assert found.server_tools == ("code_execution_20260120", "mcp_servers")
    assert (found.thinking, found.thinking_budget) == ("enabled", 2000)


def test_a_search_without_a_bound_has_none():
    assert ask(tools=[{"type": "web_search_20260318", "name": "s"}]).web_search_uses is None


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 5.0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"stream": 1}, "stream"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": 4}]}, "tools"),
        ({"thinking": "on"}, "thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": "x"}}, "thinking.budget_tokens"),
    ],
)
def test_the_field_to_blame_is_named(fields, name):
    with pytest.raises(FieldError) as raised:
        ask(**fields)
    assert raised.value.name == name


def test_no_output_at_all_is_allowed_for_it_fills_the_cache():
    assert ask(max_tokens=0).limit == 0
    with pytest.raises(RangeError):
        ask(max_tokens=-1)


def test_what_need_not_change_stays_the_same_bytes():
    body, made = prepared(model="claude", output_limit=9, thinking={"type": "adaptive"})
    assert made == body


def test_model_and_limit_are_spliced():
    body, made = prepared(model="other", output_limit=4)
    assert made == body.replace(b'"claude"', b'"other"').replace(b"9", b"4")


@pytest.mark.parametrize(
    ("max_tokens", "budget", "limit", "expected"),
    [
        (8000, 4000, 5000, {"type": "enabled", "budget_tokens": 4000, "display": "omitted"}),
        (8000, 4000, 4000, {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}),
        (8000, 4000, 1500, {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}),
        (8000, 4000, 1024, {"type": "disabled"}),
        (8000, 9000, 7000, {"type": "enabled", "budget_tokens": 9000, "display": "omitted"}),
    ],
)
def test_a_budget_stays_below_the_limit(max_tokens, budget, limit, expected):
    thinking = {"type": "enabled", "budget_tokens": budget, "display": "omitted"}
    _, made = prepared(output_limit=limit, max_tokens=max_tokens, thinking=thinking)
    body = json.loads(made)
    assert body["max_tokens"] == limit
    assert body["thinking"] == expected


@given(st.integers(1025, 10**6), st.integers(1024, 10**6), st.integers(1, 10**6))
def test_the_vendors_rule_for_budgets_holds_after_any_limit(max_tokens, budget, limit):
    if budget >= max_tokens:
        return
    thinking = {"type": "enabled", "budget_tokens": budget}
    _, made = prepared(output_limit=limit, max_tokens=max_tokens, thinking=thinking)
    body = json.loads(made)
    assert body["max_tokens"] == min(limit, max_tokens)
    if body["thinking"]["type"] == "enabled":
        assert 1024 <= body["thinking"]["budget_tokens"] < body["max_tokens"]


def test_thoughts_of_others_are_found():
    foreign = sealed(Carrier(Vendor.OPENAI, "x")).encode()
    assert has_foreign_thoughts(b'{"signature": "' + foreign + b'"}')
    assert has_foreign_thoughts(b'{"data":"' + foreign + b'"}')
    assert has_foreign_thoughts(b'{"signature":""}')
    assert not has_foreign_thoughts(b'{"signature":"EqQB", "text": "\\"signature\\":\\"\\""}')


def test_a_whole_answer():
    facts = read_reply(
        json.dumps(
            {
                "model": "claude",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "é"},
                    {"type": "tool_use", "id": "t", "name": "see", "input": {"a": 1}},
                ],
                "stop_reason": "tool_use",
                "usage": {"input_tokens": 3, "output_tokens": 4},
            }
        ).encode()
    )
    assert (facts.model, facts.finished, facts.empty, facts.usage_seen) == (
        "claude", True, False, True,
    )  # fmt: skip
    assert facts.usage == Usage(input=3, output=4)
    assert facts.text_bytes == 2 + 2 + 3 + len('{"a":1}')


@pytest.mark.parametrize(
    "content", [None, [], "x", [{"type": "text", "text": ""}], [5], [{"type": "thinking"}]]
)
def test_an_answer_that_says_nothing_is_empty(content):
    facts = read_reply(json.dumps({"content": content, "stop_reason": "end_turn"}).encode())
    assert facts.empty and facts.finished and facts.text_bytes == 0


def test_an_error_with_status_200_has_the_status_of_its_type():
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    fault = read_reply(json.dumps(body).encode()).error
    assert fault is not None and (fault.status, fault.message) == (529, "Overloaded")
    assert fault_of({"error": {"type": "new_error"}}).status is None
    assert fault_of({}) is None


@given(st.binary())
def test_no_body_raises(body):
    assert read_reply(body).empty


def test_blocks_that_only_the_vendor_knows_are_something():
    assert carries({"type": "redacted_thinking", "data": "x"})
    assert carries({"type": "thinking", "thinking": "", "signature": "x"})
    assert not carries({})


def test_recorded_requests_and_answers(corpus):
    seen = 0
    for one in oracle.recorded(corpus, streams=False) + oracle.recorded(corpus, streams=True):
        if isinstance(one.request, dict):
            body = json.dumps({"model": "m", **one.request}).encode()
            top = peek(body)
            found = read_ask(top)
            assert prepare(top, found, model=None, output_limit=None) == body
            assert found.limit == one.request["max_tokens"]
        if one.sse is None and "usage" in one.body:
            facts = read_reply(json.dumps(one.body).encode())
            assert facts.finished and facts.usage_seen and facts.error is None, one.file
            assert facts.empty == (not one.body["content"]), one.file
            seen += 1
    assert seen > 100
