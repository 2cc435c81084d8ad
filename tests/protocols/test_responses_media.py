"""Parts of a content are read and written again; what is unknown stays as it is."""

import pytest
from hypothesis import given

from tests.protocols import responses_samples as samples
from tollbridge.protocols.conversation import (
    Audio,
    Citation,
    Document,
    Image,
    Opaque,
    Refusal,
    Text,
    Wire,
)
from tollbridge.protocols.responses_media import (
    ITEM,
    annotation,
    citation_of,
    content_of,
    is_content,
    parts_of,
    split_data_url,
)


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"type": "input_text", "text": "a"}, Text(text="a")),
        ({"type": "refusal", "refusal": "no"}, Refusal(text="no")),
        (
            {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,aWk="},
            Image(data="aWk=", mime="image/png", detail="auto"),
        ),
        ({"type": "input_file", "file_data": "JVBE", "filename": "a"},
         Document(data="JVBE", mime="application/pdf", name="a")),
        ({"type": "input_audio", "input_audio": {"data": "aWk=", "format": "mp3"}},
         Audio(data="aWk=", mime="audio/mpeg")),
        ({"type": "input_text", "text": 3},
         Opaque(wire=Wire.RESPONSES, kind="content.input_text", raw={"type": "input_text", "text": 3})),
    ],
)  # fmt: skip
def test_parts(given, part):
    assert parts_of([given]) == [part]
    assert is_content(part)


def test_contents_of_other_kinds():
    assert parts_of("a") == [Text(text="a")]
    assert parts_of("") == parts_of(None) == parts_of(3) == parts_of(["a"]) == []


def test_a_sound_is_written_again():
    given = {"type": "input_audio", "input_audio": {"data": "aWk=", "format": "mp3"}}
    assert content_of(parts_of([given]), assistant=False) == [given]


def test_items_are_no_content():
    assert not is_content(Image(data="a", extra={ITEM: {}}))
    assert not is_content(Opaque(wire=Wire.RESPONSES, kind="web_search_call", raw={}))


@given(samples.assistant_message)
def test_the_assistants_parts_survive(message):
    assert content_of(parts_of(message["content"]), assistant=True) == message["content"]


def test_citations():
    assert citation_of(samples.url_citation) == Citation(samples.URL, "A", 0, 1)
    assert citation_of(samples.file_citation) is None
    assert citation_of({"type": "url_citation"}) is citation_of("a") is None
    placed = annotation(Citation("u"), 7)
    assert (placed["start_index"], placed["end_index"]) == (7, 7)


def test_addresses_with_data():
    assert split_data_url("data:image/png;base64,aa") == ("image/png", "aa")
    assert split_data_url("https://a.org/,") is split_data_url("data:text/plain,a") is None
