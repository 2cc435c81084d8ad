"""A request that goes to its own protocol again is what its client said."""

from hypothesis import given, settings

from tests.protocols import recordings, responses_samples
from tollbridge.protocols.abilities import Abilities, Addressee
from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.conversation import Carrier, Vendor
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.responses_request_reader import read_request
from tollbridge.protocols.responses_request_writer import write_request
from tollbridge.protocols.responses_said import said_instructions
from tollbridge.protocols.tool_names import ToolNames

TO = Addressee("known", Abilities(), 100)


def again(body):
    conversation = read_request(body)
    losses = Losses()
    return write_request(conversation, TO, ToolNames(conversation), losses), losses


@given(responses_samples.requests)
@settings(max_examples=300)
def test_nothing_is_lost(body):
    written, losses = again(body)
    assert written == body
    assert not losses.counts


def test_a_string_becomes_a_message():
    written, _ = again({"model": "known", "input": "hi"})
    assert written["input"] == [{"role": "user", "content": "hi"}]
    assert read_request(written) == read_request({"model": "known", "input": "hi"})


def test_the_carrier_of_another_vendor_stays_behind():
    foreign = sealed(Carrier(Vendor.ANTHROPIC, "signature"))
    thought = {"type": "reasoning", "summary": [], "encrypted_content": foreign}
    written, losses = again({"model": "m", "input": [{"role": "user", "content": "a"}, thought]})
    assert written["input"] == [{"role": "user", "content": "a"}]
    assert losses.counts == {"carrier": 1}


def test_instructions_are_those_of_the_field():
    body = {"model": "m", "instructions": "be kind", "input": [{"role": "system", "content": "b"}]}
    assert said_instructions(read_request(body)) == "be kind"
    assert said_instructions(read_request({**body, "instructions": None})) is None


def test_every_recorded_request_reads_the_same_after_it_was_written(corpus):
    seen = 0
    for record in recordings.load(corpus, "openai_responses"):
        if not record.file.startswith("responses--") or not isinstance(record.request, dict):
            continue
        first = read_request(record.request)
        second = read_request(write_request(first, TO, ToolNames(first), Losses()))
        first.model = second.model = ""
        assert second == first, record.file
        seen += 1
    assert seen > 300
