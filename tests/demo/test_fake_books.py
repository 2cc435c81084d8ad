"""What the pretend vendor remembers."""

import hashlib
import json

import pytest

from tollbridge.demo.fake_books import AccountScript, Books
from tollbridge.demo.fake_script import Script, read_ask

_HEADERS = [(b"host", b"x"), (b"authorization", b"Bearer secret-1")]


def test_a_call_and_its_end() -> None:
    books = Books()
    body = b'{"model":"m","max_tokens":5,"stream":true}'
    call = books.receive("/v1/chat/completions", _HEADERS, body)
    books.describe(call, read_ask(body), Script(tag="t"))
    books.deliver(call, 3)
    books.end(call, aborted=True)
    (facts,) = json.loads(books.last(5))
    assert facts["authorization"] == "Bearer secret-1"
    assert facts["headers"] == ["host", "authorization"]
    assert (facts["model"], facts["max_tokens"], facts["stream"]) == ("m", 5, True)
    assert (facts["tag"], facts["tokens_out"], facts["state"]) == ("t", 3, "aborted")
    assert facts["body_sha256"] == hashlib.sha256(body).hexdigest()
    stats = json.loads(books.stats())
    assert (stats["calls"], stats["by_model"], stats["tokens_out_total"]) == (1, {"m": 1}, 3)
    assert (stats["aborted"], stats["open_streams"]) == (1, 0)


def test_only_the_last_large_bodies_are_kept() -> None:
    books = Books()
    calls = [books.receive("/", [], bytes(10_000)) for _ in range(40)]
    assert sum(len(call.body) for call in calls) == 16 * 10_000
    assert calls[0].facts()["body_sha256"] == ""
    assert calls[0].facts()["body_bytes"] == 10_000
    assert calls[-1].facts()["body_sha256"] != ""


def test_account_scripts_can_run_out() -> None:
    books = Books()
    books.accounts["a"] = AccountScript({"status": 503}, times=2)
    books.accounts["b"] = AccountScript({"status": 500})
    assert [books.defaults("a") for _ in range(3)] == [{"status": 503}, {"status": 503}, None]
    assert [books.defaults("b") for _ in range(3)] == [{"status": 500}] * 3
    assert books.defaults("c") is None


def test_last_none_and_reset() -> None:
    books = Books()
    books.receive("/", _HEADERS, b"{}")
    assert json.loads(books.last(0)) == []
    books.accounts["a"] = AccountScript({})
    books.open_streams = 1
    books.reset()
    assert (books.count, len(books.calls), books.accounts, books.open_streams) == (0, 0, {}, 1)


@pytest.mark.parametrize(
    ("headers", "query", "place", "secret"),
    [
        ([(b"authorization", b"Bearer a")], "", "authorization", "a"),
        ([(b"x-api-key", b"a")], "", "x-api-key", "a"),
        ([(b"x-goog-api-key", b"a")], "key=b", "x-goog-api-key", "a"),
        ([(b"x-api-key", b"a"), (b"authorization", b"Bearer b")], "", "authorization", "b"),
        ([], "alt=sse&key=a%2Fb", "key", "a/b"),
        ([], "alt=sse", "", ""),
    ],
)
def test_secrets_stand_in_several_places(headers, query, place, secret):
    call = Books().receive("/", headers, b"", "GET", query)
    assert (call.place, call.secret, call.method, call.query) == (place, secret, "GET", query)


def test_responses_are_kept_for_their_account_and_not_for_ever():
    books = Books()
    for number in range(1_001):
        books.keep("a", f"r{number}", b"%d" % number)
    assert (books.kept("a", "r0"), books.kept("a", "r1000")) == (None, b"1000")
    assert books.kept("b", "r1000") is None
    books.reset()
    assert not books.responses
