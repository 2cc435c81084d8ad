"""Proof that the sink has every row once, as it is now, whatever breaks on the way."""

import asyncio
import gc
import logging
import random
from contextlib import suppress

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.services.clickhouse import ClickHouse, Fate, clickhouse, columns
from tests.storage.usage_writer import feed, make_calls, recharge
from tollbridge.core.clock import first_id, new_tid, now_ms
from tollbridge.core.settings import Settings, SettingsError
from tollbridge.notify.kinds import Kind
from tollbridge.notify.operators import Operators
from tollbridge.storage.alerts import list_alerts
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.ledger_tables import usage
from tollbridge.storage.sink_feed import open_batch
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.usage_export import FIELDS
from tollbridge.storage.work_tables import sink_feed
from tollbridge.worker.sink import VERSION, Sink, SinkCheck, SinkFailed


def settings(url: str = "", **changes) -> Settings:
    return Settings(database="sqlite:///unused.db", sink_url=url, **changes)


async def make(engine: AsyncEngine, count: int, **values) -> list[str]:
    tids = [new_tid() for _ in range(count)]
    async with working(engine) as connection:
        await make_calls(connection, tids, **values)
    return tids


async def index(engine: AsyncEngine) -> None:
    while await index_chunk(engine, sink=True):
        pass


async def drain(engine: AsyncEngine, sink: Sink) -> None:
    await index(engine)
    while await waiting(engine):
        await sink.run()


async def waiting(engine: AsyncEngine) -> int:
    async with reading(engine) as connection:
        return (await connection.execute(select(func.count()).select_from(sink_feed))).scalar_one()


async def charges(engine: AsyncEngine) -> dict[str, str]:
    async with reading(engine) as connection:
        rows = await connection.execute(select(usage.c.tid, usage.c.charge))
        return {tid: f"{charge / 10**9:.9f}" for tid, charge in rows}


def arrived(house: ClickHouse) -> dict[str, str]:
    return {tid: f"{float(row['charge_usd']):.9f}" for tid, row in house.final().items()}


def is_exactly_once(house: ClickHouse) -> bool:
    sent = [(row["tid"], row[VERSION]) for row in house.rows]
    return len(sent) == len(set(sent))


def test_the_documented_table_has_what_is_sent():
    assert list(columns()) == [*(field.name for field in FIELDS), VERSION]


async def test_a_row_arrives_with_every_column(engine: AsyncEngine):
    tid = new_tid()
    async with working(engine) as connection:
        await make_calls(
            connection, [tid], at_ms=1_700_000_000_007, own_cost=1_234_567_891, account_id=7,
            key_name='naïve\n"key"', stream=1, reversed=0, held=10**18,
        )  # fmt: skip
    async with clickhouse() as running:
        await drain(engine, Sink(engine, settings(running.house.url)))
        (row,) = running.house.rows
        (asked,) = running.house.queries
    assert set(row) == set(columns())
    assert (row["tid"], row["started_at"]) == (tid, "2023-11-14T22:13:20.007Z")
    assert (row["own_cost_usd"], row["held_usd"]) == ("1.234567891", "1000000000.00")
    assert (row["account_id"], row["key_name"]) == (7, 'naïve\n"key"')
    assert (row["stream"], row["model_sent"], row["charge_usd"]) == (True, None, "0.000000001")
    assert asked["database"] == ["house"]
    assert asked["wait_end_of_query"] == ["1"] and asked["async_insert"] == ["0"]


async def test_a_changed_call_comes_again_and_wins(engine: AsyncEngine):
    (tid,) = await make(engine, 1)
    async with clickhouse() as running:
        sink = Sink(engine, settings(running.house.url))
        await drain(engine, sink)
        async with working(engine) as connection:
            await recharge(connection, tid, 5)
            await recharge(connection, tid, 7)
        await drain(engine, sink)
        assert [row["charge_usd"] for row in running.house.rows] == ["0.000000001", "0.000000007"]
        assert arrived(running.house) == await charges(engine)


async def test_batches_are_bounded_and_follow_one_another(engine: AsyncEngine):
    await make(engine, 7)
    await index(engine)
    async with clickhouse() as running:
        sink = Sink(engine, settings(running.house.url, sink_batch_rows=3))
        assert [await sink.run() for _ in range(4)] == [True, True, False, False]
        assert len(running.house.tokens) == 3
        assert len(running.house.rows) == 7
        versions = [row[VERSION] for row in running.house.rows]
        parts = versions[:3], versions[3:6], versions[6:]
        assert max(parts[0]) < min(parts[1]) and max(parts[1]) < parts[2][0]


