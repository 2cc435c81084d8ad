"""Tests of the scan for media and references: sure of what it takes from the text, wary of keys."""

import json
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollbridge.protocols.blobs import BlobScan, scan

PNG = b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8).decode()
JPEG = b64encode(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8).decode()
WAV = b64encode(b"RIFF\x24\x08\0\0WAVEfmt " + bytes(range(256)) * 8).decode()
PDF = b64encode(b"%PDF-1.7\n" + bytes(range(256)) * 8).decode()
PROSE = "word " * 5_000
OPAQUE = BlobScan(opaque=True)


def body_of(content: Any, **fields: Any) -> bytes:
    fields["messages"] = [{"role": "user", "content": content}]
    return json.dumps(fields).encode()


def image_url(url: str, **fields: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {**fields, "url": url}}


def inline(data: str, mime: str = "image/png") -> dict[str, Any]:
    return {"inlineData": {"mimeType": mime, "data": data}}


def source(data: str, media_type: str = "image/png", kind: str = "base64") -> dict[str, Any]:
    return {"type": "image", "source": {"type": kind, "media_type": media_type, "data": data}}


@pytest.mark.parametrize("size", [10, 300_000])
def test_plain_text_has_nothing_to_find(size: int) -> None:
    text = ('He said "hi": {"file_id": "x"} \n\\ <b>&</b> \u00e4\u4e2d ' * size)[:size]
    assert scan(body_of(text, model="m", max_tokens=5)) == BlobScan()
    assert not scan(body_of(text)).media


