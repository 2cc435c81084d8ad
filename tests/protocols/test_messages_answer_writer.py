"""The twin of protocols/messages_answer_writer.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import messages_oracle as oracle
from tollbridge.protocols.answer import Answer, Choice, Finish, Identity
from tollbridge.protocols.carriers import opened
from tollbridge.protocols.conversation import (
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
from tollbridge.protocols.messages_answer_reader import read_answer
from tollbridge.protocols.messages_answer_writer import write_answer
from tollbridge.protocols.usage import Usage

CONVERSATION = Conversation(wire=Wire.MESSAGES, model="mine")
IDENTITY = Identity(id="abc", created_s=1, model="mine")


def wrote(answer, losses=None, identity=IDENTITY):
    message = write_answer(answer, identity, CONVERSATION, losses or Losses())
    oracle.strict_message(message)
    return message


def content(*parts, losses=None):
    return wrote(Answer(choices=[Choice(parts=list(parts))]), losses)["content"]


def test_an_answer_that_says_nothing_has_a_block():
    message = wrote(Answer(choices=[]))
    assert message["content"] == [{"type": "text", "text": ""}]
    assert (message["id"], message["model"], message["stop_reason"]) == ("msg_abc", "mine", None)
    assert content(Text(text="")) == message["content"]


def test_parts_become_blocks():
    foreign = Carrier(Vendor.GEMINI, "sig")
    blocks = content(
        Reasoning(texts=["a", "b"], carrier=foreign),
        Reasoning(texts=[], redacted=True, carrier=Carrier(Vendor.ANTHROPIC, "data")),
        Reasoning(texts=["c"]),
        Text(text="d", citations=[Citation(url="u", quote="q")]),
        Refusal(text="no"),
        Call(id="", name="n", arguments="", extra={"status": "completed"}),
        Call(id="id with spaces", name="n", arguments="[1"),
    )
    assert opened(blocks[0].pop("signature")) == foreign
    assert blocks[0] == {"type": "thinking", "thinking": "a\n\nb"}
    assert blocks[1] == {"type": "redacted_thinking", "data": "data"}
    assert blocks[2] == {"type": "thinking", "thinking": "c", "signature": ""}
    assert blocks[3]["citations"][0]["cited_text"] == "q"
    assert blocks[4] == {"type": "text", "text": "no"}
    assert blocks[5]["id"].startswith("toolu_") and blocks[5]["input"] == {}
    assert "status" not in blocks[5]
    assert blocks[6]["id"].startswith("toolu_") and blocks[6]["input"] == {"_raw": "[1"}


def test_thoughts_bear_the_carrier_of_a_text_or_call():
    """Gemini signs parts; here its signature is that of the thoughts before, and comes back so."""
    carrier = Carrier(Vendor.GEMINI, "c2ln")
    blocks = content(
        Reasoning(texts=["hm"]),
        Text(text="a", carrier=carrier),
        Call(id="t", name="n", arguments="{}", carrier=carrier),
    )
    assert [block["type"] for block in blocks] == ["thinking", "text", "thinking", "tool_use"]
    assert [blocks[at]["thinking"] for at in (0, 2)] == ["hm", ""]
    assert [opened(blocks[at]["signature"]) for at in (0, 2)] == [carrier, carrier]


def test_what_has_no_place_is_noted():
    losses = Losses()
    blocks = content(
        Image(url="u"),
        Opaque(wire=Wire.GEMINI, kind="executableCode", raw={}),
        losses=losses,
    )
    assert blocks == [{"type": "text", "text": ""}]
    assert losses.counts == {"answer_opaque": 1, "answer_server_tool": 1}
    wrote(Answer(choices=[Choice(parts=[]), Choice(parts=[])]), losses)
    assert losses.counts["answer_choices"] == 1


@pytest.mark.parametrize(
    ("finish", "called", "reason"),
    [
        (Finish.STOP, False, "end_turn"),
        (Finish.STOP, True, "tool_use"),
        (Finish.CALL, True, "tool_use"),
        (Finish.LENGTH, True, "max_tokens"),
        (Finish.CONTEXT, False, "model_context_window_exceeded"),
        (Finish.POLICY, False, "refusal"),
        (Finish.PAUSED, False, "pause_turn"),
        (Finish.FAULT, False, "end_turn"),
    ],
)
def test_stop_reasons(finish, called, reason):
    parts = [Call(id="t", name="n", arguments="{}")] if called else [Text(text="a")]
    assert wrote(Answer(choices=[Choice(parts=parts, finish=finish)]))["stop_reason"] == reason


def test_a_stop_sequence_is_said():
    choice = Choice(parts=[], finish=Finish.STOP_SEQUENCE, stop_sequence="END")
    assert wrote(Answer(choices=[choice]))["stop_sequence"] == "END"


def test_names_figures_and_tier():
    answer = Answer(
        choices=[Choice(parts=[])],
        id="chatcmpl-1",
        model="gpt",
        usage=Usage(input=1, cache_read=2, output=3, reasoning=1),
        tier="default",
    )
    message = wrote(answer)
    assert (message["id"], message["model"]) == ("msg_abc", "gpt")
    assert oracle.figures(message["usage"]) == (1, 3, 2, 0, 1, 0)
    assert message["usage"]["service_tier"] == "standard"
    renamed = Identity(id="abc", created_s=1, model="mine", renamed=True)
    assert wrote(answer, identity=renamed)["model"] == "mine"


def test_recorded_answers_are_the_same_again(corpus):
    strictly = 0
    for one in oracle.recorded(corpus, streams=False):
        if "content" not in one.body:
            continue
        message = write_answer(read_answer(one.body), IDENTITY, CONVERSATION, Losses())
        for name in ("id", "type", "role", "model", "content", "stop_reason", "stop_sequence"):
            given = one.body.get(name)
            if name == "content":
                given = [plain(block) for block in given] or [{"type": "text", "text": ""}]
                message[name] = [plain(block) for block in message[name]]
            assert message[name] == given, (one.file, name)
        assert oracle.figures(message["usage"]) == oracle.figures(one.body["usage"]), one.file
        if oracle.is_strict_message(one.body):
            oracle.strict_message(message)
            strictly += 1
    assert strictly > 90


def plain(block):
    return {name: value for name, value in block.items() if value is not None}


TEXTS = st.text(min_size=1, max_size=5)
BLOCKS = st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS})
    | st.fixed_dictionaries(
        {"type": st.just("thinking"), "thinking": st.text(max_size=5), "signature": TEXTS}
    )
    | st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": TEXTS})
    | st.fixed_dictionaries({
        "type": st.just("tool_use"),
        "id": st.from_regex(r"[A-Za-z0-9_-]{1,9}", fullmatch=True),
        "name": TEXTS,
        "input": st.dictionaries(TEXTS, st.integers(-9, 9) | st.text(max_size=3), max_size=2),
    }),
    min_size=1,
    max_size=5,
)  # fmt: skip


@given(BLOCKS, st.sampled_from(["end_turn", "tool_use", "max_tokens", "refusal", None]))
def test_reading_and_writing_loses_nothing(blocks, reason):
    if reason == "end_turn" and any(block["type"] == "tool_use" for block in blocks):
        return
    body = {"content": blocks, "stop_reason": reason}
    message = wrote(read_answer(body))
    assert message["content"] == blocks
    assert message["stop_reason"] == reason
