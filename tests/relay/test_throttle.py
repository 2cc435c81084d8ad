"""Proof of limits around whole calls: who is refused, what is counted, and that slots come back."""

import asyncio
from dataclasses import replace

import pytest

from tests.relay.calls import WALLET, account, admitted, channel, chat, key, snapshot
from tests.relay.floor import MONEY, PATIENCE_S, open_floor
from tollbridge.core.errors import Profile
from tollbridge.core.metrics import Metrics
from tollbridge.protocols.usage import Usage
from tollbridge.relay.throttle import Throttle, has_limits, is_limited
from tollbridge.storage.counters import Scope, Ticket
from tollbridge.storage.counters_redis import Pace, RedisCounters

FAKE = {"prompt_tokens": 11, "tokens": 7}
WHOLE, STREAM = chat(fake=FAKE), chat(stream=True, fake=FAKE)
HANG, HANGING_STREAM = chat(fake={"hang": True}), chat(stream=True, fake={"hang": True})
USED = 18
SOME = {"rpm": 100, "tpm": 10_000, "concurrency": 5}
HELD = {"key:11": 1, "user:12": 1, "channel:1": 1, "account:1": 1}


@pytest.fixture
async def floor():
    async with open_floor(drain_cap_s=0.05) as floor:
        limit(floor, key_limits=SOME, user_limits=SOME, channel_limits=SOME, account_limits=SOME)
        yield floor


def limit(
    floor,
    *,
    key_limits=None,
    user_limits=None,
    channel_limits=None,
    account_limits=None,
    count=1,
    **site,
):
    """Set the limits of everything; what is not named has none."""
    user = {f"user_{name}": most for name, most in (user_limits or {}).items()}
    floor.keys.record = key(**(key_limits or {}), **user)
    stops = site.pop("stops_on_abort", True)
    accounts = floor.accounts(count, **(account_limits or {}), stops_on_abort=stops)
    floor.world.snapshot = snapshot(channel(accounts=accounts, **(channel_limits or {})), **site)


def counted(floor, scope="key:11"):
    """Return the calls and tokens that a scope's windows hold."""
    counts = floor.counters._counts[scope]
    return counts.requests.used, counts.tokens.used


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


def left(floor, client, *, stays):
    """Let a client go once its call is under way at the vendor."""
    assert floor.counters.slots == HELD
    if stays:
        client.leave()
    else:
        client.task.cancel()


ENDS = {
    "whole": (WHOLE, USED),
    "stream": (STREAM, USED),
    "upstream refuses": (chat(fake={"status": 400}), 0),
    "upstream fails": (chat(stream=True, fake={"status": 500}), 0),
    "cut at once": (chat(stream=True, fake={"cut_after": 0}), 0),
    "empty": (chat(fake={**FAKE, "empty": True, "tokens": 0}), None),
    "cut after content": (chat(stream=True, fake={**FAKE, "cut_after": 4}), None),
}


@pytest.mark.parametrize("end", ENDS)
async def test_every_end_frees_all_slots_and_counts_what_was_used(floor, end):
    body, tokens = ENDS[end]
    await floor.answered(body)
    assert floor.counters.slots == {}
    for scope in HELD:
        assert counted(floor, scope)[0] == 1
        if tokens is not None:
            assert counted(floor, scope)[1] == tokens


@pytest.mark.parametrize("body", [HANG, HANGING_STREAM])
@pytest.mark.parametrize("stays", [True, False])
async def test_clients_that_leave_and_calls_that_are_cancelled_free_their_slots(floor, body, stays):
    client = floor.call(body)
    await until(lambda: floor.vendor.books.calls)
    left(floor, client, stays=stays)
    await asyncio.wait([client.task], timeout=PATIENCE_S)
    assert floor.counters.slots == {}


async def test_a_drained_call_keeps_its_slots_until_the_drain_ends(floor):
    limit(floor, key_limits=SOME, user_limits=SOME, channel_limits=SOME, account_limits=SOME,
          stops_on_abort=False)  # fmt: skip
    client = floor.call(chat(stream=True, fake={**FAKE, "event_delay_ms": 30}))
    await until(lambda: client.sent)
    client.leave()
    await asyncio.sleep(0)
    assert floor.counters.slots == HELD
    await asyncio.wait_for(client.task, PATIENCE_S)
    assert floor.counters.slots == {}


