"""Whole answers of the Responses protocol, read; nothing that an upstream writes raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings, responses_gist
from tollbridge.protocols.answer import Finish
from tollbridge.protocols.facts import UpstreamFault
from tollbridge.protocols.responses_answer_reader import read_answer
from tollbridge.protocols.responses_usage import usage_of

TEXT = {"type": "message", "content": [{"type": "output_text", "text": "a"}]}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
REFUSAL = {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}


def incomplete(reason):
    return {"status": "incomplete", "incomplete_details": {"reason": reason}}


@pytest.mark.parametrize(
    ("fields", "finish"),
    [
        ({"status": "completed", "output": [TEXT]}, Finish.STOP),
        ({"status": "completed", "output": [TEXT, CALL]}, Finish.CALL),
        ({"status": "completed", "output": [REFUSAL]}, Finish.POLICY),
        ({"status": "complete", "output": [TEXT]}, Finish.STOP),
        ({**incomplete("max_output_tokens"), "output": [CALL]}, Finish.LENGTH),
        ({**incomplete("content_filter"), "output": []}, Finish.POLICY),
        ({**incomplete("steered"), "output": []}, Finish.LENGTH),
        ({"status": "incomplete", "incomplete_details": None, "output": []}, Finish.LENGTH),
        ({"status": "in_progress", "output": []}, None),
    ],
)
def test_why_it_stopped(fields, finish):
    assert read_answer(fields).choices[0].finish is finish


def test_a_failure_has_no_finish():
    error = {"code": "server_error", "message": "x"}
    found = read_answer({"status": "failed", "error": error, "output": []})
    assert found.fault == UpstreamFault("", "server_error", "x")
    assert found.choices[0].finish is None


def test_names():
    found = read_answer({"id": "resp_1", "model": "up", "service_tier": "flex", "output": [TEXT]})
    assert (found.id, found.model, found.tier) == ("resp_1", "up", "flex")


def test_every_recorded_answer(corpus):
    seen = 0
    for record in recordings.load(corpus, "openai_responses"):
        if record.file.startswith("responses--") and isinstance(record.body, dict):
            found = read_answer(record.body)
            gist = responses_gist.of_parts(found.choices[0].parts)
            assert gist == responses_gist.of_response(record.body), record.file
            assert found.usage == usage_of(record.body), record.file
            cut = record.body["status"] == "incomplete"
            assert (found.choices[0].finish is Finish.LENGTH) == cut, record.file
            seen += 1
    assert seen > 200


JUNK = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.sampled_from(["message", "reasoning", "a"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["type", "content", "text", "summary", "arguments", "annotations", "action"]
            ),
            inner,
        ),
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["status", "output", "error", "usage", "model", "incomplete_details"]), JUNK
    )
)
def test_nonsense_never_raises(body):
    read_answer(body)
