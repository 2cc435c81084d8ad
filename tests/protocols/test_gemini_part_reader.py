"""Single parts in the neutral model."""

import pytest

from tollbridge.protocols.conversation import (
    Audio,
    Call,
    Carrier,
    Document,
    Image,
    Opaque,
    Reasoning,
    Result,
    Text,
    Vendor,
    Video,
)
from tollbridge.protocols.gemini_part_reader import joined_thoughts, read_part

SIGNED = Carrier(Vendor.GEMINI, "c2ln")


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"text": "a"}, Text(text="a")),
        ({"text": "", "thoughtSignature": "c2ln"}, Text(text="", carrier=SIGNED)),
        (
            {"text": "a", "thought": True, "thought_signature": "c2ln"},
            Reasoning(texts=["a"], summary=True, carrier=SIGNED),
        ),
        (
            {"functionCall": {"id": "i", "name": "f"}},
            Call(id="i", name="f", arguments="{}"),
        ),
        (
            {"inlineData": {"mimeType": "application/pdf", "data": "AA==", "displayName": "n"}},
            Document(data="AA==", mime="application/pdf", name="n"),
        ),
        (
            {"inlineData": {"mimeType": "video/mp4", "data": "AA=="}, "videoMetadata": {"fps": 1}},
            Video(data="AA==", mime="video/mp4", extra={"videoMetadata": {"fps": 1}}),
        ),
        (
            {"inlineData": {"mimeType": "audio/mp3", "data": "AA=="}},
            Audio(data="AA==", mime="audio/mp3"),
        ),
        (
            {"fileData": {"fileUri": "gs://b/a", "mimeType": "image/png"}},
            Image(file_id="gs://b/a", mime="image/png"),
        ),
        (
            {"fileData": {"fileUri": "https://x/a.png", "mimeType": "image/png"}},
            Image(url="https://x/a.png", mime="image/png"),
        ),
        ({"fileData": {"fileUri": "https://youtu.be/x"}}, Video(url="https://youtu.be/x")),
        (
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}},
            Document(file_id="https://generativelanguage.googleapis.com/v1beta/files/x"),
        ),
    ],
)
def test_parts(given, part):
    assert read_part(given) == part


@pytest.mark.parametrize(
    "given",
    [
        {"executableCode": {"code": "1"}},
        {"toolCall": {}, "thoughtSignature": "c2ln"},
        {"functionCall": {}},
        {"functionCall": {"name": "f", "args": []}},
        {"inlineData": {}},
        {"fileData": {"fileUri": "gs://b/a", "mimeType": "audio/mp3"}},
        {"text": "a", "inlineData": {"mimeType": "image/png", "data": ""}},
        {"unheardOf": 1},
        {},
    ],
)
def test_other_parts_are_kept_as_they_are(given):
    part = read_part(given)
    assert isinstance(part, Opaque)
    assert part.raw == given


@pytest.mark.parametrize(
    ("response", "text", "failed"),
    [
        ({"result": "a"}, "a", False),
        ({"output": [1]}, "[1]", False),
        ({"error": "no"}, "no", True),
        ({"a": 1, "error": "no"}, '{"a":1,"error":"no"}', False),
        ({}, "", False),
    ],
)
def test_results(response, text, failed):
    part = read_part({"functionResponse": {"name": "f", "response": response}})
    assert isinstance(part, Result)
    assert "".join(one.text for one in part.parts) == text
    assert part.failed is failed


def test_a_result_that_shows_an_image():
    image = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    given = {"functionResponse": {"name": "f", "parts": [image], "scheduling": "SILENT"}}
    part = read_part(given)
    assert part.parts == [Image(data="AAAA", mime="image/png")]
    assert part.extra["functionResponse"] == {"scheduling": "SILENT"}


def test_thoughts_are_joined_up_to_a_signature():
    def thought(text, carrier=None):
        return Reasoning(texts=[text] if text else [], summary=True, carrier=carrier)

    text = Text(text="x")
    assert joined_thoughts(
        [thought("a"), thought("b"), thought("", SIGNED), thought("c"), text, thought("d")]
    ) == [thought("ab", SIGNED), thought("c"), text, thought("d")]
