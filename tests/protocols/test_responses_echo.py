"""The object around an answer: it says the request again, and how the answer ended."""

import pytest
from hypothesis import given

from tests.protocols import responses_oracle, responses_samples
from tests.protocols.responses_samples import IDENTITY, NOBODY
from tollbridge.protocols.answer import Finish, Identity
from tollbridge.protocols.responses_echo import cut_off, ended, response_id, shell
from tollbridge.protocols.responses_request_reader import read_request
from tollbridge.protocols.usage import Usage

ECHOED = ("instructions", "max_output_tokens", "temperature", "top_p", "tools", "tool_choice",
          "parallel_tool_calls", "metadata", "truncation", "previous_response_id", "background",
          "safety_identifier", "prompt_cache_key", "service_tier")  # fmt: skip


@given(responses_samples.requests)
def test_the_request_is_said_again(body):
    made = shell(read_request(body), IDENTITY, "up")
    for name in ECHOED:
        if name in body:
            assert made[name] == body[name]
    for name in ("effort", "summary"):
        assert made["reasoning"][name] == body.get("reasoning", {}).get(name)
    assert made["text"] == {"format": {"type": "text"}, **body.get("text", {})}
    assert (made["store"], made["status"], made["output"], made["usage"]) == (
        False,
        "in_progress",
        [],
        None,
    )


def test_an_answer_to_a_request_that_says_nothing_is_complete():
    made = shell(NOBODY, IDENTITY, "up")
    responses_oracle.strict_response(made)
    assert made["id"] == response_id(IDENTITY) == "resp_0abc"
    assert (made["model"], made["tool_choice"], made["parallel_tool_calls"]) == ("up", "auto", True)


def test_a_mapped_model_has_the_clients_name():
    assert shell(NOBODY, Identity("a", 1, "mine", renamed=True), "up")["model"] == "mine"
    assert shell(NOBODY, Identity("a", 1, "mine"), "")["model"] == "mine"


REFUSED = [{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]


@pytest.mark.parametrize(
    ("finish", "output", "reason"),
    [
        (Finish.STOP, [], None),
        (Finish.STOP_SEQUENCE, [], None),
        (Finish.CALL, [], None),
        (Finish.FAULT, [], None),
        (Finish.LENGTH, [], "max_output_tokens"),
        (Finish.CONTEXT, [], "max_output_tokens"),
        (Finish.PAUSED, [], "max_output_tokens"),
        (None, [], "max_output_tokens"),
        (Finish.POLICY, [], "content_filter"),
        (Finish.POLICY, REFUSED, None),
    ],
)
def test_how_it_ended(finish, output, reason):
    made = ended(shell(NOBODY, IDENTITY, ""), output, finish, Usage(input=1, output=2), "flex")
    assert made["status"] == ("completed" if reason is None else "incomplete")
    assert made["incomplete_details"] == (None if reason is None else {"reason": reason})
    assert made["service_tier"] == "flex"
    assert made["usage"]["total_tokens"] == 3


def test_a_tier_that_the_protocol_does_not_know_is_not_told():
    assert (
        ended(shell(NOBODY, IDENTITY, ""), [], Finish.STOP, None, "batch")["service_tier"] == "auto"
    )


def test_what_was_being_written_is_incomplete():
    assert cut_off(Finish.LENGTH) and cut_off(None)
    assert not cut_off(Finish.STOP) and not cut_off(Finish.POLICY)
