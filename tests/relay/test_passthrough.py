"""Proof of what of a request passes: its path and query in their place, few headers, one account."""

import re
from urllib.parse import parse_qsl, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import account, asked, channel, chat, key, model, price, snapshot
from tests.relay.visitor import Visitor
from tollbridge.catalog.prices import Rates
from tollbridge.core.errors import ApiError, Kind, Surface
from tollbridge.protocols.media_request import Refused
from tollbridge.protocols.usage import Usage
from tollbridge.relay.call import Call
from tollbridge.relay.gate import Offers, read_body
from tollbridge.relay.passthrough import (
    ONE_CALL,
    PassAsk,
    PassThrough,
    admit,
    dialect_of,
    is_passed,
    passing_query,
)
from tollbridge.relay.routes import is_relayed, match

BY_CALL = price(rates=Rates.filled({}), request=5)
SOLD = (model(), model("/v1*", price=BY_CALL))


def visit(path="/v1/files", method="GET", body=b"", **values):
    visitor = Visitor(body, path=path, **values)
    visitor.method = method
    return visitor


def call_of(visitor=None, *, by=None, only=1, catalogue=None):
    visitor = visitor or visit()
    dialect = dialect_of(visitor)
    assert dialect is not None
    call = Call(visitor, "t" * 32, dialect, 0.0)
    call.snapshot = catalogue or snapshot(channel(models=["*", "/v1*"]), models=SOLD)
    call.key = by or key(may_pin=True)
    call.only_account = only
    call.pinned = call.snapshot.channels[1] if only else None
    return call


def passed(visitor, to=None):
    dialect = dialect_of(visitor)
    assert isinstance(dialect, PassThrough)
    return dialect.request(visitor, to or account())


def judge(call):
    read_body(call)
    if isinstance(call.dialect, PassThrough):
        admit(call)
    Offers().choose(call)
    return call


def refusal(call):
    with pytest.raises(ApiError) as caught:
        judge(call)
    return caught.value


@pytest.mark.parametrize(
    ("path", "headers", "surface"),
    [
        ("/v1/files", {}, Surface.CHAT),
        ("/v1/files", {b"anthropic-version": b"2023-06-01"}, Surface.MESSAGES),
        ("/v1/batches", {b"anthropic-version": b"2023-06-01"}, Surface.CHAT),
        ("/v1/files", {b"x-goog-api-key": b"k"}, Surface.CHAT),
        ("/v1/cachedContents", {}, Surface.GEMINI),
        ("/claude/v1/files", {}, Surface.MESSAGES),
        ("/v1/messages/batches", {}, Surface.MESSAGES),
        ("/v1beta/files", {}, Surface.GEMINI),
        ("/gemini/v1/files", {}, Surface.GEMINI),
    ],
)
def test_whose_endpoint_it_is(path, headers, surface):
    dialect = dialect_of(visit(path, headers=headers))
    assert dialect is not None
    assert (dialect.surface, dialect.surface_name) == (surface, surface.value)


@pytest.mark.parametrize("query", [b"", b"key=k"])
def test_googles_key_alone_means_google(query):
    visitor = visit("/v1/files", query=query, headers={b"x-goog-api-key": b"k"})
    del visitor.headers[b"authorization"]
    dialect = dialect_of(visitor)
    assert dialect is not None
    assert dialect.surface is Surface.GEMINI


def test_they_are_relayed_and_no_metered_path_is_one():
    for method, path in (("GET", "/v1/files"), ("DELETE", "/v1/files/a"), ("POST", "/v1/batches")):
        assert is_relayed(method, path) and is_passed(method, path)
        assert match(path) is None
    assert not is_relayed("PUT", "/v1/files")
    assert not is_passed("POST", "/v1/messages")
    assert dialect_of(visit("/v1/messages", "POST")) is None


def test_a_request_goes_out_as_it_came():
    visitor = visit(
        "/gemini/v1beta/cachedContents/c-1",
        "PATCH",
        b"\xff{",
        query=b"updateMask=ttl&key=sk-1",
        headers={b"content-type": b"application/json", b"cookie": b"a=b", b"x-other": b"1"},
    )
    method, path, lines = passed(visitor, account(platform="gemini"))
    assert (method, path) == (b"PATCH", b"/v1beta/cachedContents/c-1?updateMask=ttl")
    assert lines == (b"content-type: application/json\r\ncontent-length: 2\r\naccept: */*\r\n")


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("GET", b"", None), ("DELETE", b"", None), ("POST", b"", b"0"), ("POST", b"ab", b"2"),
        ("GET", b"a", b"1"),
    ],
)  # fmt: skip
def test_a_body_has_its_length(method, body, length):
    path = {"POST": "/v1/batches", "DELETE": "/v1/files/a"}.get(method, "/v1/files")
    _, _, lines = passed(visit(path, method, body))
    found = re.search(rb"content-length: (\d+)\r\n", lines)
    assert (found and found[1]) == length