@pytest.mark.parametrize("body", [HANG, HANGING_STREAM])
async def test_calls_at_once_are_refused_until_one_ends(floor, body):
    limit(floor, key_limits={"concurrency": 1})
    first = floor.call(body)
    await until(lambda: floor.vendor.books.calls)
    second = await floor.answered(WHOLE)
    assert (second.status, second.error_code()) == (429, "rate_limit_exceeded")
    assert second.json()["error"]["message"] == (
        "The key's limit of 1 calls at once is reached; try again in 2 s."
    )
    assert second.header(b"retry-after") == b"2"
    assert second.header(b"x-should-retry") == b"true"
    first.leave()
    await asyncio.wait([first.task], timeout=PATIENCE_S)
    assert (await floor.answered(WHOLE)).status == 200
    assert floor.counted("rate_limited") == 1


@pytest.mark.parametrize("whose", ["key", "user", "channel"])
@pytest.mark.parametrize("what", ["requests", "tokens"])
async def test_a_minutes_limit_of_each_scope_is_enforced(floor, whose, what):
    limits = {"rpm": 1} if what == "requests" else {"tpm": USED}
    limit(floor, **{f"{whose}_limits": limits})
    assert (await floor.answered(WHOLE)).status == 200
    refused = await floor.answered(STREAM)
    assert (refused.status, refused.events) == (429, ["reply"])
    assert f"The {whose}'s limit of " in refused.json()["error"]["message"]
    assert f"{what} a minute" in refused.json()["error"]["message"]
    assert 1 <= int(refused.header(b"retry-after")) <= 66
    assert len(floor.vendor.books.calls) == 1
    sample = floor.metrics.registry.get_sample_value
    assert sample("tollbridge_rate_limited_total", {"limit": what}) == 1


async def test_a_refused_call_leaves_no_trace_in_the_books_nor_in_other_scopes(floor):
    limit(floor, key_limits=SOME, channel_limits={"rpm": 1})
    await floor.answered(WHOLE)
    before = counted(floor)
    for _ in range(3):
        assert (await floor.answered(WHOLE)).status == 429
    assert counted(floor) == before
    assert len(floor.writer.rows) == 1
    assert floor.counters.slots == {}


async def test_a_profile_speaks_of_the_model(floor):
    limit(floor, key_limits={"rpm": 1}, error_profile=Profile.LEGACY)
    await floor.answered(WHOLE)
    refused = await floor.answered(WHOLE)
    assert "gpt-test" in refused.json()["error"]["message"]


async def test_a_call_without_money_counts_nowhere():
    async with open_floor(money=1) as floor:
        limit(floor, key_limits=SOME)
        assert (await floor.answered(WHOLE)).status == 402
        assert (counted(floor), floor.counters.slots) == ((0, 0), {})


async def test_the_estimate_is_reserved_while_a_call_runs(floor):
    body = chat(fake={"hang": True}, max_tokens=300)
    client = floor.call(body)
    await until(lambda: floor.vendor.books.calls)
    estimate = counted(floor)[1]
    assert 300 < estimate < 300 + len(client.body)
    client.leave()
    await asyncio.wait([client.task], timeout=PATIENCE_S)
    assert counted(floor)[1] < estimate


async def test_an_account_without_room_is_skipped_and_is_no_attempt(floor):
    limit(floor, account_limits={"concurrency": 1}, count=2)
    first, second = floor.call(HANG), floor.call(HANG)
    await until(lambda: len(floor.vendor.books.calls) == 2)
    assert floor.counters.slots == {"account:1": 1, "account:2": 1}
    third = await floor.answered(WHOLE)
    assert (third.status, third.error_code()) == (429, "rate_limit_exceeded")
    assert third.header(b"retry-after") == b"2"
    assert b"ccount" not in third.sent
    (row,) = floor.writer.rows
    assert (row["error_kind"], row["end_state"]) == ("rate_limited", "refused")
    assert (row["account_id"], row["attempts"]) == (None, None)
    first.leave()
    second.leave()
    await asyncio.wait([first.task, second.task], timeout=PATIENCE_S)
    assert floor.counters.slots == {}


async def test_skipped_accounts_do_not_use_up_the_attempts():
    async with open_floor(max_attempts=1) as floor:
        limit(floor, account_limits={"rpm": 1}, count=3)
        for _ in range(3):
            assert (await floor.answered(WHOLE)).status == 200
        tried = [row["account_id"] for row in floor.writer.rows]
        assert tried == [1, 2, 3]
        assert (await floor.answered(WHOLE)).status == 429


