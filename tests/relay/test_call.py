"""Proof of what a call knows when it begins, and that it has room for nothing else."""

import pytest

from tests.relay.calls import asked
from tests.relay.visitor import Visitor
from tollbridge.core.clock import new_tid, now_ms, tid_ms
from tollbridge.relay.call import Call
from tollbridge.relay.chat_dialects import CHAT


def test_a_call_begins_with_nothing_held_tried_or_charged():
    before = now_ms()
    visitor, tid = Visitor(b"{}"), new_tid()
    call = Call(visitor, tid, CHAT, 12.5)
    assert (call.exchange, call.tid, call.dialect, call.started_at) == (visitor, tid, CHAT, 12.5)
    assert before <= call.at_ms <= now_ms()
    assert abs(call.at_ms - tid_ms(call.tid)) < 60_000
    assert (call.account, call.hold, call.output_limit, call.first_token_at) == (None,) * 4
    assert (call.amount, call.input_bound, call.input_estimate) == (0, 0, 0)
    assert (call.purses, call.attempts, call.has_media) == ((), [], False)
    assert (call.upstream_model, call.effort, call.used) == ("", None, None)


@pytest.mark.parametrize(
    "name",
    ["key", "snapshot", "channel", "model", "price", "source", "ask", "wish", "blobs", "bill"],
)
def test_what_admission_finds_cannot_be_read_before_it(name):
    call = Call(Visitor(), new_tid(), CHAT, 0.0)
    with pytest.raises(AttributeError):
        getattr(call, name)


def test_calls_share_no_state():
    one, other = asked(), asked()
    one.attempts.append((1, "ok", 2))
    one.effort, one.upstream_model = "high", "gpt-other"
    assert (other.attempts, other.effort, other.upstream_model) == ([], None, "")


def test_it_has_no_place_for_a_body_or_a_prompt():
    with pytest.raises(AttributeError):
        asked().prompt = "text"
