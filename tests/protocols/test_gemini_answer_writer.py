"""Answers in Gemini's words: what Google's SDK reads of them, and that nothing of Gemini's own is lost."""

import json

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.answer import Answer, Choice, Finish, Identity
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
from tollbridge.protocols.gemini_answer_reader import read_answer
from tollbridge.protocols.gemini_answer_writer import write_answer
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.usage import Usage

WHO = Identity(id="own", created_s=1, model="client-name")
ASKED = Conversation(wire=Wire.GEMINI, model="client-name")


def written(*parts, finish=Finish.STOP, losses=None, identity=WHO, **fields):
    choice = Choice(parts=list(parts), finish=finish)
    answer = Answer(choices=[choice], **fields)
    body = write_answer(answer, identity, ASKED, losses or Losses())
    types.GenerateContentResponse.model_validate(body)
    return body


def parts_of(*parts, **options):
    return written(*parts, **options)["candidates"][0]["content"]["parts"]


def test_each_kind_of_part():
    assert parts_of(
        Reasoning(texts=["a", "b"]),
        Text(text="said"),
        Text(text=""),
        Call(id="c", name="f", arguments=""),
        Image(data="AAAA", mime="image/png"),
        Audio(data="AAAA", mime="audio/wav", transcript="spoken"),
        Refusal(text="no"),
        Reasoning(texts=[]),
    ) == [
        {"text": "a\n\nb", "thought": True},
        {"text": "said"},
        {"functionCall": {"name": "f", "args": {}, "id": "c"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"text": "spoken"},
        {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        {"text": "no"},
    ]


def test_another_vendors_carrier_comes_back_with_its_thought():
    given_parts = [
        Reasoning(texts=["hm"], carrier=Carrier(Vendor.ANTHROPIC, "sig")),
        Reasoning(texts=[], redacted=True, carrier=Carrier(Vendor.ANTHROPIC, "data")),
        Reasoning(texts=["s"], carrier=Carrier(Vendor.OPENAI, "enc", "rs_1")),
        Call(id="c", name="f", arguments="{}", carrier=Carrier(Vendor.GEMINI, "c2ln")),
    ]
    body = written(*given_parts)
    back = read_answer(body).choices[0].parts
    assert [part.carrier for part in back] == [part.carrier for part in given_parts]
    assert [part.redacted for part in back[:3]] == [False, True, False]
    assert body["candidates"][0]["content"]["parts"][3]["thoughtSignature"] == "c2ln"


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish.CALL, "STOP"),
        (Finish.CONTEXT, "MAX_TOKENS"),
        (Finish.POLICY, "SAFETY"),
        (Finish.FAULT, "OTHER"),
    ],
)
def test_finish(finish, reason):
    assert written(finish=finish)["candidates"][0]["finishReason"] == reason


def test_a_cut_call_is_left_out_and_a_malformed_one_is_kept():
    cut = Call(id="c", name="f", arguments='{"a": "b')
    assert parts_of(cut, finish=Finish.LENGTH) == []
    made = parts_of(cut)[0]["functionCall"]
    assert made["args"] == {"_raw": '{"a": "b'}
    assert parts_of(Call(id="c", name="f", arguments="x", custom=True))[0]["functionCall"][
        "args"
    ] == {"input": "x"}


def test_names_and_figures():
    usage = Usage(input=3, output=4, reasoning=1)
    body = written(Text(text="x"), usage=usage, id="r", model="up")
    assert (body["responseId"], body["modelVersion"]) == ("r", "up")
    assert body["usageMetadata"]["candidatesTokenCount"] == 3
    renamed = Identity("own", 1, "client-name", renamed=True)
    assert written(model="up", identity=renamed)["modelVersion"] == "client-name"
    assert written()["responseId"] == "own"


