"""Items of an answer that we write ourselves."""

from tests.protocols.responses_samples import IDENTITY, NOBODY
from tollbridge.protocols.carriers import opened
from tollbridge.protocols.conversation import (
    Carrier,
    Conversation,
    Function,
    Image,
    Opaque,
    Vendor,
    Wire,
)
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.responses_items import reasoning_of
from tollbridge.protocols.responses_output import Items

FOREIGN = Carrier(Vendor.ANTHROPIC, "signature")


def items(conversation=NOBODY):
    losses = Losses()
    return Items(IDENTITY, conversation, losses), losses


def test_own_carriers_go_back_as_they_are_and_foreign_ones_in_an_envelope():
    make, _ = items()
    own = make.reasoning(1, ["a"], Carrier(Vendor.OPENAI, "gAAA"), redacted=False)
    assert own["encrypted_content"] == "gAAA"
    assert "encrypted_content" not in make.reasoning(1, [], None, redacted=False)
    made = make.reasoning(1, ["a"], FOREIGN, redacted=False)
    assert opened(made["encrypted_content"]) == FOREIGN
    assert made["id"] == "rs_0abc_1"


def test_redacted_thoughts_come_back_redacted():
    make, _ = items()
    found = reasoning_of(make.reasoning(0, [], FOREIGN, redacted=True))
    assert (found.carrier, found.redacted) == (FOREIGN, True)


def test_calls():
    make, _ = items()
    made = make.call(2, make.head(2, "", "f", "", custom=False), "{}", "completed")
    assert (made["id"], made["call_id"], made["arguments"]) == ("fc_0abc_2", "call_0abc_2", "{}")
    made = make.call(2, make.head(2, "c", "f", "", custom=True), "text", "completed")
    assert (made["id"], made["call_id"], made["input"]) == ("ctc_0abc_2", "c", "text")


def test_a_call_says_the_namespace_of_its_tool():
    tools = [Function(name="f", namespace="crm")]
    make, _ = items(Conversation(wire=Wire.RESPONSES, model="m", tools=tools))
    for said, told in (("", "crm"), ("own", "own")):
        head = make.head(0, "c", "f", said, custom=False)
        assert make.call(0, head, "", "completed")["namespace"] == told


def test_two_calls_never_have_one_id():
    make, _ = items()
    ids = [make.head(place, "c", "f", "", custom=False).id for place in range(3)]
    assert ids == ["c", "call_0abc_1", "call_0abc_2"]


def test_images():
    make, losses = items()
    made = make.image(0, Image(data="aWk=", mime="image/webp"))
    assert (made["result"], made["output_format"], made["id"]) == ("aWk=", "webp", "ig_0abc_0")
    assert make.image(0, Image(url="https://a.org/b.png")) is None
    assert losses.counts == {"answer_opaque": 1}


def test_searches_of_another_vendor_are_shown_and_other_parts_noted():
    make, losses = items()
    raw = {"type": "server_tool_use", "name": "web_search", "input": {"query": "q"}}
    made = make.opaque(0, Opaque(wire=Wire.MESSAGES, kind="server_tool_use", raw=raw))
    assert made["action"] == {"type": "search", "query": "q"}
    assert make.opaque(0, Opaque(wire=Wire.MESSAGES, kind="web_search_tool_result", raw={})) is None
    assert make.opaque(0, Opaque(wire=Wire.GEMINI, kind="other", raw={})) is None
    assert losses.counts == {"answer_server_tool": 1, "answer_opaque": 1}
