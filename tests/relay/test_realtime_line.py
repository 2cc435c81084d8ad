"""Which account a session goes to, what it is told, and what becomes of those that refuse."""

import time
from typing import Any

import pytest

from tests.relay.calls import account, admitted, channel, snapshot
from tests.services.realtime import FakeRealtime
from tollbridge.catalog.name_map import NameMap
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.metrics import Metrics
from tollbridge.core.settings import Settings
from tollbridge.relay.choice import Choice
from tollbridge.relay.pool import Pool
from tollbridge.relay.realtime_line import Lines, accounts_of, serving
from tollbridge.relay.throttle import Throttle
from tollbridge.relay.world import World
from tollbridge.storage.counters_memory import MemoryCounters


@pytest.fixture
async def vendors():
    both = FakeRealtime(), FakeRealtime()
    urls = [await one.start() for one in both]
    yield [*zip(both, urls, strict=True)]
    for one in both:
        await one.stop()


def call_to(*accounts: Any, headers: dict[bytes, bytes] | None = None) -> Any:
    return admitted(catalogue=snapshot(channel(accounts=accounts)), headers=headers)


def lines(**values: Any) -> Lines:
    metrics = Metrics()
    pool = Pool(time.monotonic, lambda *_: None)
    settings, throttle = Settings(**values), Throttle(MemoryCounters(), metrics)
    choice = Choice(pool, throttle, metrics, time.monotonic, settings.max_attempts, serving)
    return Lines(World(), settings, choice)


async def test_the_best_account_is_asked_for_the_model(vendors):
    (first, url), (second, other) = vendors
    call = call_to(
        account(1, base_url=other, priority=5), account(2, base_url=url + "/base", secret="s2")
    )
    socket = await lines().open(call)
    socket.close(1000)
    await socket.gone()
    [request] = first.requests
    assert request.path == "/base/v1/realtime?model=gpt-test"
    assert request.headers["Authorization"] == "Bearer s2"
    assert "OpenAI-Beta" not in request.headers and second.requests == []
    assert (call.account.id, call.bill.account_id, call.attempts[0][:2]) == (2, 2, (2, "ok"))


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({b"openai-beta": b"realtime=v2"}, "realtime=v2"),
        ({b"sec-websocket-protocol": b"realtime, openai-beta.realtime-v1"}, "realtime=v1"),
    ],
)
async def test_a_client_of_the_beta_is_passed_on_as_one(vendors, headers, told):
    vendor, url = vendors[0]
    socket = await lines().open(call_to(account(base_url=url), headers=headers))
    socket.abort()
    await socket.gone()
    assert vendor.requests[0].headers["OpenAI-Beta"] == told


async def test_another_account_is_tried_when_the_fault_is_not_the_clients(vendors):
    (first, url), (_, other) = vendors
    first.refuse = (401, b"{}")
    call = call_to(
        account(1, base_url=url), account(2, base_url="http://127.0.0.1:9", priority=1),
        account(3, base_url=other, priority=2),
    )  # fmt: skip
    socket = await lines().open(call)
    socket.abort()
    await socket.gone()
    outcomes = [outcome for _, outcome, _ in call.attempts]
    assert outcomes == ["account_refused", "connect_failed", "ok"] and call.account.id == 3


async def test_a_fault_of_the_client_is_told_at_once(vendors):
    (first, url), (second, other) = vendors
    first.refuse = (400, b'{"error": {"message": "no", "code": "bad_thing"}}')
    with pytest.raises(ApiError) as error:
        await lines().open(
            call_to(account(1, base_url=url), account(2, base_url=other, priority=1))
        )
    assert (error.value.kind, error.value.code) == (Kind.UPSTREAM_BAD_REQUEST, "bad_thing")
    assert second.requests == []


async def test_attempts_are_bounded(vendors):
    (first, url), (second, other) = vendors
    first.refuse = (500, b"")
    with pytest.raises(ApiError) as error:
        await lines(max_attempts=1).open(
            call_to(account(1, base_url=url), account(2, base_url=other, priority=1))
        )
    assert error.value.kind is Kind.UPSTREAM_FAILED and second.requests == []


async def test_a_full_account_is_passed_over(vendors):
    (_, url), (second, other) = vendors
    one = account(1, base_url=url, concurrency=1)
    opener = lines()
    first = await opener.open(call_to(one))
    with pytest.raises(ApiError) as error:
        await opener.open(call_to(one))
    assert error.value.kind is Kind.RATE_LIMITED
    next_ = await opener.open(call_to(one, account(2, base_url=other, priority=1)))
    assert len(second.requests) == 1
    for socket in (first, next_):
        socket.abort()
        await socket.gone()


async def test_only_accounts_that_speak_it_count():
    call = call_to(account(1, platform="anthropic"))
    assert accounts_of(call) == []
    with pytest.raises(ApiError) as error:
        await lines().open(call)
    assert error.value.kind is Kind.NO_ACCOUNT


def test_an_account_that_knows_the_model_by_another_name_is_not_asked():
    renamed = account(1, mapping=(NameMap.build({"gpt-*": "up"}),))
    itself = account(2, mapping=(NameMap.build({"gpt-test": "gpt-test", "gpt-*": "up"}),))
    call = call_to(renamed, itself, account(3))
    assert [one.id for one in accounts_of(call)] == [2, 3]