def test_citations_say_their_place_in_bytes():
    losses = Losses()
    body = written(
        Reasoning(texts=["t"]),
        Text(
            text="né dit",
            citations=[
                Citation(url="u", title="T", start=1, end=2, quote="q"),
                Citation(url="u", title="T"),
            ],
        ),
        losses=losses,
    )
    grounding = body["candidates"][0]["groundingMetadata"]
    assert grounding["groundingChunks"] == [{"web": {"uri": "u", "title": "T"}}]
    assert grounding["groundingSupports"][0]["segment"] == {
        "partIndex": 1,
        "startIndex": 1,
        "endIndex": 3,
        "text": "é",
    }
    assert losses.counts == {"answer_citation": 1}


def test_what_has_no_place_is_noted():
    losses = Losses()
    foreign = Opaque(wire=Wire.MESSAGES, kind="server_tool_use", raw={})
    assert parts_of(foreign, Image(), losses=losses) == []
    assert losses.counts == {"answer_opaque": 2}


TEXT = st.text(min_size=1, max_size=8)
SIGNATURE = st.none() | st.just("c2ln")
PART = (
    st.fixed_dictionaries({"text": TEXT, "thoughtSignature": SIGNATURE})
    | st.fixed_dictionaries(
        {"text": TEXT, "thought": st.just(True), "thoughtSignature": st.just("c2ln")}
    )
    | st.fixed_dictionaries(
        {
            "functionCall": st.fixed_dictionaries(
                {"id": TEXT, "name": TEXT, "args": st.dictionaries(TEXT, st.integers() | TEXT)}
            ),
            "thoughtSignature": SIGNATURE,
        }
    )
    | st.fixed_dictionaries(
        {
            "inlineData": st.fixed_dictionaries(
                {
                    "mimeType": st.sampled_from(
                        ["image/png", "audio/wav", "video/mp4", "application/pdf"]
                    ),
                    "data": st.just("AAAA"),
                }
            ),
            "thoughtSignature": SIGNATURE,
        }
    )
    | st.fixed_dictionaries({"executableCode": st.just({"code": "1", "language": "PYTHON"})})
).map(lambda part: {name: value for name, value in part.items() if value is not None})


@given(
    st.lists(PART, max_size=5),
    st.sampled_from(["STOP", "MAX_TOKENS", "RECITATION", "NO_IMAGE", "LANGUAGE"]),
)
def test_an_answer_of_geminis_own_loses_nothing(parts, reason):
    body = {
        "candidates": [
            {
                "content": {"parts": parts, "role": "model"},
                "index": 0,
                "finishReason": reason,
                "avgLogprobs": -0.5,
                "safetyRatings": [],
            }
        ],
        "modelVersion": "gemini-x",
        "responseId": "r",
        "usageMetadata": {
            "promptTokenCount": 3,
            "candidatesTokenCount": 2,
            "totalTokenCount": 5,
        },
    }
    assert write_answer(read_answer(body), WHO, ASKED, Losses()) == body


def test_a_refused_prompt_stays_one():
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "m", "responseId": "r"}
    assert write_answer(read_answer(body), WHO, ASKED, Losses()) == {"candidates": [], **body}


def test_recorded_answers_written_again_are_what_googles_sdk_takes(corpus):
    seen = 0
    for recording in recordings.load(corpus, "gemini"):
        body = recording.body
        if not isinstance(body, dict) or not body.get("candidates"):
            continue
        answer = read_answer(body)
        foreign = Answer(choices=answer.choices, usage=answer.usage)
        made = write_answer(foreign, WHO, ASKED, Losses())
        read = types.GenerateContentResponse.model_validate(made)
        seen += 1
        again = read_answer(json.loads(json.dumps(made)))
        if answer.usage is not None:
            assert again.usage.output == answer.usage.output
            assert read.usage_metadata.total_token_count == body["usageMetadata"]["totalTokenCount"]
        for one, other in zip(answer.choices, again.choices, strict=True):
            assert one.finish == other.finish
            assert _calls(one) == _calls(other)
            assert _carriers(one) == _carriers(other)
    assert seen > 120


def _calls(choice):
    return [(part.id, part.name, part.arguments) for part in choice.parts if isinstance(part, Call)]


def _carriers(choice):
    return [getattr(part, "carrier", None) for part in choice.parts]
