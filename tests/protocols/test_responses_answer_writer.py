"""Whole answers written as responses: strict by the SDK's models, and nothing is lost silently."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols import recordings, responses_gist, responses_oracle
from tests.protocols.responses_samples import CARRIER, IDENTITY, NAMES, NOBODY, TEXTS, URL
from tollbridge.protocols.answer import Answer, Choice, Finish
from tollbridge.protocols.carriers import opened
from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Carrier,
    Citation,
    Conversation,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    Vendor,
    Wire,
)
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.responses_answer_reader import read_answer
from tollbridge.protocols.responses_answer_writer import write_answer
from tollbridge.protocols.responses_request_reader import read_request
from tollbridge.protocols.responses_usage import usage_of
from tollbridge.protocols.usage import Usage


def write(*parts, finish=Finish.STOP, **fields):
    losses = Losses()
    answer = Answer(choices=[Choice(parts=list(parts), finish=finish)], **fields)
    made = write_answer(answer, IDENTITY, NOBODY, losses)
    responses_oracle.strict_response(made)
    return made, losses


def kinds(made):
    return [item["type"] for item in made["output"]]


def test_texts_share_a_message_and_order_is_kept():
    made, losses = write(
        Reasoning(texts=["hm", "so"], carrier=CARRIER),
        Text(text="a", citations=[Citation(URL, "A", 0, 1)]),
        Text(text="b"),
        Call(id="c", name="f", arguments=""),
        Text(text="d"),
        finish=Finish.CALL,
        usage=Usage(input=1, output=2, reasoning=1),
        model="up",
    )
    assert kinds(made) == ["reasoning", "message", "function_call", "message"]
    thought, message, call, _ = made["output"]
    assert [part["text"] for part in thought["summary"]] == ["hm", "so"]
    assert opened(thought["encrypted_content"]) == CARRIER
    assert [part["text"] for part in message["content"]] == ["a", "b"]
    assert message["content"][0]["annotations"][0]["url"] == URL
    assert call["arguments"] == "{}"
    assert (made["status"], made["model"], made["usage"]["output_tokens"]) == ("completed", "up", 2)
    assert not losses.counts


def test_the_signature_of_a_call_stands_before_it():
    carrier = Carrier(Vendor.GEMINI, "thought")
    made, _ = write(Call(id="c", name="f", arguments="{}", carrier=carrier), finish=Finish.CALL)
    assert kinds(made) == ["reasoning", "function_call"]
    assert made["output"][0]["summary"] == []
    assert opened(made["output"][0]["encrypted_content"]) == carrier


def test_what_was_cut_off_is_incomplete():
    made, _ = write(Text(text="a"), Call(id="c", name="f", arguments='{"a'), finish=Finish.LENGTH)
    assert [item["status"] for item in made["output"]] == ["completed", "incomplete"]
    assert made["incomplete_details"] == {"reason": "max_output_tokens"}


def test_refusals_and_filters():
    made, _ = write(Refusal(text="no"), finish=Finish.POLICY)
    assert (made["status"], made["output"][0]["content"][0]["refusal"]) == ("completed", "no")
    made, _ = write(Text(text="a"), finish=Finish.POLICY)
    assert made["incomplete_details"] == {"reason": "content_filter"}


def test_what_has_no_place_is_noted():
    parts = [
        Audio(data="a", mime="audio/wav"),
        Opaque(wire=Wire.GEMINI, kind="x", raw={}),
        Text(text=""),
    ]
    made, losses = write(*parts)
    assert made["output"] == []
    assert losses.counts == {"answer_opaque": 2}


def test_only_the_first_answer_fits():
    losses = Losses()
    choices = [
        Choice(parts=[Text(text=one)], finish=Finish.STOP, stop_sequence="x") for one in "ab"
    ]
    made = write_answer(Answer(choices=choices), IDENTITY, NOBODY, losses)
    assert responses_gist.of_response(made).text == "a"
    assert losses.counts == {"answer_choices": 1, "answer_stop_sequence": 1}
    assert write_answer(Answer(choices=[]), IDENTITY, NOBODY, losses)["status"] == "incomplete"


PARTS = st.one_of(
    st.builds(Text, text=TEXTS),
    st.builds(Refusal, text=TEXTS),
    st.builds(
        Reasoning, texts=st.lists(TEXTS, max_size=2), carrier=st.sampled_from([None, CARRIER])
    ),
    st.builds(Call, id=st.uuids().map(str), name=NAMES, arguments=TEXTS, custom=st.booleans()),
    st.just(Image(data="aWk=", mime="image/png")),
)


@settings(max_examples=40)
@given(st.lists(PARTS, max_size=6), st.sampled_from(Finish))
def test_any_answer_is_valid_and_read_again(parts, finish):
    made, losses = write(*parts, finish=finish)
    again = read_answer(made).choices[0]
    assert responses_gist.of_parts(again.parts) == responses_gist.of_parts(parts)
    assert not losses.counts
    ids = [item["id"] for item in made["output"]]
    assert len(set(ids)) == len(ids)


def test_every_recorded_answer_is_written_by_the_book(corpus):
    seen = 0
    for record in recordings.load(corpus, "openai_responses"):
        if not record.file.startswith("responses--") or not isinstance(record.body, dict):
            continue
        found = read_answer(record.body)
        # Items of the vendor's own tools pass as they came, newer than any model of theirs.
        found.choices[0].parts = [
            part for part in found.choices[0].parts if not isinstance(part, Opaque)
        ]
        asked = Conversation(wire=Wire.RESPONSES, model="m")
        if isinstance(record.request, dict):
            asked = read_request(record.request)
        made = write_answer(found, IDENTITY, asked, Losses())
        responses_oracle.strict_response(made)
        said = responses_gist.of_response(record.body)
        said.others = []
        assert responses_gist.of_response(made) == said, record.file
        usage = usage_of(record.body)
        assert made["usage"]["input_tokens"] == usage.tokens_in(), record.file
        seen += 1
    assert seen > 200
