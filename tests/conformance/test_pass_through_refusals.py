"""Proof of who may not have an endpoint passed through, and that it costs nothing and leaves no trace."""

import contextlib
import json
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests.conformance.passing import FEW, LOCKED, PIN, POOR, SLOW, catalogue
from tests.conformance.shop import Shop, open_shop

PROFILES = ["strict", "legacy", "status402", "plain"]
SURFACES = {
    "chat": ("GET", "/v1/files", {}),
    "messages": ("GET", "/v1/messages/batches", {"anthropic-version": "2023-06-01"}),
    "claude": ("GET", "/claude/v1/files", {}),
    "gemini": ("GET", "/v1beta/files", {}),
    "gemini family": ("GET", "/gemini/v1beta/cachedContents", {}),
}
AT = {"chat": "openai", "messages": "anthropic", "claude": "anthropic"}


@pytest.fixture(scope="module", params=PROFILES)
def shop(tmp_path_factory, request) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("refusing")
    with open_shop(folder, lambda vendor: catalogue(vendor, profile=request.param)) as shop:
        shop.profile = request.param
        yield shop


def asked(shop, key, surface="chat", method=None, path=None, **options):
    usual, where, headers = SURFACES[surface]
    headers = {"authorization": f"Bearer {key}", **headers, **options.pop("headers", {})}
    return shop.http.request(method or usual, path or where, headers=headers, **options)


def error_of(answer):
    told = answer.json()
    assert answer.headers["x-request-id"]
    assert answer.headers["access-control-allow-origin"] == "*"
    return told["error"]


def is_shaped(surface, answer):
    told = answer.json()
    if surface in {"messages", "claude"}:
        return told["type"] == "error" and set(told["error"]) == {"type", "message"}
    if surface.startswith("gemini"):
        return told["error"]["code"] == answer.status_code and "status" in told["error"]
    return {"message", "type", "code", "tid"} <= set(told["error"])


@pytest.mark.parametrize("surface", SURFACES)
def test_without_an_account_there_is_nothing(shop, surface):
    before = shop.books.count
    at = AT.get(surface, "gemini")
    for key in (PIN, f"{PIN}#{at}"):
        refused = asked(shop, key, surface)
        assert (refused.status_code, is_shaped(surface, refused)) == (400, True), refused.text
        assert "X-Tollbridge-Channel" in error_of(refused)["message"]
    forbidden = asked(shop, LOCKED, surface)
    assert (forbidden.status_code, is_shaped(surface, forbidden)) == (403, True)
    pinned = asked(shop, LOCKED, surface, headers={"x-tollbridge-channel": f"{at}/one"})
    assert pinned.status_code == 403
    assert shop.books.count == before
    served = asked(shop, PIN, surface, headers={"x-tollbridge-channel": f"{at}/one"})
    assert served.status_code == 200, served.text


@pytest.mark.parametrize("surface", SURFACES)
def test_what_a_channel_does_not_sell_is_unknown(shop, surface):
    refused = asked(shop, f"{PIN}#plain/one", surface)
    # The plain wildcard means models alone, on either side of the catalogue.
    assert refused.status_code == {"legacy": 503, "status402": 503}.get(shop.profile, 404)
    assert is_shaped(surface, refused)
    assert "gpt-test" not in refused.text


def test_another_vendors_account_does_not_have_it(shop):
    refused = asked(shop, f"{PIN}#openai/one", "messages")
    assert refused.status_code == (401 if shop.profile == "legacy" else 403)
    assert is_shaped("messages", refused)


def test_no_endpoint_is_a_model(shop):
    body = {"messages": [{"role": "user", "content": "hello"}]}
    for model in ("/v1*", "/v1/files", "/v1/files/{id}", "/v1/files/file-1", "/v1/anything", "/"):
        for key in (LOCKED, f"{PIN}#openai/one", f"{PIN}#plain"):
            refused = shop.call(
                key, "/v1/chat/completions", json.dumps({**body, "model": model}).encode()
            )
            assert refused.status_code == {"legacy": 503, "status402": 503}.get(shop.profile, 404)
    embedded = {"model": "/v1/files", "input": "a"}
    refused = shop.call(LOCKED, "/v1/embeddings", json.dumps(embedded).encode())
    assert refused.status_code in {404, 503}


def test_no_endpoint_is_listed(shop):
    for key in (PIN, LOCKED, FEW):
        for family in ("/v1", "/claude/v1", "/v1beta"):
            listed = asked(shop, key, path=f"{family}/models")
            assert listed.status_code == 200
            assert '"/' not in listed.text and "gpt-test" in listed.text
            shown = asked(shop, key, path=f"{family}/models//v1*")
            assert shown.status_code >= 400


def test_a_keys_list_of_models_has_the_name_that_is_sold(shop):
    assert asked(shop, f"{FEW}#openai/one").status_code == 200
    # Priced under another name, which the list has not.
    refused = asked(shop, f"{FEW}#openai/one", path="/v1/batches")
    assert (refused.status_code, is_shaped("chat", refused)) == (403, True)


def test_who_has_no_money_gets_nothing_but_what_is_free_is_not_theirs_either(shop):
    before = shop.books.count
    refused = asked(shop, f"{POOR}#openai/one")
    assert refused.status_code == (403 if shop.profile == "legacy" else 402)
    assert shop.books.count == before


def test_limits_count_these_calls(shop):
    answers = [asked(shop, f"{SLOW}#openai/one") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[0].headers["x-ratelimit-limit-requests"] == "2"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/files/..", "/v1/files/%2e%2e", "/v1/files/a/../b", "/v1/files/a%2fb", "/v1/files/a/b",
        "/v1/files/", "/v1/files/a/content/", "/v1/files/a;b", "/v1/files/a:b", "/claude/v1/batches",
    ],
)  # fmt: skip
def test_what_is_no_plain_path_is_no_endpoint(shop, path):
    before = shop.books.count
    # Other clients put such a path in order before they send it.
    with contextlib.closing(HTTPConnection("127.0.0.1", shop.gateway.port, timeout=60)) as client:
        client.request("GET", path, headers={"authorization": f"Bearer {PIN}#openai/one"})
        assert client.getresponse().status == 404
    assert shop.books.count == before


@pytest.mark.parametrize(
    "query", ["a=%00", "a=%0d%0a", "a=b c", "a=%", "a=%zz", "a=\\", "a=" + "b" * 5000]
)
def test_a_query_that_cannot_pass_is_refused(shop, query):
    before = shop.books.count
    answer = asked(shop, f"{PIN}#openai/one", path=f"/v1/files?{query}".replace(" ", "%20%7f"))
    assert answer.status_code == 400
    assert shop.books.count == before


def test_other_methods_are_told_the_right_ones(shop):
    answer = asked(shop, f"{PIN}#openai/one", method="PUT")
    assert (answer.status_code, set(answer.headers["allow"].replace(" ", "").split(","))) == (
        405,
        {"GET", "POST"},
    )
    assert asked(shop, f"{PIN}#openai/one", method="HEAD").status_code == 405
    flown = asked(shop, PIN, method="OPTIONS", headers={"origin": "https://a.example"})
    assert (flown.status_code, flown.headers["access-control-allow-origin"]) == (204, "*")