@pytest.mark.parametrize("fate", [fate for fate in Fate if fate is not Fate.STORED])
async def test_whatever_becomes_of_a_try_the_rows_are_there_once(engine: AsyncEngine, fate: Fate):
    await make(engine, 3)
    await index(engine)
    async with clickhouse(fates=[fate, fate]) as running:
        sink = Sink(engine, settings(running.house.url), deadline_s=0.3)
        for _ in range(2):
            with pytest.raises(SinkFailed):
                await sink.run()
            # What comes meanwhile must not get into the batch that is under way.
            await make(engine, 2)
            await index(engine)
        assert await waiting(engine) == 7
        await drain(engine, sink)
        assert is_exactly_once(running.house)
        assert arrived(running.house) == await charges(engine)
        assert len(running.house.tokens) == 2


async def test_a_batch_is_the_same_for_a_sender_of_other_settings(engine: AsyncEngine):
    await make(engine, 5)
    await index(engine)
    async with clickhouse(fates=[Fate.LOST_AFTER]) as running:
        with pytest.raises(SinkFailed):
            await Sink(engine, settings(running.house.url, sink_batch_rows=2)).run()
        await drain(engine, Sink(engine, settings(running.house.url, sink_batch_rows=4)))
        assert [len(running.house.rows), is_exactly_once(running.house)] == [5, True]


async def test_a_sender_that_was_away_changes_nothing(engine: AsyncEngine):
    """It wakes after another has sent its batch and the next one: nothing is lost or doubled."""
    await make(engine, 4)
    await index(engine)
    async with clickhouse(fates=[Fate.SILENT_BEFORE]) as running:
        first = Sink(engine, settings(running.house.url, sink_batch_rows=2))
        asleep = asyncio.create_task(first.run())
        await running.house.reached.wait()
        second = Sink(engine, settings(running.house.url, sink_batch_rows=2))
        await second.run()
        opened = await open_batch(engine, 2)
        asleep.cancel()
        with suppress(asyncio.CancelledError):
            await asleep
        assert await open_batch(engine, 1) == opened
        await drain(engine, second)
        assert (len(running.house.rows), is_exactly_once(running.house)) == (4, True)


async def test_a_call_that_is_no_longer_kept_is_passed_over(engine: AsyncEngine):
    tids = await make(engine, 2)
    await index(engine)
    async with working(engine) as connection:
        await connection.execute(delete(usage).where(usage.c.tid == tids[0]))
    async with clickhouse() as running:
        sink = Sink(engine, settings(running.house.url, sink_batch_rows=1))
        await drain(engine, sink)
        assert [row["tid"] for row in running.house.rows] == tids[1:]
        assert len(running.house.heads) == 1


async def shake(engine: AsyncEngine, seed: int) -> None:
    """Write, change, index, send, break, kill at random; then let everything come to rest."""
    chance = random.Random(seed)
    tids: list[str] = []
    async with clickhouse() as running:
        house = running.house
        for _ in range(40):
            what = chance.random()
            if what < 0.3:
                tids += await make(engine, chance.randrange(1, 6))
            elif what < 0.45 and tids:
                async with working(engine) as connection:
                    await recharge(connection, chance.choice(tids), chance.randrange(1, 10**9))
            elif what < 0.6:
                await index(engine)
            elif what < 0.7:
                await running.shut()
                if chance.random() < 0.7:
                    await running.open()
            else:
                house.fates = [chance.choice([*Fate])]
                most = chance.randrange(1, 9)
                sink = Sink(engine, settings(house.url, sink_batch_rows=most), deadline_s=0.2)
                task = asyncio.create_task(sink.run())
                if chance.random() < 0.5:
                    # Killed wherever it stands.
                    await asyncio.wait({task}, timeout=chance.random() * 0.03)
                    task.cancel()
                with suppress(asyncio.CancelledError, SinkFailed):
                    await task
                if task.cancelled():
                    # What was stopped within a statement keeps SQLite's lock as long as its
                    # traceback keeps the cursor. A process that dies keeps nothing.
                    del task
                    await asyncio.sleep(0.005)
                    gc.collect()
        await running.shut()
        await running.open()
        house.fates = []
        await drain(engine, Sink(engine, settings(house.url, sink_batch_rows=5)))
        assert len(tids) > 10
        assert arrived(house) == await charges(engine)
        assert is_exactly_once(house)


