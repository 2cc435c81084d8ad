"""Proof of whose grammar an answer has: the path says it, and at the shared lists the headers."""

import pytest

from tollbridge.api.families import family_of
from tollbridge.core.errors import Surface

CHAT, MESSAGES, GEMINI = Surface.CHAT, Surface.MESSAGES, Surface.GEMINI
HEADERS = [
    ({}, b"", CHAT),
    ({b"authorization": b"Bearer k"}, b"", CHAT),
    ({b"x-api-key": b"k"}, b"", MESSAGES),
    ({b"anthropic-version": b"2023-06-01"}, b"", MESSAGES),
    ({b"anthropic-version": b"2023-06-01", b"authorization": b"Bearer k"}, b"", MESSAGES),
    ({b"x-api-key": b"k", b"authorization": b"Bearer k"}, b"", CHAT),
    ({b"x-goog-api-key": b"k"}, b"", GEMINI),
    ({}, b"pageSize=3&key=k", GEMINI),
    ({}, b"monkey=k", CHAT),
    ({}, b"key=", CHAT),
    ({b"x-goog-api-key": b"k", b"authorization": b"Bearer k"}, b"", CHAT),
    ({b"authorization": b"Bearer k"}, b"key=k", CHAT),
    ({b"x-goog-api-key": b"k", b"x-api-key": b"k"}, b"", MESSAGES),
    ({b"x-api-key": b"", b"x-goog-api-key": b"k"}, b"", GEMINI),
]


@pytest.mark.parametrize(("headers", "query", "expected"), HEADERS)
@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/", "/v1/models/gpt-5.4"])
def test_the_shared_lists_follow_the_credentials(path, headers, query, expected):
    assert family_of(path, headers, query) is expected


@pytest.mark.parametrize(("headers", "query", "_"), HEADERS)
@pytest.mark.parametrize(
    ("path", "surface"),
    [
        ("/claude/v1/models", MESSAGES),
        ("/v1beta/models", GEMINI),
        ("/gemini/v1/models/x", GEMINI),
        ("/v1/models/x:generateContent", GEMINI),
        ("/v1/modelship", CHAT),
        ("/v1/balance", CHAT),
        ("/v1/chat/completions", CHAT),
        ("/v1/messages", MESSAGES),
        ("/v1/embeddings", Surface.MEDIA),
    ],
)
def test_every_other_path_says_it_alone(path, surface, headers, query, _):
    assert family_of(path, headers, query) is surface
