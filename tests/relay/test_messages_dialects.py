"""Proof of the surface of Anthropic Messages: what is asked, sent, read and shown."""

import msgspec
import pytest

from tests.relay.calls import account
from tests.relay.dialects import said_to, task_for
from tests.relay.visitor import Visitor
from tollbridge.core.errors import Surface
from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.conversation import Carrier, Vendor
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.messages_stream import MessagesTap
from tollbridge.relay.dialects import Wish
from tollbridge.relay.messages_dialects import MESSAGES
from tollbridge.relay.responses_dialects import SEARCHES_MOST
from tollbridge.relay.straight import Straight
from tollbridge.relay.translated import Translated

ANTHROPIC = account(platform="anthropic")
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
MODEL = "claude-sonnet-4-5"


def body(**fields):
    return {
        "model": MODEL,
        "max_tokens": 9_000,
        "messages": [{"role": "user", "content": "hello"}],
        **fields,
    }


def ask(**fields):
    return MESSAGES.read(Visitor(body(**fields)))[1]


@pytest.mark.parametrize(
    ("fields", "wish"),
    [
        ({}, Wish(9_000)),
        ({"tools": [SEARCH]}, Wish(9_000, searches=SEARCHES_MOST)),
        ({"tools": [{**SEARCH, "max_uses": 3}]}, Wish(9_000, searches=3)),
        ({"tools": [{"name": "web_search", "input_schema": {}}]}, Wish(9_000)),
    ],
)
def test_what_a_request_may_cost(fields, wish):
    assert MESSAGES.wish(ask(**fields)) == wish
    assert not MESSAGES.makes_images(ask(**fields))


@pytest.mark.parametrize(
    "fields", [{"model": ""}, {"messages": []}, {"max_tokens": "9"}, {"thinking": 1}]
)
def test_what_cannot_be_read_is_a_field_error(fields):
    with pytest.raises(FieldError):
        ask(**fields)


@pytest.mark.parametrize(
    ("fields", "visible"),
    [
        ({}, True),
        ({"thinking": {"type": "disabled"}}, True),
        ({"tools": [{"name": "look_up", "input_schema": {}}]}, True),
        ({"thinking": {"type": "enabled", "budget_tokens": 2_000}}, False),
        ({"thinking": {"type": "adaptive"}}, False),
        ({"tools": [SEARCH]}, False),
        ({"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}, False),
    ],
)
def test_output_that_may_be_hidden_is_not_counted_on(fields, visible):
    assert MESSAGES.visible(*MESSAGES.read(Visitor(body(**fields)))) == visible


def test_a_slice_is_for_accounts_of_the_same_protocol_that_stop_when_told():
    assert MESSAGES.sliced(ANTHROPIC)
    assert not MESSAGES.sliced(account(platform="anthropic", stops_on_abort=False))
    assert not MESSAGES.sliced(account())
    assert MESSAGES.surface is Surface.MESSAGES


def test_anthropic_is_spoken_to_in_the_clients_own_bytes():
    raw = b'{ "model":"m", "max_tokens" : 5, "messages": [ {"role":"user","content":"a"} ], "x":1 }'
    errand = MESSAGES.errand(task_for(MESSAGES, raw), ANTHROPIC)
    assert isinstance(errand, Straight)
    assert (errand.path, errand.body) == (b"/v1/messages", raw)
    assert isinstance(errand.tap(), MessagesTap)


@pytest.mark.parametrize("to", [account(), account(compatible=True), account(platform="gemini")])
def test_all_others_get_a_translation(to):
    assert MESSAGES.serves(to)
    assert isinstance(MESSAGES.errand(task_for(MESSAGES, body()), to), Translated)


def test_a_limit_is_written():
    sent = said_to(MESSAGES, task_for(MESSAGES, body(), limit=77), ANTHROPIC)
    assert sent == body(max_tokens=77)


def test_an_effort_of_the_name_becomes_what_the_model_takes():
    task = task_for(MESSAGES, body(model=f"{MODEL}-high"), model=MODEL, effort="low")
    sent = said_to(MESSAGES, task, ANTHROPIC)
    assert sent["model"] == MODEL
    assert sent["messages"][0]["role"] == "user"
    assert "hello" in str(sent["messages"])
    assert sent["thinking"]["type"] == "enabled"
    assert 1_024 <= sent["thinking"]["budget_tokens"] < sent["max_tokens"]


@pytest.mark.parametrize(
    ("effort", "thinking", "config"),
    [
        ("high", {"type": "adaptive"}, {"effort": "high"}),
        ("none", {"type": "disabled"}, None),
    ],
)
def test_an_effort_of_the_name_makes_a_model_think_that_does_not_by_itself(
    effort, thinking, config
):
    name = "claude-opus-4-6"
    task = task_for(MESSAGES, body(model=f"{name}-{effort}"), model=name, effort=effort)
    sent = said_to(MESSAGES, task, ANTHROPIC)
    assert (sent["thinking"], sent.get("output_config")) == (thinking, config)


def test_thoughts_of_other_vendors_do_not_reach_anthropic():
    envelope = sealed(Carrier(Vendor.GEMINI, "SECRET"))
    own = {"type": "thinking", "thinking": "mine", "signature": "anthropics-own"}
    foreign = {"type": "thinking", "thinking": "theirs", "signature": envelope}
    says = {"type": "text", "text": "so"}
    history = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [foreign, own, says]},
        {"role": "user", "content": "b"},
    ]
    sent = said_to(MESSAGES, task_for(MESSAGES, body(messages=history)), ANTHROPIC)
    assert sent["messages"][1]["content"] == [own, says]
    # Without any, the body is not even looked into.
    plain = msgspec.json.encode(body(messages=[history[0], {**history[1], "content": [own, says]}]))
    assert MESSAGES.errand(task_for(MESSAGES, plain), ANTHROPIC).body == plain


def test_whole_answers_are_read_and_left_as_they_are():
    answer = msgspec.json.encode(
        {
            "type": "message",
            "model": "m",
            "content": [{"type": "text", "text": "hey"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 3, "output_tokens": 1},
        }
    )
    errand = MESSAGES.errand(task_for(MESSAGES, body()), ANTHROPIC)
    facts, shown = errand.read(answer, b"application/json")
    assert (facts.text_bytes, facts.finished, facts.usage.output, shown) == (3, True, 1, answer)
    assert errand.read(b"not json", b"")[0].empty
