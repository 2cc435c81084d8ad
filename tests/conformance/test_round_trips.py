"""Made-up requests: in their own protocol they come out as they went in, in others they ask the same.

And what comes back from another protocol still asks for what was asked.
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance import asks, sameness
from tests.conformance.dialogues import PAIRS, WIRES
from tests.conformance.plans import plans, written
from tests.conformance.test_cross_requests import WRITERS
from tests.conformance.wishes import wishes
from tollbridge.protocols.abilities import Abilities, Addressee
from tollbridge.protocols.conversation import Wire
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.tool_names import ToolNames
from tollbridge.protocols.translation import Translation, read_request

# A model that can be told everything, so that nothing is lost for the model's sake.
ABLE = Addressee("able", Abilities(), 4_096)


def read(wire, body, *, stream=False):
    return read_request(Wire(wire), json.dumps(body).encode(), model="able", stream=stream)


def carried(wire, body, other, *, stream):
    """Return the body for another vendor and what it lost."""
    way = Translation(read(wire, body, stream=stream), Wire(other), ABLE)
    return json.loads(way.body), dict(way.losses.counts)


def asked(wire, body):
    """Return the wishes of a request; whether a result is wrapped in an object is no wish."""
    found = wishes(wire, body)
    found["turns"] = [
        (role, json.loads(said).get("result") if role == "result" and wire == "gemini" else said)
        for role, said in found.get("turns", ())
    ]
    # Anthropic wants a limit, which without one is the model's.
    if found.get("limit") == ABLE.max_output:
        del found["limit"]
    # The path says it to Gemini.
    found.pop("stream", None)
    return found


@pytest.mark.parametrize("wire", WIRES)
@settings(max_examples=20)
@given(data=st.data())
def test_nothing_is_lost_within_a_protocol(wire, data):
    plan = data.draw(plans(stops=wire != "responses"))
    body = written(wire, plan, "able")
    conversation = read(wire, body, stream=plan.stream)
    losses = Losses()
    again = WRITERS[wire](conversation, ABLE, ToolNames(conversation, 128), losses)
    assert sameness.normal(wire, again) == sameness.normal(wire, body)
    assert losses.counts == {}


@pytest.mark.parametrize(("wire", "other"), PAIRS)
@settings(max_examples=20)
@given(data=st.data())
def test_another_vendor_is_asked_the_same_and_it_can_be_told_back(wire, other, data):
    plan = data.draw(plans(stops="responses" not in {wire, other}))
    body = written(wire, plan, "able")
    want = asked(other, written(other, plan, "able"))
    there, lost = carried(wire, body, other, stream=plan.stream)
    assert asked(other, there) == want
    assert asks.broken_rules(other, there) == []
    assert asks.complaints(other, there) == []
    assert lost.keys() <= {"schema_keyword"}
    back, _ = carried(other, there, wire, stream=plan.stream)
    assert asked(wire, back) == asked(wire, body)
