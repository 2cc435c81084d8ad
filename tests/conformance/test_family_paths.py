"""Every path of every family with every method: reached, refused or unknown in the family's own shape."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.conformance.platforms import catalogue
from tests.conformance.shop import Shop, open_shop
from tollbridge.core.cross_origin import ANSWER_PAIRS

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
LISTS = ["GET", "HEAD"]
CALL = ["POST"]
NATIVE = ["/v1", "/v1beta", "/v1alpha", "/gemini/v1", "/gemini/v1beta", "/gemini/v1alpha"]
ACTIONS = [
    *("generateContent", "streamGenerateContent", "countTokens"),
    *("embedContent", "batchEmbedContents"),
]
PATHS: dict[str, tuple[str, list[str]]] = {
    "/v1/chat/completions": ("openai", CALL),
    "/v1/completions": ("openai", CALL),
    "/v1/responses": ("openai", CALL),
    "/v1/responses/compact": ("openai", CALL),
    "/v1/embeddings": ("openai", CALL),
    "/v1/images/generations": ("openai", CALL),
    "/v1/images/edits": ("openai", CALL),
    "/v1/audio/speech": ("openai", CALL),
    "/v1/audio/transcriptions": ("openai", CALL),
    "/v1/audio/translations": ("openai", CALL),
    "/v1/moderations": ("openai", CALL),
    "/v1/realtime": ("openai", ["GET"]),
    "/v1/models": ("openai", LISTS),
    "/v1/models/gpt-5.4": ("openai", LISTS),
    "/v1/balance": ("openai", LISTS),
    "/v1/receipts/0": ("openai", LISTS),
    "/v1/dashboard/billing/subscription": ("openai", LISTS),
    "/v1/dashboard/billing/usage": ("openai", LISTS),
    "/dashboard/billing/subscription": ("openai", LISTS),
    "/dashboard/billing/usage": ("openai", LISTS),
    "/v1/dashboard/billing/credit_grants": ("openai", LISTS),
    "/dashboard/billing/credit_grants": ("openai", LISTS),
    "/v1/messages/count_tokens": ("anthropic", CALL),
    "/claude/v1/messages/count_tokens": ("anthropic", CALL),
    "/v1/responses/input_tokens": ("openai", CALL),
    "/v1/messages": ("anthropic", CALL),
    "/claude/v1/messages": ("anthropic", CALL),
    "/claude/v1/models": ("anthropic", LISTS),
    "/claude/v1/models/gpt-5.4": ("anthropic", LISTS),
    **{f"{at}/models": ("gemini", LISTS) for at in NATIVE[1:]},
    **{f"{at}/models/gpt-5.4": ("gemini", LISTS) for at in NATIVE[1:]},
    **{f"{at}/models/gpt-5.4:{each}": ("gemini", CALL) for at in NATIVE for each in ACTIONS},
}
UNKNOWN = {
    "/v1/nothing": ("openai", None),
    "/v1/v1/chat/completions": ("openai", "/v1/chat/completions"),
    "/v1/images/nothing": ("openai", None),
    "/claude/v1/nothing": ("anthropic", None),
    "/claude/v1/messages/nothing": ("anthropic", None),
    "/claude/v1/v1/messages": ("anthropic", "/claude/v1/messages"),
    "/claude/models": ("anthropic", "/claude/v1/models"),
    "/messages": ("anthropic", "/v1/messages"),
    "/v1/messages/nothing": ("anthropic", None),
    "/gemini/v1beta/nothing": ("gemini", None),
    "/gemini/v2/models": ("gemini", None),
    "/gemini/models/x": ("gemini", "/gemini/v1beta/models/x"),
    "/v1beta/models/x:predict": ("gemini", None),
    "/v1beta/v1beta/models/x:generateContent": ("gemini", "/v1beta/models/x:generateContent"),
    "/gemini/models/x:generateContent": ("gemini", "/gemini/v1beta/models/x:generateContent"),
    # What only another family has is named there, in the words of who asks for such a thing.
    "/claude/v1/chat/completions": ("openai", "/v1/chat/completions"),
    "/gemini/v1beta/v1/messages": ("anthropic", "/v1/messages"),
    "/claude/v1/dashboard/billing/subscription": (
        *("openai", "/v1/dashboard/billing/subscription"),
    ),
    "/gemini/v1beta/dashboard/billing/usage": ("openai", "/v1/dashboard/billing/usage"),
    "/claude/v1/balance": ("openai", "/v1/balance"),
}


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with open_shop(tmp_path_factory.mktemp("gateway"), catalogue) as opened:
        shop: Shop = opened
        yield shop.http


def refused(reply: httpx2.Response, status: int, family: str) -> str:
    """Check that a refusal has the family's shape and can be read by any page; return its message."""
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json"
    for name, value in ANSWER_PAIRS:
        assert reply.headers.get_list(name.decode()) == [value.decode()]
    assert len(reply.headers["x-request-id"]) == 32
    if reply.request.method == "HEAD":
        assert reply.content == b""
        return ""
    body: dict[str, Any] = reply.json()
    error = body["error"]
    if family == "anthropic":
        assert (body["type"], error.keys()) == ("error", {"type", "message"})
    elif family == "gemini":
        assert (error["code"], error["details"][0].keys()) == (status, {"tid"})
    else:
        assert (error["status"], error["tid"]) == (status, reply.headers["x-request-id"])
    message: str = error["message"]
    return message


@pytest.mark.parametrize("path", PATHS)
def test_every_method_of_every_path(http: httpx2.Client, path: str):
    family, allowed = PATHS[path]
    for method in METHODS:
        reply = http.request(method, path)
        if method == "OPTIONS":
            assert (reply.status_code, reply.content) == (204, b"")
        elif method in allowed:
            # It is there: it asks for a key, or for a handshake first.
            refused(reply, 400 if path == "/v1/realtime" else 401, family)
        else:
            words = refused(reply, 405, family)
            assert reply.headers["allow"] == ",".join(sorted(allowed))
            assert method == "HEAD" or f"({method} {path})" in words


@pytest.mark.parametrize("path", UNKNOWN)
def test_every_method_of_a_wrong_path(http: httpx2.Client, path: str):
    family, nearest = UNKNOWN[path]
    for method in METHODS:
        reply = http.request(method, path)
        if method == "OPTIONS":
            assert reply.status_code == 204
            continue
        words = refused(reply, 404, family)
        if method != "HEAD":
            guess = f" (did you mean {nearest}?)" if nearest else ""
            assert words == f"Invalid URL ({method} {path}){guess}"
