"""Parts of an answer in Gemini's words; nothing is refused."""

import pytest

from tollbridge.protocols.conversation import (
    Call,
    Carrier,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Result,
    Text,
    Vendor,
    Wire,
)
from tollbridge.protocols.gemini_answer_parts import answer_parts, complete, thought_part
from tollbridge.protocols.gemini_signature import carrier_of
from tollbridge.protocols.losses import Losses

SIGNED = Carrier(Vendor.GEMINI, "c2ln")


@pytest.mark.parametrize(
    ("part", "written"),
    [
        (Text(text="a", extra={"foreign": 1}), [{"text": "a"}]),
        (Text(text="", carrier=SIGNED), [{"text": "", "thoughtSignature": "c2ln"}]),
        (Text(text=""), []),
        (Refusal(text=""), []),
        (Reasoning(texts=["a"]), [{"text": "a", "thought": True}]),
        (
            Image(data="AAAA", mime="image/png", carrier=SIGNED),
            [
                {
                    "inlineData": {"mimeType": "image/png", "data": "AAAA"},
                    "thoughtSignature": "c2ln",
                }
            ],
        ),
        (Opaque(wire=Wire.GEMINI, kind="x", raw={"x": 1}), [{"x": 1}]),
    ],
)
def test_parts(part, written):
    losses = Losses()
    assert answer_parts(part, losses) == written
    assert not losses.counts


@pytest.mark.parametrize(
    "part",
    [Document(), Opaque(wire=Wire.CHAT, kind="x", raw={}), Result(call_id="c", parts=[])],
)
def test_what_has_no_place_is_noted(part):
    losses = Losses()
    assert answer_parts(part, losses) == []
    assert losses.counts == {"answer_opaque": 1}


@pytest.mark.parametrize(
    ("arguments", "custom", "whole"),
    [("", False, True), ("{}", False, True), ('{"a', False, False), ("{", True, True)],
)
def test_complete(arguments, custom, whole):
    assert complete(Call(id="", name="f", arguments=arguments, custom=custom)) is whole


def test_a_thought_bears_its_carrier():
    carrier = Carrier(Vendor.ANTHROPIC, "sig")
    part = thought_part("a", carrier, redacted=True)
    assert carrier_of(part["thoughtSignature"]) == (carrier, True)
