"""Proof of the surfaces that count: free for everybody, at whatever account."""

import pytest

from tests.relay.calls import account, admitted, asked, snapshot
from tests.relay.visitor import Visitor
from tollbridge.core.errors import ApiError, Kind, Surface
from tollbridge.protocols.conversation import Wire
from tollbridge.protocols.token_counts import CountAsk
from tollbridge.relay.count_dialects import MESSAGES_COUNT, RESPONSES_COUNT, Counter
from tollbridge.relay.gate import read_body

SAID = [{"role": "user", "content": "hello"}]
BODIES = {
    "/v1/responses/input_tokens": {"model": "gpt-test", "input": "hello"},
    "/v1/messages/count_tokens": {"model": "gpt-test", "messages": SAID},
    "/claude/v1/messages/count_tokens": {"model": "gpt-test", "messages": SAID},
    "/v1beta/models/gpt-test:countTokens": {"contents": [{"parts": [{"text": "hello"}]}]},
}


def test_each_speaks_for_its_clients_and_is_free():
    gemini = Counter(Wire.GEMINI, "v1", "g")
    every = (RESPONSES_COUNT, MESSAGES_COUNT, gemini)
    assert [one.surface for one in every] == [Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI]
    assert all(one.free and one.surface_name == one.surface.value for one in every)
    assert all(one.serves(account(platform=name)) for one in every for name in ("openai", "gemini"))


@pytest.mark.parametrize("path", BODIES)
def test_a_count_is_let_in_without_any_limit_of_output(path):
    call = admitted(BODIES[path], path=path, catalogue=snapshot())
    assert call.ask == CountAsk("gpt-test")
    assert (call.wish.limit, call.wish.has_output, call.wish.copies) == (0, False, 1)


@pytest.mark.parametrize("path", BODIES)
def test_what_cannot_be_read_is_refused(path):
    with pytest.raises(ApiError) as error:
        read_body(asked({"model": 7}, path=path))
    assert error.value.kind is Kind.INVALID_REQUEST


def test_the_model_of_a_path_counts():
    ask = Counter(Wire.GEMINI, "v1", "g").read(Visitor({"contents": [], "model": "models/x"}))[1]
    assert ask.model == "g"
