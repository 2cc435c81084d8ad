"""Proof of calls about stored responses: which there are, who may make them, what goes out."""

import asyncio
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import key
from tests.relay.floor import PATIENCE_S, open_floor
from tests.relay.visitor import Visitor
from tollbridge.identity.keys import KeyStore
from tollbridge.relay.routes import PATHS
from tollbridge.relay.stored import Stored, errand_of, is_stored

BODY = {"model": "gpt-test", "input": "hello"}
CALLS = [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")]


def visit(method: str, path: str, query: bytes = b"") -> Visitor:
    visitor = Visitor(path=path, query=query)
    visitor.method = method
    return visitor


class Desk:
    """Stored responses beside a relay."""

    def __init__(self, floor):
        self.floor = floor
        self.stored = Stored(
            floor.world,
            cast("KeyStore", floor.keys),
            floor.client,
            floor.settings,
            floor.metrics,
        )

    async def made(self) -> str:
        answer = await self.floor.answered(BODY, path="/v1/responses")
        assert answer.status == 200, answer.sent
        made: str = answer.json()["id"]
        return made

    async def asked(self, method: str, path: str, query: bytes = b"") -> Visitor:
        visitor = visit(method, f"/v1/responses/{path}", query)
        await asyncio.wait_for(self.stored.handle(visitor), PATIENCE_S)
        return visitor


@pytest.fixture
async def desk():
    async with open_floor() as floor:
        floor.world.snapshot = floor.catalogue(count=2)
        yield Desk(floor)


@pytest.mark.parametrize("verb", ["", "/cancel", "/input_items", "/other", "/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST", "PUT", "get"])
def test_there_are_four_calls(method, verb):
    assert is_stored(method, f"/v1/responses/resp_1-A{verb}") == ((method, verb) in CALLS)


@pytest.mark.parametrize(
    "path",
    [
        *sorted(PATHS),
        *(f"/v1/responses/{name}" for name in ("", "a/b", "a.b", "a%2f", "a b", "é", "a\n")),
        *("/v1/responses/" + "a" * 201, "/claude/v1/responses/resp_1", "/v1//responses/resp_1"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_no_id_is_no_response(method, path):
    assert not is_stored(method, path)


@given(st.text("aZ09_-./%?#\\ \r\n", max_size=12), st.sampled_from(CALLS))
def test_nothing_leaves_its_segment_of_the_upstream(name, call):
    method, verb = call
    path = f"/v1/responses/{name}{verb}"
    if is_stored(method, path):
        sent = errand_of(visit(method, path)).path
        assert sent == path
        assert sent.count("/") == 3 + bool(verb) and ".." not in sent and sent.isprintable()


@pytest.mark.parametrize(
    ("method", "verb", "query", "sent"),
    [
        ("GET", "", b"", ""),
        ("GET", "", b"stream=true&starting_after=3&key=sk", "stream=true&starting_after=3"),
        ("GET", "", b"include%5B%5D=a.b&include=c", "include%5B%5D=a.b&include=c"),
        ("GET", "", b"limit=3", ""),
        ("GET", "/input_items", b"limit=3&order=asc&after=a&stream=true", "limit=3&order=asc&after=a"),
        ("GET", "/input_items", b"after=a%26b%20%0d", "after=a%26b+%0D"),
        ("DELETE", "", b"stream=true", ""),
        ("POST", "/cancel", b"include=a", ""),
    ],
)  # fmt: skip
def test_of_the_query_only_what_is_known_passes(method, verb, query, sent):
    errand = errand_of(visit(method, f"/v1/responses/r{verb}", query))
    assert errand.query == sent
    assert errand.path == f"/v1/responses/r{verb}" + (f"?{sent}" if sent else "")
    assert errand.streams == ("stream=true" in sent)


async def test_it_goes_to_the_account_that_made_it_with_its_own_secret(desk):
    made = await desk.made()
    home = desk.floor.vendor.books.calls[-1].secret
    found = await desk.asked("GET", made)
    call = desk.floor.vendor.books.calls[-1]
    assert (found.status, found.json()["id"]) == (200, made)
    assert (call.method, call.path, call.secret) == ("GET", f"/v1/responses/{made}", home)
    assert call.header(b"accept") == "application/json"
    assert found.header(b"content-type") == b"application/json"
    assert found.header(b"x-request-id")
    assert not [name for name in (b"x-tollbridge-cost",) if found.header(name)]
    assert len(desk.floor.writer.rows) == 1


async def test_after_it_was_deleted_nobody_is_asked_for_it(desk):
    made = await desk.made()
    assert (await desk.asked("DELETE", made)).status == 200
    before = len(desk.floor.vendor.books.calls)
    for method, verb in CALLS:
        gone = await desk.asked(method, made + verb)
        assert (gone.status, gone.json()["error"]["message"]) == (
            404,
            f"Response with id '{made}' not found.",
        )
    assert len(desk.floor.vendor.books.calls) == before


async def test_what_its_vendor_has_forgotten_is_forgotten_here(desk):
    made = await desk.made()
    desk.floor.vendor.books.responses.clear()
    assert (await desk.asked("GET", made)).status == 404
    before = len(desk.floor.vendor.books.calls)
    assert (await desk.asked("GET", made)).status == 404
    assert len(desk.floor.vendor.books.calls) == before


async def test_another_users_response_is_not_there(desk):
    made = await desk.made()
    desk.floor.keys.record = key(user_id=99)
    before = len(desk.floor.vendor.books.calls)
    assert (await desk.asked("GET", made)).status == 404
    assert len(desk.floor.vendor.books.calls) == before


@pytest.mark.parametrize("values", [{"enabled": False}, {"user_active": False}])
async def test_a_key_that_may_not_be_used_gets_nothing(desk, values):
    made = await desk.made()
    desk.floor.keys.record = key(**values)
    assert (await desk.asked("GET", made)).status == 403


async def test_an_account_that_is_gone_or_speaks_otherwise_now_has_nothing(desk):
    made = await desk.made()
    desk.floor.world.snapshot = desk.floor.catalogue(count=2, compatible=True)
    assert (await desk.asked("GET", made)).status == 404


async def test_a_process_that_ends_takes_no_more(desk):
    made = await desk.made()
    desk.floor.world.draining = True
    assert (await desk.asked("GET", made)).status == 503


async def test_a_vendor_that_is_away_is_told_as_a_failure_of_ours(desk):
    made = await desk.made()
    await desk.floor.vendor.stop()
    await desk.floor.client.close()
    assert (await desk.asked("GET", made)).status == 502


async def test_each_is_counted(desk):
    made = await desk.made()
    await desk.asked("GET", made)
    await desk.asked("GET", "resp_none")
    counts = {
        outcome: desk.floor.metrics.registry.get_sample_value(
            "tollbridge_requests_total", {"surface": "responses", "outcome": outcome}
        )
        for outcome in ("stored", "not_found")
    }
    assert counts == {"stored": 1, "not_found": 1}