@pytest.mark.parametrize("seed", range(4))
async def test_kills_and_outages_lose_and_double_nothing(engine: AsyncEngine, seed: int):
    await shake(engine, seed)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(100, 300))
async def test_many_kills_and_outages(engine: AsyncEngine, seed: int):
    await shake(engine, seed)


async def test_a_refusal_tells_status_and_code_and_no_secret(engine: AsyncEngine, caplog):
    caplog.set_level(logging.DEBUG)
    await make(engine, 1)
    await index(engine)
    async with clickhouse(fates=[Fate.REFUSED]) as running:
        sink = Sink(engine, settings(running.house.url))
        with pytest.raises(SinkFailed) as caught:
            await sink.run()
        assert str(caught.value) == "the sink answered 500, code 241"
        running.house.password = "another"
        with pytest.raises(SinkFailed, match=r"^the sink answered 403, code 516$"):
            await sink.run()
        assert "pass%20word" not in caplog.text + repr(sink)
        assert "pass word" not in caplog.text
        assert "CANARY" not in caplog.text + str(caught.value)
        assert "pass" not in "".join(head.split("\r\n")[0] for head in running.house.heads)


@pytest.mark.parametrize("url", ["ftp://canary/", "canary", "http://?canary", "http://[::canary"])
def test_a_url_that_is_none_is_refused_at_the_start(url: str):
    with pytest.raises(SettingsError, match="sink_url: must be") as caught:
        Sink.of(None, settings(url))  # type: ignore[arg-type]
    assert "canary" not in str(caught.value)


def test_off_by_default():
    assert Sink.of(None, settings()) is None  # type: ignore[arg-type]


async def test_link_local_is_never_dialled(engine: AsyncEngine):
    await make(engine, 1)
    await index(engine)
    with pytest.raises(SinkFailed, match="never dialled"):
        await Sink(engine, settings("http://169.254.169.254:8123/")).run()
    assert await waiting(engine) == 1


async def open_alerts(engine: AsyncEngine) -> list[tuple[str, str]]:
    async with reading(engine) as connection:
        return [(row.kind, row.detail) for row in await list_alerts(connection)]


async def test_operators_are_told_when_much_waits_and_when_it_is_over(engine: AsyncEngine):
    on = settings("http://127.0.0.1:1/", sink_alert_rows=4)
    check = SinkCheck(engine, Operators(("ops@example.test",)), on)
    tids = await make(engine, 4)
    await index(engine)
    await check.run()
    assert await open_alerts(engine) == []
    async with working(engine) as connection:
        await feed(connection, tids[:1])
    await index(engine)
    await check.run()
    ((kind, detail),) = await open_alerts(engine)
    assert kind == Kind.SINK_BEHIND
    assert detail.startswith("more than 4 rows wait, the oldest since 20")
    await forget(engine, 1)
    await check.run()
    assert len(await open_alerts(engine)) == 1
    await forget(engine, 1)
    await check.run()
    assert await open_alerts(engine) == []


async def forget(engine: AsyncEngine, rows: int) -> None:
    async with working(engine) as connection:
        oldest = select(sink_feed.c.id).order_by(sink_feed.c.id).limit(rows)
        await connection.execute(delete(sink_feed).where(sink_feed.c.id.in_(oldest)))


async def test_operators_are_told_of_few_rows_that_wait_long(engine: AsyncEngine):
    operators = Operators(("ops@example.test",))
    check = SinkCheck(engine, operators, settings("http://127.0.0.1:1/"))
    await make(engine, 1)
    await index(engine)
    await check.run()
    assert await open_alerts(engine) == []
    async with working(engine) as connection:
        await connection.execute(update(sink_feed).values(id=first_id(now_ms() - 3_660_000)))
    await check.run()
    ((_, detail),) = await open_alerts(engine)
    assert detail.startswith("1 rows wait, the oldest since 20")
    await SinkCheck(engine, operators, settings()).run()
    assert await open_alerts(engine) == []