@pytest.mark.parametrize("body", [WHOLE, STREAM])
async def test_an_account_that_failed_is_free_again_while_the_next_one_is_tried(floor, body):
    limit(floor, account_limits=SOME, count=2)
    floor.script(1, status=500)
    floor.script(2, hang=True)
    client = floor.call(body)
    await until(lambda: len(floor.vendor.books.calls) == 2)
    assert floor.counters.slots == {"account:2": 1}
    assert counted(floor, "account:1") == (1, 0)
    client.leave()
    await asyncio.wait([client.task], timeout=PATIENCE_S)
    assert floor.counters.slots == {}


async def test_where_the_others_are_full_the_client_hears_of_the_failure(floor):
    full = account(2, base_url=floor.url, priority=2, rpm=1)
    bad = account(1, base_url=floor.url, priority=1)
    floor.world.snapshot = snapshot(channel(accounts=(bad, full)))
    floor.keys.record = key()
    floor.script(1, status=500)
    assert (await floor.answered(WHOLE)).status == 200
    assert (await floor.answered(WHOLE)).status == 502


@pytest.mark.parametrize("body", [WHOLE, STREAM, chat(fake={"status": 400})])
async def test_answers_of_limited_calls_say_what_is_left_of_the_tightest_limit(floor, body):
    limit(floor, key_limits={"rpm": 9, "tpm": 90_000}, user_limits={"rpm": 5}, channel_limits=SOME)
    client = await floor.answered(body)
    assert client.header(b"x-ratelimit-limit-requests") == b"5"
    assert client.header(b"x-ratelimit-remaining-requests") == b"4"
    assert client.header(b"x-ratelimit-limit-tokens") == b"10000"
    assert 0 < int(client.header(b"x-ratelimit-remaining-tokens")) < 10_000
    reset = client.header(b"x-ratelimit-reset-requests")
    assert reset.endswith(b"s") and 60 <= float(reset[:-1]) <= 66


async def test_a_refusal_says_that_nothing_is_left(floor):
    limit(floor, key_limits={"rpm": 1})
    await floor.answered(WHOLE)
    refused = await floor.answered(WHOLE)
    assert refused.header(b"x-ratelimit-remaining-requests") == b"0"
    assert refused.header(b"x-ratelimit-limit-tokens") is None


@pytest.mark.parametrize("body", [WHOLE, STREAM])
async def test_without_limits_nothing_is_counted_nor_said(floor, body):
    limit(floor)
    client = await floor.answered(body)
    assert b"\nx-ratelimit" not in client.sent_headers
    assert floor.counters.remembered == 0


@pytest.mark.parametrize(
    "field",
    ["rpm", "tpm", "concurrency", "user_rpm", "user_tpm", "user_concurrency"],
)
def test_any_limit_of_key_or_user_is_noticed(field):
    assert not is_limited(admitted())
    assert is_limited(admitted(by=key(**{field: 1})))


@pytest.mark.parametrize("field", ["rpm", "tpm", "concurrency"])
def test_any_limit_of_a_channel_or_an_account_is_noticed(field):
    assert is_limited(admitted(catalogue=snapshot(channel(**{field: 1}))))
    assert has_limits(account(**{field: 1}))
    assert not has_limits(account())


async def test_an_upstream_that_claims_absurd_tokens_does_not_break_the_count(redis_url):
    store = RedisCounters(redis_url, Pace(answer_s=PATIENCE_S))
    await store.start()
    throttle, call = Throttle(store, Metrics()), admitted(by=key(tpm=10))
    for _ in range(3):
        await throttle.enter(call)
        call.account, call.used = account(), Usage(output=2**62)
        throttle.leave(call)
        call.key = replace(call.key, tpm=10**12)
    await throttle.enter(call)
    assert call.ticket.states[0].tokens == 3 * 10**9 + len(call.exchange.body) // 4 + 1 + 1_000
    assert store.shared
    throttle.leave(call)
    await store.stop()


async def test_relays_that_share_a_server_share_the_limit(redis_url):
    stores = [RedisCounters(redis_url, Pace(answer_s=PATIENCE_S)) for _ in range(2)]
    async with open_floor() as one, open_floor() as other:
        for floor, store in zip((one, other), stores, strict=True):
            await store.start()
            floor.relay._throttle._counters = store
            floor.keys.record = replace(key(), rpm=4, concurrency=4)
        clients = await asyncio.gather(*(one.answered(WHOLE) for _ in range(4)),
                                       *(other.answered(STREAM) for _ in range(4)))  # fmt: skip
        assert sorted(client.status for client in clients) == [200] * 4 + [429] * 4
        assert one.writer.purses[WALLET].available < MONEY
    slots = (Scope("key:11", 0, 0, 4),)
    for _ in range(4):
        assert isinstance(await stores[0].take(slots, 0), Ticket)
    for store in stores:
        await store.stop()
