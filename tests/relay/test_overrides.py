"""Proof of what an account changes of its calls, and that nothing else moves."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import account, admitted, chat
from tests.relay.test_outbound import BODIES, REACHED, lines
from tollbridge.relay.attempt import task_of
from tollbridge.relay.outbound import Outbound
from tollbridge.relay.overrides import overridden, override, own_headers, own_lines

RULES = {"params": {"top_k": b"40", "seed": b'{"a":1}'}, "params_drop": ("user", "logprobs")}
NAMES = st.sampled_from(["model", "top_k", "seed", "user", "logprobs", "messages", "other"])
VALUES = st.none() | st.integers(0, 9) | st.text(max_size=3) | st.lists(st.integers(0, 3))


def sent_by(call, to):
    return override(call.dialect.errand(task_of(call), to), call, to).body


@given(st.dictionaries(NAMES, VALUES))
def test_exactly_the_named_fields_change(fields):
    after = msgspec.json.decode(overridden(msgspec.json.encode(fields), account(**RULES)))
    expected = {**fields, "top_k": 40, "seed": {"a": 1}}
    assert after == {
        name: value for name, value in expected.items() if name not in RULES["params_drop"]
    }


def test_the_rest_stays_byte_for_byte():
    body = b'{ "model" :"m","user": "x" , "future" : [1,  2],"top_k":1}'
    one = account(params={"top_k": b"40"}, params_drop=("user",))
    assert overridden(body, one) == b'{ "model" :"m" , "future" : [1,  2],"top_k":40}'


def test_gemini_has_two_spellings_of_a_field():
    one = account(platform="gemini", params={"safetySettings": b"[]"}, params_drop=("labels",))
    body = b'{"contents":[],"safety_settings":[{"a":1}],"labels":{}}'
    assert msgspec.json.decode(overridden(body, one)) == {"contents": [], "safety_settings": []}


@pytest.mark.parametrize(("path", "platform"), REACHED)
def test_every_protocol_and_translation_gets_them(path, platform):
    to = account(platform=platform, params={"vendor_own": b"7"}, params_drop=("top_p",))
    # Gemini's own stands inside another field.
    dropped = {} if "v1beta" in path else {"top_p": 0.5}
    call = admitted({"model": "gpt-test", **dropped, **BODIES[path]}, path=path)
    sent = msgspec.json.decode(sent_by(call, to))
    assert sent["vendor_own"] == 7
    assert "top_p" not in sent


def test_an_account_without_rules_changes_nothing():
    call = admitted()
    assert sent_by(call, account()) is call.source.body


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages/count_tokens", BODIES["/v1/messages"]),
        ("/v1/embeddings", {"input": "hello"}),
        ("/v1/moderations", {"input": "hello"}),
    ],
)
def test_what_writes_no_text_is_left_alone(path, body):
    call = admitted({"model": "gpt-test", **body}, path=path)
    assert b"top_k" not in sent_by(call, account(**RULES))


def test_headers_are_added_and_the_user_agent_replaced():
    to = account(headers={"x-name": "a value", "user-agent": "me/1"})
    call = admitted(chat())
    _, got = lines(Outbound().head(call, to, call.dialect.errand(task_of(call), to)))
    assert (got[b"x-name"], got[b"user-agent"]) == (b"a value", b"me/1")
    assert own_headers(account()) == {"user-agent": "tollbridge"}
    assert own_lines(account(headers={"x-a": "b"})) == b"user-agent: tollbridge\r\nx-a: b\r\n"
    assert "a value" not in repr(to)
