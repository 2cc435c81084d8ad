"""Streams that outgrow their money, end to end: they end by length, and the books stay right.

Real gateway, real vendor, the official SDK as a witness (money.md, "One call", steps 2, 5 and 7).
"""

import asyncio
import contextlib
import json

import pytest
from openai import AsyncOpenAI

from tests.faults.load import Ask, Watch, assert_books_right, call, crowd, many
from tests.faults.lock import locked
from tests.faults.stage import wait
from tests.services.gateway import KEY, running
from tollbridge.core.money import parse_usd

ENVIRON = {"WRITER_DEADLINE_S": "2", "SETTLE_GRACE_S": "2.5", "HEARTBEAT_S": "0.2"}
SLICE_TOKENS = 2_048
LONG = {"tokens": 20_000, "events": 4_000}
STREAM = Ask(fields={"stream": True}, script=LONG)
# More than all socket buffers take: the vendor notices that nobody reads on.
BROAD = Ask(fields={"stream": True}, script={**LONG, "pad_bytes": 4_096})
session = pytest.mark.asyncio(loop_scope="session")


def shown(data: bytes) -> int:
    """Return the bytes of text in a stream."""
    size = 0
    for event in data.split(b"\n\n"):
        if event.startswith(b"data: {"):
            for choice in json.loads(event[6:])["choices"]:
                size += len((choice.get("delta", {}).get("content") or "").encode())
    return size


def finishes(data: bytes) -> list[str]:
    """Return the finish reasons of a stream, in order."""
    chunks = [json.loads(event[6:]) for event in data.split(b"\n\n") if event[:7] == b"data: {"]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


