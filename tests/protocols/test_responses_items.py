"""Single items: calls, results, thoughts, images; nothing that stands in them raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.conversation import (
    Call,
    Carrier,
    Image,
    Opaque,
    Reasoning,
    Result,
    Text,
    Vendor,
)
from tollbridge.protocols.responses_items import REDACTED, is_message, part_of, reasoning_of

CARRIER = Carrier(Vendor.ANTHROPIC, "data")


def test_calls():
    given = {
        "type": "function_call",
        "call_id": "c",
        "name": "f",
        "arguments": "{}",
        "namespace": "n",
    }
    assert part_of(given) == Call(id="c", name="f", arguments="{}", namespace="n")
    given = {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x", "id": "ctc_1"}
    assert part_of(given) == Call(
        id="c", name="f", arguments="x", custom=True, extra={"id": "ctc_1"}
    )


def test_results():
    given = {"type": "custom_tool_call_output", "call_id": "c", "output": "x"}
    assert part_of(given) == Result(call_id="c", parts=[Text(text="x")], custom=True)


def test_an_image_without_its_bytes_is_only_a_name():
    given = {
        "type": "image_generation_call",
        "id": "ig_1",
        "result": "aWk=",
        "output_format": "webp",
    }
    assert isinstance(part_of(given), Image)
    assert part_of(given).mime == "image/webp"
    assert isinstance(part_of({**given, "result": None}), Opaque)


def test_thoughts_are_the_summary_or_else_the_text():
    content = [{"type": "reasoning_text", "text": "raw"}]
    summary = [{"type": "summary_text", "text": "short"}]
    given = {"type": "reasoning", "summary": [], "content": content}
    assert reasoning_of(given) == Reasoning(texts=["raw"])
    given = {"type": "reasoning", "summary": summary, "content": content}
    assert reasoning_of(given) == Reasoning(
        texts=["short"], summary=True, extra={"content": content}
    )


@pytest.mark.parametrize("redacted", [True, False])
def test_a_foreign_carrier_is_known_again(redacted):
    inside = Carrier(CARRIER.vendor, CARRIER.payload, REDACTED) if redacted else CARRIER
    found = reasoning_of({"type": "reasoning", "id": "rs_1", "encrypted_content": sealed(inside)})
    assert (found.carrier, found.redacted) == (CARRIER, redacted)


def test_messages_may_have_no_type():
    assert is_message({}) and is_message({"type": "message"})
    assert not is_message({"type": "reasoning"})


JUNK = st.one_of(st.none(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
KINDS = st.sampled_from(
    [
        "function_call",
        "custom_tool_call",
        "reasoning",
        "function_call_output",
        "image_generation_call",
        "x",
    ]
)
FIELDS = ["call_id", "name", "arguments", "input", "output", "summary", "content", "result", "id",
          "encrypted_content", "namespace", "output_format"]  # fmt: skip


@given(KINDS, st.dictionaries(st.sampled_from(FIELDS), JUNK))
def test_nonsense_never_raises(kind, fields):
    part_of({**fields, "type": kind})