@pytest.mark.parametrize(
    "part",
    [
        image_url(f"data:image/png;base64,{PNG}"),
        image_url(f"data:image/png;base64,{PNG}", detail="low"),
        image_url(f"DATA:image/PNG;base64,{PNG}"),
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
        source(PNG),
        inline(PNG),
        inline(urlsafe_b64encode(b"\x89PNG\r\n\x1a\n" + b"\xff" * 99).decode()),
        {"inline_data": {"data": JPEG, "mime_type": "image/jpeg"}},
        {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": f"data:audio/wav;base64,{WAV}"}},
    ],
)
def test_embedded_images_and_sounds_leave_the_text(part: dict[str, Any]) -> None:
    data = max(_strings(part), key=len).rpartition(",")[2]
    assert scan(body_of([part, {"text": "hello"}])) == BlobScan(count=1, bytes=len(data))
    assert scan(body_of([part, part])) == BlobScan(count=2, bytes=2 * len(data))
    assert scan(body_of([part] * 200 + [PROSE])).count == 200


def test_escapes_that_encoders_write_into_base64_are_part_of_it() -> None:
    for escaped in (JPEG.replace("/", "\\/"), JPEG.replace("+", "\\u002B")):
        assert len(escaped) > len(JPEG)
        data_url = '{"image_url":{"url":"data:image\\/jpeg;base64,' + escaped + '"}}'
        assert scan(data_url.encode()) == BlobScan(count=1, bytes=len(escaped))


@pytest.mark.parametrize("repeats", [1, 200])
def test_only_the_base64_of_a_blob_leaves_the_text(repeats: int) -> None:
    data = (PNG + "\\n") * repeats
    for part in (image_url(f"data:image/png;base64,{data} {PROSE}"), source(f"{data}, {PROSE}")):
        raw = json.dumps(part).replace("\\\\n", "\\n").encode()
        assert scan(raw) == BlobScan(count=1, bytes=len(data))


def test_a_long_sound_counts_once_for_every_started_piece() -> None:
    for length, count in ((256 * 1024 - 4, 1), (256 * 1024, 2), (1024 * 1024 + 4, 5)):
        sound = (WAV[:-4].rstrip("=") + "A" * length)[:length]
        assert scan(body_of(inline(sound, "audio/wav"))) == BlobScan(count=count, bytes=length)


@pytest.mark.parametrize(
    "content",
    [
        f"data:image/png;base64,{PNG}",
        f"as in ;base64,{PNG}",
        [{"type": "text", "text": f"data:image/png;base64,{PNG}"}],
        [{"type": "text", "text": json.dumps(image_url(f"data:image/png;base64,{PNG}"))}],
    ],
)
def test_base64_in_a_text_stays_text(content: Any) -> None:
    assert scan(body_of(content)) == BlobScan()


@pytest.mark.parametrize(
    "part",
    [
        image_url(f"data:image/png;base64,{PROSE}"),
        image_url("data:image/png;base64," + "aaaa" * 5_000),
        image_url(f"data:image/png,{PNG}"),
        image_url(f"data:text/plain;base64,{PNG}"),
        image_url(f"data:{PNG}"),
        {"file": {"file_data": f"data:application/pdf;base64,{PDF}"}},
        source(PDF, "application/pdf"),
        source("aaaa" * 5_000),
        source(PNG, "text/plain", kind="text"),
        {"inlineData": {"data": PNG, "mimeType": "text/plain"}},
        {"inlineData": {"data": PNG, "mime_type": "TEXT/csv"}},
    ],
)
def test_what_is_read_as_text_or_grows_like_it_is_counted_but_stays_text(
    part: dict[str, Any],
) -> None:
    assert scan(body_of([part])) == BlobScan(count=1, bytes=0)


def test_short_data_fields_and_prose_are_no_blobs() -> None:
    assert scan(body_of([{"data": "yes"}, {"data": PROSE}, {"data": 5}])) == BlobScan()


@pytest.mark.parametrize(
    "part",
    [
        image_url("https://example.com/a.png"),
        image_url("https://example.com/a.png", detail="high"),
        {"image_url": {"url": "gs://a/b"}, "type": "image_url"},
        {"type": "input_image", "image_url": "http://example.com/a.png"},
        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        {"type": "input_audio", "input_audio": {"data": "https://example.com/a.wav"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"fileData": {"fileUri": "https://example.com/a", "mimeType": "video/mp4"}},
        {"file_data": {"file_uri": "files/a"}},
        {"type": "item_reference", "id": "msg_1"},
        {"role": "assistant", "audio": {"id": "audio_1"}},
    ],
)
def test_content_kept_elsewhere_is_opaque(part: dict[str, Any]) -> None:
    for indent in (None, 2):
        assert scan(json.dumps({"messages": [part]}, indent=indent).encode()) == OPAQUE
    assert scan(json.dumps({"z": PROSE * 20, "messages": [part]}).encode()) == OPAQUE
    assert scan(body_of([{}] * 200 + [PROSE, part])) == OPAQUE
    assert scan(body_of(json.dumps(part))) == BlobScan()
    assert OPAQUE.media


@pytest.mark.parametrize(
    "fields",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"conversation": {"id": "conv_1"}},
        {"cachedContent": "cachedContents/1"},
        {"cached_content": "cachedContents/1"},
        {"prompt": {"id": "pmpt_1"}},
        {"prompt": {"variables": {}, "id": "pmpt_1"}},
        {"web_search_options": {}},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"type": "file_search", "vector_store_ids": []}]},
        {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
        {"tools": [{"type": "mcp", "server_url": "https://example.com"}]},
        {"mcp_servers": [{"name": "a"}]},
        {"tools": [{"googleSearch": {}}]},
        {"tools": [{"google_search": {}}]},
        {"tools": [{"codeExecution": {}}]},
        {"tools": [{"urlContext": {}}]},
    ],
)
def test_stored_state_and_server_tools_are_opaque(fields: dict[str, Any]) -> None:
    assert scan(body_of("hello", **fields)) == OPAQUE


@pytest.mark.parametrize(
    "fields",
    [
        {"previous_response_id": None, "conversation": None, "prompt": "Once upon a time"},
        {"tools": [{"type": "function", "function": {"name": "web_search", "parameters": {}}}]},
        {"properties": {"prompt": {"type": "string"}, "file_id": {"type": "string"}}},
        {"properties": {"url": {"type": "string"}, "data": {"type": "object"}}},
        {"required": ["file_id", "cachedContent", "url", "data", "image", "audio"]},
        {"audio": {"voice": "alloy", "format": "wav"}, "modalities": ["text", "audio"]},
        {"input": {"url": "https://example.com"}},
        {"arguments": '{"file_id": "file-1"}'},
    ],
)
def test_names_alone_are_no_references(fields: dict[str, Any]) -> None:
    assert scan(body_of("hello", **fields)) == BlobScan()


