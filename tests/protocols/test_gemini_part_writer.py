"""Single parts in Gemini's words."""

import base64

import pytest

from tollbridge.protocols.conversation import Audio, Call, Carrier, Document, Image, Vendor, Video
from tollbridge.protocols.gemini_part_writer import (
    arguments_object,
    call_part,
    media_part,
    parsed_object,
)
from tollbridge.protocols.losses import Untranslatable


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        ('{"a": 123456789012345678901}', {"a": 123456789012345678901}),
        ("", {}),
        ("[1]", {"_raw": "[1]"}),
        ("{", {"_raw": "{"}),
    ],
)
def test_arguments(arguments, made):
    assert arguments_object(arguments) == made


def test_parsed_object():
    assert parsed_object('{"a":1}') == {"a": 1}
    assert parsed_object("3") is None
    assert parsed_object("{" * 5000) is None


def test_calls():
    call = Call(id="", name="f", arguments="x", carrier=Carrier(Vendor.GEMINI, "c2ln"))
    assert call_part(call, "g", free_text=True) == {
        "functionCall": {"name": "g", "args": {"input": "x"}},
        "thoughtSignature": "c2ln",
    }


def encoded(raw):
    return base64.b64encode(raw + b"0" * 16).decode()


@pytest.mark.parametrize(
    ("media", "mime"),
    [
        (Image(data=encoded(b"\xff\xd8\xff\xe0")), "image/jpeg"),
        (Image(data=encoded(b"RIFF0000WEBP")), "image/webp"),
        (Image(data="!"), "image/png"),
        (Image(data="AAAA", mime="image/heic"), "image/heic"),
        (Document(data=encoded(b"?")), "application/pdf"),
        (Video(data="AAAA"), "video/mp4"),
        (Audio(data="AAAA", mime=""), "audio/wav"),
    ],
)
def test_the_type_is_what_was_said_or_what_the_bytes_are(media, mime):
    assert media_part(media, "f")["inlineData"]["mimeType"] == mime


def test_a_text_document():
    made = media_part(Document(text="né"), "f")["inlineData"]
    assert made["mimeType"] == "text/plain"
    assert base64.b64decode(made["data"]).decode() == "né"


GOOGLE = "https://generativelanguage.googleapis.com/v1beta/files/x"


@pytest.mark.parametrize("uri", ["gs://b/x", GOOGLE])
def test_files_at_googles_are_named(uri):
    assert media_part(Image(url=uri, mime="image/png"), "f") == {
        "fileData": {"fileUri": uri, "mimeType": "image/png"}
    }
    assert media_part(Document(file_id=uri), "f") == {"fileData": {"fileUri": uri}}


@pytest.mark.parametrize(
    "media",
    [Image(url="https://x/y"), Document(file_id="file-1"), Image(), Audio(data="", mime="")],
)
def test_other_files_are_refused(media):
    with pytest.raises(Untranslatable, match="input"):
        media_part(media, "input")


def test_geminis_own_addresses_and_names_are_kept():
    document = Document(url="https://x/y", name="n")
    assert media_part(document, "f", anywhere=True) == {
        "fileData": {"fileUri": "https://x/y", "displayName": "n"}
    }
    named = Document(data="AAAA", mime="application/pdf", name="n")
    assert "displayName" not in media_part(named, "f")["inlineData"]