async def test_a_long_stream_on_a_small_wallet_ends_by_length(tmp_path):
    async with running(tmp_path, credit="0.03") as (gateway, fake), many(gateway) as client:
        with Watch(gateway.database) as watch:
            seen = await call(client, BROAD)
        assert seen.status == 200 and seen.finished
        assert finishes(seen.data) == ["length"]
        assert "x-tollbridge-max-output" not in seen.headers
        gateway.wait_settled()
        [row] = gateway.rows("SELECT * FROM usage")
        assert (row["end_state"], row["flags"]) == ("limited", "estimated,balance_short")
        assert row["output"] == -(-shown(seen.data) // 4)
        # Two bytes a token is what the hold paid for, and the last frame would have been too much.
        assert shown(seen.data) <= 2 * (parse_usd("0.03") // 10_000)
        assert row["output"] > SLICE_TOKENS // 2
        assert row["charge"] == row["input"] * 2_500 + row["output"] * 10_000 <= row["held"]
        assert row["held"] == parse_usd("0.03") and row["loss"] == 0
        left, held = gateway.wallet()
        assert (left, held) == (parse_usd("0.03") - row["charge"], 0)
        receipt = (await client.get(f"/v1/receipts/{seen.tid}")).json()
        assert "ended there with finish reason length" in receipt["why"]
        # The provider was stopped, and what is left does not pay for a slice.
        await wait(lambda: [one.state for one in fake.books.calls] == ["aborted"])
        assert (await call(client, STREAM)).status == 402
        assert watch.wrong == [] and watch.most_held == parse_usd("0.03")
        await assert_books_right(gateway)


async def test_a_stream_with_money_is_whole_though_its_first_hold_was_a_slice(tmp_path):
    async with running(tmp_path) as (gateway, _), many(gateway) as client:
        with Watch(gateway.database) as watch:
            seen = await call(client, STREAM)
        assert finishes(seen.data) == ["stop"] and seen.finished
        gateway.wait_settled()
        [row] = gateway.rows("SELECT * FROM usage")
        assert (row["end_state"], row["output"], row["loss"]) == ("complete", 20_000, 0)
        assert watch.wrong == []
        # The limit of the model is the worst case, and no hold is larger.
        assert row["charge"] <= row["held"] <= parse_usd("0.33")
        await assert_books_right(gateway)


async def test_streams_that_compete_for_a_wallet_share_it_and_none_overruns_it(tmp_path):
    async with running(tmp_path, credit="0.07") as (gateway, _), many(gateway) as client:
        with Watch(gateway.database) as watch:
            one, other = await crowd(client, [STREAM, STREAM])
        assert finishes(one.data) == finishes(other.data) == ["length"]
        gateway.wait_settled()
        rows = gateway.rows("SELECT * FROM usage")
        assert {(row["end_state"], row["loss"]) for row in rows} == {("limited", 0)}
        assert all(row["charge"] <= row["held"] for row in rows)
        left, held = gateway.wallet()
        assert parse_usd("0.07") - left == sum(row["charge"] for row in rows)
        assert held == 0 and watch.wrong == []
        await assert_books_right(gateway)


async def test_the_official_sdk_reads_a_finish_for_length_with_our_figures(tmp_path):
    async with running(tmp_path, credit="0.03") as (gateway, _):
        url = f"{gateway.url}/v1"
        async with AsyncOpenAI(
            api_key=KEY, base_url=url, max_retries=0, _strict_response_validation=True
        ) as sdk:
            stream = await sdk.chat.completions.create(
                model="gpt-test",
                messages=[{"role": "user", "content": "hello"}],
                stream=True,
                stream_options={"include_usage": True},
                extra_body={"fake": LONG},
            )
            chunks = [chunk async for chunk in stream]
        assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
        reasons = [one.finish_reason for chunk in chunks for one in chunk.choices]
        assert reasons[-1] == "length" and set(reasons) == {None, "length"}
        gateway.wait_settled()
        [row] = gateway.rows("SELECT input, output FROM usage")
        assert chunks[-1].choices == []
        usage = chunks[-1].usage
        assert (usage.prompt_tokens, usage.completion_tokens) == (row["input"], row["output"])


async def test_a_text_completion_ends_by_length_as_well(tmp_path):
    async with running(tmp_path, credit="0.03") as (gateway, _):
        async with AsyncOpenAI(api_key=KEY, base_url=f"{gateway.url}/v1", max_retries=0) as sdk:
            stream = await sdk.completions.create(
                model="gpt-test", prompt="hello", max_tokens=20_000, stream=True,
                extra_body={"fake": LONG},
            )  # fmt: skip
            reasons = [one.finish_reason async for chunk in stream for one in chunk.choices]
        assert reasons[-1] == "length" and set(reasons[:-1]) == {None}


async def test_reasoning_that_nobody_sees_is_noticed_once_and_held_in_full_from_then_on(tmp_path):
    hidden = Ask(fields={"stream": True}, script={"tokens": 10, "reasoning": 9_000})
    async with running(tmp_path, credit="1.00") as (gateway, _), many(gateway) as client:
        first, second = await call(client, hidden), await call(client, hidden)
        assert "x-tollbridge-max-output" not in first.headers
        assert second.written_limit is not None
        gateway.wait_settled()
        rows = gateway.rows("SELECT charge, held, loss FROM usage ORDER BY tid")
        assert rows[0]["charge"] > rows[0]["held"]
        assert rows[1]["charge"] <= rows[1]["held"]
        assert [row["loss"] for row in rows] == [0, 0]
        await assert_books_right(gateway)


@session
async def test_without_a_database_for_the_extension_the_stream_breaks(scene):
    fake = {"tokens": 6_000, "events": 600, "event_delay_ms": 3, "pad_bytes": 32_768}
    wire = await scene.open(stream=True, fake=fake)
    await wire.until(b"Hello")
    async with locked(scene.database) as lock:
        with contextlib.suppress(TimeoutError):
            await wire.rest()
        last = json.loads(wire.events[-1])
        assert last["choices"][0]["finish_reason"] == "error" and last["error"]["tid"] == wire.tid
        assert b"[DONE]" not in wire.data
        assert b": keepalive\n\n" in wire.data
        await lock.release()
    [row] = await scene.settled()
    text = shown(wire.data)
    assert 0 < text <= 2 * SLICE_TOKENS
    assert (row["end_state"], row["loss"]) == ("partial", 0)
    assert row["charge"] <= row["held"]
    await scene.seen(("vendor-main", "aborted"))
    async with asyncio.timeout(20):
        while (await scene.stage.get("/readyz")).status != 200:
            await asyncio.sleep(0.05)