@pytest.mark.parametrize(
    "fields",
    [
        {"file_id": "f"},
        {"conversation": {"id": "c"}},
        {"prompt": {"version": "1"}},
        {"prompt": {"variables": {}}},
        {"data": "https://a"},
        {"data": "gs://a"},
        {"image_url": {"url": "https://a"}},
        {"image_url": "https://a"},
        {"audio": {"id": "a"}},
        {"googleSearch": {}},
        {"enterprise_web_search": {}},
        {"mcp_servers": [{}]},
        *({"type": kind} for kind in ("url", "item_reference", "mcp", "web_search", "tool_search")),
    ],
)
def test_escaping_any_letter_hides_nothing(fields: dict[str, Any]) -> None:
    plain = json.dumps(fields)
    assert scan(plain.encode()) == OPAQUE
    for at, character in enumerate(plain):
        if character.isalpha() or character == "_" or plain[at : at + 3] == "://":
            hidden = f"{plain[:at]}\\u{ord(character):04x}{plain[at + 1 :]}"
            assert json.loads(hidden) == fields
            assert scan(hidden.encode()) == OPAQUE, hidden


def test_a_quote_inside_a_string_begins_no_key() -> None:
    assert scan(('{"a \\"data":"' + PNG + '"}').encode()) == BlobScan()
    assert scan(b'{"content":"say \\"f\\u006fo\\""}') == BlobScan()


def test_a_text_type_behind_escapes_still_keeps_data_in_the_text() -> None:
    raw = json.dumps(source(PNG, "text/plain", kind="text"))
    for word in ("t\\u0065xt/", "\\u0074ext/", "tex\\u0074/"):
        assert scan(raw.replace("text/", word).encode()) == BlobScan(count=1, bytes=0)


@pytest.mark.parametrize("text", ["\\u003cb\\u003e", "a\\u0026b", "it\\u0027s", "\\u4e2d", "a\\nb"])
def test_escapes_that_clients_write_are_harmless(text: str) -> None:
    assert scan(('{"content":"' + text + '"}').encode()) == BlobScan()


_pieces = st.sampled_from(
    [
        b'"',
        b"\\",
        b":",
        b"{",
        b"}",
        b'"data"',
        b'"url"',
        b'"image_url":',
        b'"data:image/png;base64,',
    ]
)
_runs = st.sampled_from(
    [PNG[:64].encode(), WAV[:48].encode(), b" ", b"\\u0041", b"\\/", b"\xff", b"=", b"a" * 70_000]
)
_starts = st.sampled_from([b'"mimeType":"text', b'"inlineData":{"data":"', b'"data":"'])


@given(st.lists(_pieces | _runs | _starts | st.binary(max_size=8), max_size=40).map(b"".join))
@example(b"")
@example(b'"data":"' + PNG.encode())
@example(b'"url":"data:image/png;base64,')
def test_blobs_never_take_more_than_the_base64_that_is_there(body: bytes) -> None:
    found = scan(body)
    text_bytes = len(body) - found.bytes
    assert text_bytes >= 0 and found.bytes >= 0 and found.count >= 0
    not_base64 = body.translate(
        None, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_\\"
    )
    assert text_bytes >= len(not_base64)
    if found.bytes:
        assert found.count >= 1


@given(st.text(), st.text())
def test_no_text_of_a_message_is_ever_taken_for_media(before: str, after: str) -> None:
    tricky = before + '"image_url":{"url":"data:image/png;base64,' + PNG + '"}' + after
    assert scan(body_of(tricky)) == BlobScan()


def _strings(value: Any) -> list[str]:
    """Return every string value inside a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return [value] if isinstance(value, str) else []


def _refers(value: Any) -> bool:
    """Return by a real parse whether a request refers to media or items kept elsewhere."""
    if isinstance(value, list):
        return any(_refers(item) for item in value)
    if not isinstance(value, dict):
        return False
    named = {"file_id", "previous_response_id", "cachedContent", "fileUri", "file_url"}
    image = value.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    return (
        any(isinstance(value.get(name), str) for name in named)
        or value.get("type") in {"url", "item_reference"}
        or (isinstance(url, str) and not url.startswith("data:"))
        or any(_refers(item) for item in value.values())
    )


def test_recorded_requests(corpus: Path) -> None:
    references = media = 0
    for path in sorted(corpus.glob("*/*.json")):
        request = json.loads(path.read_text())["request"]
        if not isinstance(request.get("body"), dict):
            continue
        for indent in (None, 1):
            found = scan(json.dumps(request["body"], indent=indent).encode())
            assert found.opaque or not _refers(request["body"]), path.name
        references += found.opaque
        images = [text for text in _strings(request["body"]) if text.startswith("data:image/")]
        assert found.opaque or found.count >= len(images), path.name
        media += found.count
    assert references > 50
    assert media > 20