def test_betas_of_what_is_kept_pass_and_unknown_ones_do_not():
    headers = {b"anthropic-beta": b"files-api-2025-04-14,fast-mode-2026-01-01"}
    _, _, lines = passed(visit("/claude/v1/files", headers=headers), account(platform="anthropic"))
    assert b"anthropic-beta: files-api-2025-04-14\r\n" in lines
    assert b"anthropic-version: 2023-06-01\r\n" in lines


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (b"", b""), (b"limit=3&after=a", b"limit=3&after=a"), (b"key=k", b""),
        (b"a=1&key=k&b=2", b"a=1&b=2"), (b"k%65y=k&KEY=1&%24key=2&a=%41", b"a=%41"),
        (b"access_token=t&api_key=1&oauth_token=2&$key=3", b""), (b"monkey=1", b"monkey=1"),
        (b"include%5B%5D=a+b", b"include%5B%5D=a+b"), (b"&&a", b"&&a"), (b"k+ey=1", b"k+ey=1"),
    ],
)  # fmt: skip
def test_a_query_passes_byte_for_byte_without_credentials(query, left):
    assert passing_query(query) == left


@given(st.binary(max_size=40) | st.text("key=&%65$aZ+._ \r\n\0#?;", max_size=30).map(str.encode))
def test_no_query_breaks_a_line_or_says_a_secret(query):
    try:
        left = passing_query(query)
    except Refused:
        assert query
        return
    assert re.fullmatch(rb"[!-~]*", left) and b"#" not in left and b"?" not in left
    text = unquote_plus(left.decode("ascii"), "latin-1")
    assert not re.search(r"[\x00-\x1f\x7f]", text)
    names = {name.lower() for name, _ in parse_qsl(left.decode("ascii"), keep_blank_values=True)}
    assert not names & {"key", "api_key", "access_token"}
    kept = left.split(b"&")
    assert [pair for pair in query.split(b"&") if pair in kept] == kept or not left


@pytest.mark.parametrize(
    "query", [b"a=%0a", b"a=%00", b"a=%7f", b"a=%7F", b"a b", b"%", b"a=%g0", b"a" * 4097]
)
def test_a_query_that_cannot_pass_is_refused(query):
    error = refusal(call_of(visit(query=query)))
    assert (error.kind, error.code, error.param) == (Kind.INVALID_REQUEST, "invalid_query", "query")


def test_it_is_sold_by_the_catalogues_name_and_sent_by_its_own():
    call = judge(call_of(visit("/v1/files/file-secret/content")))
    assert call.ask == PassAsk("/v1*", "/v1/files/{id}/content")
    assert (call.upstream_model, call.model.name) == ("/v1/files/{id}/content", "/v1*")
    assert call.wish.whole and not call.wish.has_output


@pytest.mark.parametrize(
    ("by", "kind"),
    [
        (key(), Kind.PIN_FORBIDDEN),
        (key(may_pin=True), Kind.INVALID_REQUEST),
        (key(user_role="admin"), Kind.INVALID_REQUEST),
    ],
)
def test_without_an_account_it_is_refused(by, kind):
    error = refusal(call_of(by=by, only=None))
    assert error.kind is kind
    assert kind is Kind.PIN_FORBIDDEN or error.code == "account_pin_required"


def test_what_is_not_sold_is_unknown_whatever_models_are():
    everything = (model("*"), model("/v1/batches", price=BY_CALL))
    for lists in (["*"], ["/v1/batches"], ["/v1/batches", "*"]):
        catalogue = snapshot(channel(models=lists), models=everything)
        assert refusal(call_of(catalogue=catalogue)).kind is Kind.MODEL_UNKNOWN


def test_without_a_price_it_is_unpriced_and_a_written_nothing_is_one():
    main = channel(models=["/v1*"])
    none = snapshot(main, models=(model("/v1*", price=None),))
    assert refusal(call_of(catalogue=none)).kind is Kind.MODEL_UNPRICED
    nothing = price(rates=Rates.filled({}))
    call = judge(call_of(catalogue=snapshot(main, models=(model("/v1*", price=nothing),))))
    assert call.price is nothing


def test_another_vendors_account_and_one_that_signs_in_do_not_have_it():
    dialect = dialect_of(visit())
    assert dialect is not None
    assert dialect.serves(account())
    assert not dialect.serves(account(platform="anthropic"))
    assert not dialect.serves(account(auth="oauth"))


def test_no_endpoint_is_a_model():
    for name in ("/v1*", "/v1/files", "/v1/files/{id}"):
        call = asked(chat(model=name), catalogue=call_of().snapshot)
        assert refusal(call).kind is Kind.MODEL_UNKNOWN


def test_a_call_is_what_it_uses():
    dialect = dialect_of(visit())
    assert dialect is not None
    ask = PassAsk("/v1*", "/v1/files")
    assert dialect.settled(ask, Usage(input=5), BY_CALL) == ONE_CALL == Usage(request=1)
    assert dialect.estimate(ask, 5, 5) == ONE_CALL
    assert dialect.blobs(visit(), ask).count == 0
    assert not (dialect.makes_images(ask) or dialect.visible(None, ask) or dialect.free)
    assert not dialect.sliced(account())
    assert dialect.framing() is None
