"""Media in chat JSON: data URLs are taken apart and put together, bytes say what they are."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.chat_media import (
    data_url,
    document_in,
    file_of,
    image_address,
    image_in,
    image_of_message,
    mime_of,
    sound_format,
    sound_in,
    split_data_url,
    video_in,
)
from tollbridge.protocols.conversation import Audio, Document, Image, Video


def base64(data):
    return b64encode(data).decode()


@given(st.from_regex(r"[a-z]+/[a-z]+(;[a-z]+=[a-z]+)?", fullmatch=True), st.binary())
def test_data_urls_come_back(mime, data):
    assert split_data_url(data_url(mime, base64(data))) == (mime, base64(data))


def test_data_urls_of_other_kinds():
    assert split_data_url("DATA:text/plain,a%20b") == ("text/plain", base64(b"a b"))
    assert split_data_url("data:,x%C3%bcé%zz") == ("text/plain", base64("xüé%zz".encode()))
    assert split_data_url("data:nothing") is None
    assert split_data_url("https://x/data:a,b") is None


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"),
        (b"RIFF\x01\x02\x03\x04WAVEfmt ", "audio/wav"),
        (b"%PDF-1.7", "application/pdf"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"OggS\x00", "audio/ogg"),
        (b"fLaC\x00", "audio/flac"),
    ],
)
def test_bytes_say_what_they_are(head, mime):
    assert mime_of(base64(head + b"\x00" * 20), "said/else", "") == mime


def test_else_what_was_said():
    assert mime_of("AAAA", "image/heic", "image/png") == "image/heic"
    assert mime_of("UklGRnhWNBJBVkkg", "", "image/png") == "image/png"


def test_images():
    assert image_in("https://x", detail="low") == Image(url="https://x", detail="low")
    inside = image_in("data:image/gif;base64,/9j/4AAQ")
    assert inside == Image(data="/9j/4AAQ", mime="image/jpeg")
    assert image_address(inside) == "data:image/jpeg;base64,/9j/4AAQ"
    assert image_address(Image(url="https://x")) == "https://x"
    assert image_of_message({"image_url": "https://x"}) == Image(url="https://x")
    for nothing in (7, {}, {"image_url": {}}, {"image_url": {"url": ""}}):
        assert image_of_message(nothing) is None


def test_videos():
    assert video_in("https://v") == Video(url="https://v")
    assert video_in("data:video/webm;base64,AAAA") == Video(data="AAAA", mime="video/webm")


@pytest.mark.parametrize("form", ["wav", "mp3", "flac", "pcm16"])
def test_formats_of_sounds_come_back(form):
    assert sound_format(sound_in("AAAA", form).mime) == form


def test_sounds():
    assert sound_in("data:audio/mp3;base64,AAAA", "") == Audio(data="AAAA", mime="audio/mp3")
    assert sound_in("T2dnUwAA", "").mime == "audio/ogg"
    assert sound_format("audio/x-wav") == "wav"


@pytest.mark.parametrize(
    ("file", "document"),
    [
        ({"file_id": "f"}, Document(file_id="f")),
        ({"file_data": "https://x/a.pdf"}, Document(url="https://x/a.pdf")),
        (
            {"filename": "a.txt", "file_data": "data:text/plain;base64,YQ=="},
            Document(data="YQ==", mime="text/plain", name="a.txt"),
        ),
    ],
)
def test_files_come_back(file, document):
    assert document_in(file) == document
    assert file_of(document) == file


def test_files_without_a_name_get_one():
    document = document_in({"file_data": "JVBERi0x"})
    assert document == Document(data="JVBERi0x", mime="application/pdf")
    data = "data:application/pdf;base64,JVBERi0x"
    assert file_of(document) == {"filename": "document.pdf", "file_data": data}
    assert document_in({"filename": "a"}) is None
