"""Proof of the path of one call, from the key to the books, with a real vendor at its end."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from tests.relay.calls import INPUT_NANO, LIMIT, OUTPUT_NANO, WALLET, channel, chat, key, snapshot
from tests.relay.floor import MONEY, PATIENCE_S, open_floor
from tests.relay.visitor import SECRET
from tollbridge.core.money import format_usd
from tollbridge.storage.ledger_items import Hold, HoldResult, Poisoned, Return, Settle

COST = 11 * INPUT_NANO + 7 * OUTPUT_NANO
FAKE = {"prompt_tokens": 11, "tokens": 7}
WHOLE = chat(fake=FAKE)
STREAM = chat(stream=True, fake=FAKE)


@pytest.fixture
async def floor():
    async with open_floor() as floor:
        yield floor


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_whole_answer_is_the_vendors_to_the_byte_with_cost_and_balance(floor):
    client = await floor.answered(WHOLE)
    assert (client.status, client.events) == (200, ["reply"])
    assert client.json()["usage"]["completion_tokens"] == 7
    assert client.header(b"content-type") == b"application/json"
    assert client.header(b"x-request-id").decode() == floor.row["tid"]
    assert client.header(b"x-tollbridge-cost").decode() == format_usd(COST)
    assert client.header(b"x-tollbridge-balance").decode() == format_usd(MONEY - COST)
    assert client.header(b"x-tollbridge-max-output") is None
    assert client.header(b"server") is None
    assert (floor.row["end_state"], floor.row["charge"]) == ("complete", COST)
    assert floor.vendor.books.calls[0].body == client.body


async def test_a_stream_is_the_vendors_without_the_usage_that_only_we_asked_for(floor):
    client = await floor.answered(STREAM)
    assert (client.status, client.events[0], client.events[-1]) == (200, "start", "finish")
    frames = client.frames()
    assert frames[-1] == b"[DONE]"
    text = "".join(
        msgspec.json.decode(frame)["choices"][0]["delta"].get("content") or ""
        for frame in frames[:-1]
    )
    assert len(text.split()) == 7
    assert b'"usage"' not in client.sent
    assert client.header(b"content-type") == b"text/event-stream; charset=utf-8"
    assert client.header(b"x-request-id").decode() == floor.row["tid"]
    assert (floor.row["end_state"], floor.row["charge"]) == ("complete", COST)
    assert floor.row["first_token_ms"] is not None


async def test_usage_that_the_client_asked_for_is_there(floor):
    client = await floor.answered(STREAM | {"stream_options": {"include_usage": True}})
    assert msgspec.json.decode(client.frames()[-2])["usage"]["completion_tokens"] == 7


async def test_a_text_completion_is_a_call_like_any_other(floor):
    body = {"model": "gpt-test", "prompt": "hello", "fake": FAKE}
    client = await floor.answered(body, path="/v1/completions")
    assert client.json()["object"] == "text_completion"
    assert floor.row["charge"] == COST


@pytest.mark.parametrize("body", [WHOLE, STREAM])
async def test_what_is_not_admitted_leaves_no_trace_in_the_books_nor_at_the_vendor(floor, body):
    refusals = {
        "invalid_api_key": {"secret": "sk-wrong"},
        "key_disabled": {"record": key(enabled=False)},
        "model_not_found": {"body": {**body, "model": "gpt-unknown"}},
        "invalid_value": {"body": {**body, "n": 0}},
        "invalid_json": {"body": b"{"},
        "no_available_account": {"catalogue": snapshot(channel(accounts=()))},
    }
    for code, changed in refusals.items():
        floor.keys.record = changed.get("record", key())
        floor.world.snapshot = changed.get("catalogue", floor.catalogue())
        secret = changed.get("secret", SECRET)
        client = await floor.answered(changed.get("body", body), secret=secret)
        assert client.error_code() == code, code
        assert client.status >= 400
        assert len(client.header(b"x-request-id")) == 32
    assert floor.writer.seen == []
    assert not floor.vendor.books.calls


async def test_a_process_that_ends_takes_no_calls(floor):
    floor.world.draining = True
    client = await floor.answered(WHOLE)
    assert (client.status, floor.counted("draining")) == (503, 1)


async def test_books_that_cannot_be_written_take_no_calls(floor):
    floor.ledger.broken("the disk is gone")
    client = await floor.answered(WHOLE)
    assert (client.status, floor.counted("database_down")) == (503, 1)


@pytest.mark.parametrize("body", [WHOLE, STREAM])
async def test_an_empty_wallet_pays_for_nothing_and_nothing_is_sent(body):
    async with open_floor(money=0) as floor:
        client = await floor.answered(body)
        assert (client.status, client.events) == (402, ["reply"])
        assert client.error_code() == "insufficient_quota"
        assert not floor.vendor.books.calls
        assert (floor.row["end_state"], floor.row["charge"]) == ("refused", 0)


async def test_a_written_limit_is_told_and_obeyed():
    async with open_floor(money=6_000, hold_floor_tokens=10) as floor:
        client = await floor.answered(chat(fake={"tokens": 900}))
        limit = int(client.header(b"x-tollbridge-max-output"))
        assert client.json()["usage"]["completion_tokens"] == limit < 900
        assert client.json()["choices"][0]["finish_reason"] == "length"
        assert floor.vendor.books.calls[0].ask.max_completion_tokens == limit


async def test_a_keys_limit_is_spent_with_the_wallet():
    async with open_floor(limit=10**9) as floor:
        floor.keys.record = key(limit_purse_id=LIMIT)
        await floor.answered(WHOLE)
        assert floor.writer.purses[LIMIT].available == 10**9 - COST
        assert floor.writer.purses[WALLET].available == MONEY - COST


async def test_no_content_leaves_before_the_hold_is_durable(floor):
    await floor.ledger.look((WALLET,))
    floor.writer.slow = True
    client = floor.call(STREAM)
    await until(lambda: floor.vendor.books.calls and floor.vendor.books.calls[0].state == "done")
    await asyncio.sleep(0.01)
    assert client.events == []
    floor.writer.write()
    await until(lambda: client.events)
    # Now the finish waits for the settle.
    await until(lambda: floor.writer.only(Settle))
    await asyncio.sleep(0.01)
    assert "finish" not in client.events
    assert b"[DONE]" not in client.sent
    assert b'"finish_reason":"stop"' not in client.sent
    floor.writer.write()
    await asyncio.wait_for(client.ended.wait(), PATIENCE_S)
    assert client.frames()[-1] == b"[DONE]"


async def test_no_whole_answer_leaves_before_hold_and_settle_are_durable(floor):
    await floor.ledger.look((WALLET,))
    floor.writer.slow = True
    client = floor.call(WHOLE)
    await until(lambda: floor.writer.only(Settle))
    await asyncio.sleep(0.01)
    assert client.events == []
    floor.writer.write()
    await asyncio.wait_for(client.ended.wait(), PATIENCE_S)
    assert client.status == 200


@pytest.mark.parametrize("body", [WHOLE, STREAM])
async def test_a_hold_refused_in_flight_is_asked_for_again_and_the_answer_is_paid(floor, body):
    await floor.ledger.look((WALLET,))
    floor.writer.scripted[Hold] = [HoldResult(ok=False, short=WALLET)]
    client = await floor.answered(body)
    assert client.status == 200
    assert (floor.row["end_state"], floor.row["charge"]) == ("complete", COST)
    assert len(floor.writer.only(Hold)) == 2


@pytest.mark.parametrize("body", [WHOLE, STREAM])
async def test_a_hold_refused_for_good_withholds_the_answer_and_costs_nothing(floor, body):
    await floor.ledger.look((WALLET,))
    floor.writer.spend(WALLET, MONEY)
    client = await floor.answered(body)
    assert (client.status, client.error_code()) == (402, "insufficient_quota")
    assert client.events == ["reply"]
    assert (floor.row["end_state"], floor.row["charge"]) == ("refused", 0)


async def test_a_whole_answer_whose_settle_is_refused_is_withheld(floor):
    floor.writer.scripted[Settle] = [Poisoned("no")]
    client = await floor.answered(WHOLE)
    assert (client.status, client.error_code()) == (503, "service_unavailable")
    assert len(floor.writer.only(Return)) == 1


async def test_a_stream_whose_settle_is_refused_never_gets_its_final_frame(floor):
    floor.writer.scripted[Settle] = [Poisoned("no")]
    client = await floor.answered(STREAM)
    assert client.events[-1] == "finish"
    assert msgspec.json.decode(client.frames()[-1])["error"]["code"] == "stream_broken"
    assert b"[DONE]" not in client.sent
    assert b'"finish_reason":"stop"' not in client.sent


async def test_an_upstream_cut_after_content_breaks_the_stream_and_bills_what_came(floor):
    client = await floor.answered(chat(stream=True, fake={**FAKE, "cut_after": 4}))
    assert msgspec.json.decode(client.frames()[-1])["error"]["code"] == "stream_broken"
    assert floor.row["end_state"] == "partial"
    assert floor.row["flags"] == "partial,estimated"
    assert 0 < floor.row["output"] < 10
    assert floor.row["charge"] == (
        floor.row["input"] * INPUT_NANO + floor.row["output"] * OUTPUT_NANO
    )


async def test_an_upstream_that_ends_without_a_finish_is_a_cut(floor):
    client = await floor.answered(
        chat(stream=True, fake={**FAKE, "no_finish": True, "no_done": True, "usage": "none"})
    )
    assert msgspec.json.decode(client.frames()[-1])["error"]["code"] == "stream_broken"
    assert floor.row["end_state"] == "partial"


async def test_no_usage_is_billed_by_estimate(floor):
    await floor.answered(chat(fake={**FAKE, "usage": "none"}))
    assert (floor.row["end_state"], floor.row["flags"]) == ("complete", "estimated")
    assert floor.row["charge"] > 0


async def test_a_client_that_leaves_mid_stream_pays_for_what_came_and_stops_the_upstream(floor):
    client = floor.call(chat(stream=True, fake={**FAKE, "event_delay_ms": 50, "tokens": 500}))
    await until(lambda: client.sent)
    client.leave()
    await asyncio.wait_for(client.task, PATIENCE_S)
    assert (floor.row["end_state"], floor.row["status"]) == ("client_gone", 499)
    assert floor.row["flags"] == "client_disconnected,estimated"
    assert floor.row["charge"] > 0
    await until(lambda: floor.vendor.books.aborted == 1)


async def test_a_client_that_leaves_before_the_first_byte_of_a_stream(floor):
    client = floor.call(chat(stream=True, fake={"hang": True}))
    await until(lambda: floor.vendor.books.calls)
    client.leave()
    await asyncio.wait_for(client.task, PATIENCE_S)
    assert (floor.row["end_state"], floor.row["status"]) == ("client_gone", 499)
    assert floor.row["output"] == 0
    assert floor.row["charge"] == floor.row["input"] * INPUT_NANO
    await until(lambda: floor.vendor.books.aborted == 1)


async def test_a_unary_call_is_drained_for_a_client_that_left(floor):
    client = floor.call(chat(fake={**FAKE, "delay_ms": 200}))
    await until(lambda: floor.vendor.books.calls)
    client.leave()
    await asyncio.wait_for(client.task, PATIENCE_S)
    assert (floor.row["end_state"], floor.row["charge"]) == ("complete", COST)
    assert (floor.row["status"], floor.row["flags"]) == (499, "client_disconnected")


async def test_a_unary_call_is_not_drained_for_ever():
    async with open_floor(drain_cap_s=0.05) as floor:
        client = floor.call(chat(fake={"hang": True}))
        await until(lambda: floor.vendor.books.calls)
        client.leave()
        await asyncio.wait_for(client.task, PATIENCE_S)
        assert floor.row["end_state"] == "client_gone"
        assert floor.row["charge"] == floor.row["input"] * INPUT_NANO
        assert client.sent == b""


async def test_a_stream_is_drained_where_the_provider_bills_on(floor):
    floor.world.snapshot = floor.catalogue(stops_on_abort=False)
    client = floor.call(chat(stream=True, fake={**FAKE, "event_delay_ms": 20}))
    await until(lambda: client.sent)
    client.leave()
    await asyncio.wait_for(client.task, PATIENCE_S)
    assert (floor.row["end_state"], floor.row["charge"]) == ("complete", COST)
    assert floor.row["flags"] == "client_disconnected"


@pytest.mark.parametrize(
    "body", [chat(fake={"hang": True}), chat(stream=True, fake={"hang": True})]
)
async def test_a_call_that_is_cancelled_is_void_and_its_client_is_told(floor, body):
    client = floor.call(body)
    await until(lambda: floor.vendor.books.calls)
    client.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.task
    assert (client.status, client.error_code()) == (500, "server_error")
    assert (floor.row["charge"], floor.row["error_kind"]) == (0, "internal")


async def test_a_stream_that_is_cancelled_is_paid_for_what_it_showed(floor):
    client = floor.call(chat(stream=True, fake={**FAKE, "event_delay_ms": 50}))
    await until(lambda: client.sent)
    client.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.task
    await until(lambda: floor.row["end_state"] == "partial")
    assert 0 < floor.row["charge"] <= COST
    assert b"[DONE]" not in client.sent


async def test_a_fault_of_ours_is_told_without_a_word_of_what_it_was(floor):
    floor.world.snapshot = floor.catalogue(count=1)
    broken = replace(floor.world.snapshot.channels[1].accounts[0], base_url="CANARY")
    floor.world.snapshot = snapshot(channel(accounts=(broken,)))
    client = await floor.answered(WHOLE)
    assert (client.status, client.error_code()) == (500, "server_error")
    assert b"CANARY" not in client.sent
    assert (floor.row["charge"], floor.row["error_kind"]) == (0, "internal")


async def test_a_silent_upstream_is_bridged_by_heartbeats():
    async with open_floor(heartbeat_s=0.01) as floor:
        client = await floor.answered(chat(stream=True, fake={**FAKE, "delay_ms": 100}))
        assert client.sent.startswith(b": keepalive\n\n")
        assert client.frames()[-1] == b"[DONE]"
        assert client.events.count("start") == 1


async def test_an_error_after_a_heartbeat_is_told_in_band():
    async with open_floor(heartbeat_s=0.01) as floor:
        client = await floor.answered(chat(stream=True, fake={"status": 400, "delay_ms": 100}))
        assert client.events[-1] == "finish"
        assert msgspec.json.decode(client.frames()[-1])["error"]["type"]
        assert (floor.row["end_state"], floor.row["charge"]) == ("upstream_error", 0)


async def test_many_calls_at_once_each_have_one_row_and_the_sum_is_right(floor):
    bodies = [WHOLE, STREAM, chat(fake={"status": 400}), chat(stream=True, fake={"cut_after": 2})]
    clients = await asyncio.gather(*(floor.answered(body) for body in bodies * 10))
    assert all(client.ended.is_set() for client in clients)
    assert floor.writer.holds == {}
    assert len({row["tid"] for row in floor.writer.rows}) == len(floor.writer.rows) == 40
    charged = sum(row["charge"] for row in floor.writer.rows)
    assert floor.writer.purses[WALLET].available == MONEY - charged
    assert sum(row["charge"] == COST for row in floor.writer.rows) >= 20


async def test_a_stream_of_which_the_hold_is_short_of_a_keys_limit_names_it():
    async with open_floor(limit=10**9) as floor:
        floor.keys.record = key(limit_purse_id=LIMIT)
        await floor.ledger.look((WALLET, LIMIT))
        floor.writer.scripted[Hold] = [HoldResult(ok=False, short=LIMIT)] * 2
        client = await floor.answered(STREAM)
        assert client.error_code() == "key_limit_reached"
