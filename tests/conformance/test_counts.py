"""Counts of tokens through a real gateway with the official SDKs: every client at every platform."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.platforms import KEYS, NATIVE_MODEL, PLATFORMS, catalogue
from tests.conformance.shop import Shop, open_shop
from tests.services.sdk_received import anthropic_client, gemini_client, openai_client
from tollbridge.demo.fake_books import AccountScript

WORDS = "The quick brown fox jumps over the lazy dog. " * 8
EMBEDDING = "text-embedding-3-small"
HEADER = "x-tollbridge-estimated"
PATHS = {
    "openai": "/v1/responses/input_tokens",
    "anthropic": "/v1/messages/count_tokens",
    "gemini": "/v1beta/models/{model}:countTokens",
}
OF = {"responses": "openai", "messages": "anthropic", "gemini": "gemini"}
CORPUS = Path(os.environ.get("TOLLBRIDGE_CORPUS", Path(__file__).parents[3] / "shared/corpus"))
RECORDED = {
    "messages": "anthropic/count_tokens--*.json",
    "gemini": "gemini/countTokens--*.json",
    "responses": "openai_responses/responses.input_tokens--*.json",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("gateway"), catalogue) as opened:
        yield opened


def by_responses(url: str, platform: str) -> int:
    with openai_client(url, KEYS[platform]) as client:
        counted = client.responses.input_tokens.count(
            model=NATIVE_MODEL[platform], input=WORDS, instructions="Be terse."
        )
    assert counted.object == "response.input_tokens"
    return counted.input_tokens


def by_messages(url: str, platform: str) -> int:
    with anthropic_client(url, KEYS[platform]) as client:
        return client.messages.count_tokens(
            model=NATIVE_MODEL[platform],
            messages=[{"role": "user", "content": WORDS}],
            system="Be terse.",
        ).input_tokens


def by_gemini(url: str, platform: str) -> int:
    with gemini_client(url, KEYS[platform]) as client:
        counted = client.models.count_tokens(model=NATIVE_MODEL[platform], contents=WORDS)
    assert counted.total_tokens is not None
    return counted.total_tokens


ASK = {"responses": by_responses, "messages": by_messages, "gemini": by_gemini}


def raw(surface: str, model: str) -> tuple[str, dict[str, Any]]:
    said = [{"role": "user", "content": "How much?"}]
    if surface == "responses":
        return PATHS["openai"], {"model": model, "input": said}
    if surface == "messages":
        return PATHS["anthropic"], {"model": model, "messages": said}
    contents = [{"role": "user", "parts": [{"text": "How much?"}]}]
    return PATHS["gemini"].format(model=model), {"contents": contents}


def row(shop: Shop, tid: str) -> dict[str, Any]:
    shop.receipt(KEYS["openai"], tid)
    return shop.usage_row(tid)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("surface", ASK)
def test_every_client_counts_at_every_platform(shop, surface, platform):
    before = len(shop.books.calls)
    tokens = ASK[surface](shop.gateway.url, platform)
    # The vendor takes four bytes for a token, of whatever it reads; so does our own estimate.
    assert 90 <= tokens <= 250
    calls = list(shop.books.calls)[before:]
    if platform == "compatible":
        assert not calls
        return
    (call,) = calls
    path = PATHS[platform].format(model=NATIVE_MODEL[platform])
    # Google's client asks for another version than we do.
    assert call.path in {path, path.replace("v1beta", "v1")}
    sent = json.loads(call.body)
    assert not {"max_tokens", "max_output_tokens", "stream", "store"} & sent.keys()


@pytest.mark.parametrize("surface", ASK)
def test_a_count_is_free_and_leaves_a_row(shop, surface):
    platform = OF[surface]
    path, body = raw(surface, NATIVE_MODEL[platform])
    before = shop.gateway.wallet()
    answer = shop.call(KEYS[platform], path, json.dumps(body).encode())
    assert answer.status_code == 200
    assert HEADER not in answer.headers
    assert "x-tollbridge-cost" not in answer.headers
    known = row(shop, answer.headers["x-request-id"])
    assert (known["end_state"], known["charge"], known["surface"]) == ("complete", 0, surface)
    assert shop.gateway.wallet() == before


@pytest.mark.parametrize("surface", ASK)
def test_bytes_pass_untouched_both_ways_within_a_protocol(shop, surface):
    platform = OF[surface]
    path, body = raw(surface, NATIVE_MODEL[platform])
    sent = json.dumps({**body, "future": [1, {"a": None}]}, indent=3).encode()
    answer = shop.call(KEYS[platform], path, sent)
    assert answer.status_code == 200
    assert shop.books.calls[-1].body == sent
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize("platform", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize("surface", ASK)
def test_where_a_vendor_cannot_count_an_estimate_says_that_it_is_one(
    shop, surface, platform, status
):
    path, body = raw(surface, NATIVE_MODEL[platform])
    sent = json.dumps(body).encode()
    shop.books.accounts[platform] = AccountScript({"status": status}, 1)
    answer = shop.call(KEYS[platform], path, sent)
    assert (answer.status_code, answer.headers[HEADER]) == (200, "true")
    name = {"gemini": "totalTokens"}.get(surface, "input_tokens")
    assert answer.json()[name] == -(-len(sent) // 4)
    known = row(shop, answer.headers["x-request-id"])
    assert (known["end_state"], known["charge"]) == ("complete", 0)


def test_other_failures_are_told_and_bad_requests_are_refused(shop):
    model = NATIVE_MODEL["anthropic"]
    path, body = raw("messages", model)
    sent = json.dumps(body).encode()
    shop.books.accounts["anthropic"] = AccountScript({"status": 500}, 1)
    answer = shop.call(KEYS["anthropic"], path, sent)
    assert answer.status_code == 502, answer.text
    shop.books.accounts["anthropic"] = AccountScript({"status": 400}, 1)
    assert shop.call(KEYS["anthropic"], path, sent).status_code == 400
    assert shop.call("sk-wrong", path, sent).status_code == 401
    assert shop.call(KEYS["anthropic"], path, b'{"model":"%b"}' % model.encode()).status_code == 400
    nobody = sent.replace(model.encode(), b"claude-nobody")
    assert shop.call(KEYS["anthropic"], path, nobody).status_code == 404
    assert shop.http.get(path).status_code == 405


def test_both_spellings_of_geminis_path_and_version_reach_the_vendor(shop):
    model = NATIVE_MODEL["gemini"]
    _, body = raw("gemini", model)
    for family, version in (
        ("/v1beta", "v1beta"),
        ("/v1", "v1"),
        ("/gemini/v1beta", "v1beta"),
        ("/gemini/v1", "v1"),
    ):
        path = f"{family}/models/{model}:countTokens"
        assert shop.call(KEYS["gemini"], path, json.dumps(body).encode()).status_code == 200
        assert shop.books.calls[-1].path == f"/{version}/models/{model}:countTokens"


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_googles_client_finds_its_calls_in_each_of_its_versions(shop, version):
    with gemini_client(shop.gateway.url, KEYS["gemini"], api_version=version) as client:
        for model in (NATIVE_MODEL["gemini"], f"models/{NATIVE_MODEL['gemini']}"):
            assert client.models.count_tokens(model=model, contents="hello").total_tokens
            assert client.models.generate_content(model=model, contents="hello").text
        made = client.models.embed_content(model=EMBEDDING, contents=["one", "two"])
        assert len(made.embeddings or []) == 2


def test_what_a_count_goes_on_from_must_be_known(shop):
    body = {"model": NATIVE_MODEL["openai"], "input": "on", "previous_response_id": "resp_1"}
    before = len(shop.books.calls)
    answer = shop.call(KEYS["openai"], PATHS["openai"], json.dumps(body).encode())
    assert (answer.status_code, len(shop.books.calls)) == (400, before)
    assert answer.json()["error"]["code"] == "previous_response_not_found"


def recordings() -> list[Any]:
    found = []
    for surface, pattern in RECORDED.items():
        for file in sorted(CORPUS.glob(pattern)):
            value = json.loads(file.read_text())
            if value["response"]["status"] == 200 and value["request"].get("body"):
                found.append(pytest.param(surface, value["request"]["body"], id=file.stem))
    return found


@pytest.mark.skipif(not recordings(), reason="no recordings here")
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(("surface", "body"), recordings())
def test_recorded_requests_are_counted_by_every_platform(shop, surface, body, platform):
    model = NATIVE_MODEL[platform]
    path = PATHS[OF[surface]].format(model=model)
    if surface != "gemini":
        body = {**body, "model": model}
    answer = shop.call(KEYS[platform], path, json.dumps(body).encode())
    assert answer.status_code == 200, answer.text
    name = {"gemini": "totalTokens"}.get(surface, "input_tokens")
    assert answer.json()[name] > 0
