"""Requests of each surface are whole, of the size they are to have, and say who asks."""

import json

import pytest

from bench.surfaces import CHAT, GEMINI_STREAM, MESSAGES, Surface


@pytest.mark.parametrize("surface", [CHAT, MESSAGES, GEMINI_STREAM], ids=lambda found: found.path)
def test_requests_are_whole(surface: Surface) -> None:
    body = surface.body(1_400, {"more": True})
    head, _, sent = surface.request(body, "s3cret").partition(b"\r\n\r\n")
    assert head.startswith(f"POST {surface.path} HTTP/1.1\r\n".encode())
    assert b"content-length: 1400" in head
    assert b"s3cret" in head
    assert sent == body
    assert json.loads(sent)["more"] is True
    assert surface.end.endswith(surface.blank)


def test_each_vendor_has_its_own_place_for_the_key() -> None:
    heads = [found.request(b"", "s3cret") for found in (CHAT, MESSAGES, GEMINI_STREAM)]
    names = ["authorization: Bearer s3cret", "x-api-key: s3cret", "x-goog-api-key: s3cret"]
    for head, name in zip(heads, names, strict=True):
        assert name.encode() in head
    assert b"anthropic-version: " in heads[1]


def test_a_body_cannot_be_smaller_than_its_fields() -> None:
    with pytest.raises(ValueError, match="too small"):
        MESSAGES.body(20, {})
