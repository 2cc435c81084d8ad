"""Proof that what a process holds can be seen by all, and outlives it no longer than its cause."""

from hashlib import sha256

import pytest
from sqlalchemy import insert, select, update

from tests.relay.calls import account
from tests.services.control_plane import database_url, engine
from tollbridge.relay.board import Board
from tollbridge.relay.breaker import SAMPLES_MIN
from tollbridge.relay.effects import (
    COOLDOWN_MAX_S,
    FAILING,
    MODEL_GONE,
    PROXY_DOWN,
    QUARANTINED,
    Trouble,
    rate_limited,
)
from tollbridge.relay.health import Health
from tollbridge.storage import account_troubles
from tollbridge.storage.account_tables import account_trouble
from tollbridge.storage.ledger_tables import node
from tollbridge.storage.unit_of_work import reading, working

__all__ = ["database_url", "engine"]

ONE, TWO = account(1), account(2, proxy="http://p:1")
FIVE_HOURS = rate_limited(5 * 3600.0)


class Clock:
    """Each process has its own, which began at another time."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Process:
    def __init__(self, engine, number: int, began: float, accounts=(ONE, TWO)) -> None:
        self.engine = engine
        self.number = number
        self.clock = Clock(began)
        self.health = Health(self.clock)
        self.board = Board(engine, number, self.health, self.clock, _mark, look_s=3600)
        self.board.adopt(accounts)

    def fails(self, one, effect, model="m", times=1) -> None:
        for _ in range(times):
            self.health.failed(one, model, effect, "why", last=False)

    def held(self, one=ONE) -> list[tuple[str, str]]:
        return sorted((each.trouble.value, each.model) for each in self.health.standings(one))


def _mark(text: str) -> bytes:
    return sha256(text.encode()).digest()


async def enters(engine, number: int, *, dead: bool = False) -> None:
    row = {"id": number, "name": f"node {number}", "epoch": 1, "beat": 1, "dead": dead}
    async with working(engine) as connection:
        await connection.execute(insert(node), [row])


async def dies(engine, number: int) -> None:
    async with working(engine) as connection:
        await connection.execute(update(node).where(node.c.id == number).values(dead=True))


async def shown(engine, *ids: int):
    async with reading(engine) as connection:
        found = await account_troubles.troubles_of(connection, ids or (1, 2))
    return {
        number: sorted((one.trouble, one.model) for one in rows) for number, rows in found.items()
    }


async def rows(engine) -> int:
    async with reading(engine) as connection:
        return len((await connection.execute(select(account_trouble))).all())


@pytest.fixture
async def process(engine):
    await enters(engine, 1)
    one = Process(engine, 1, 1000.0)
    yield one
    await one.board.stop()


async def test_what_is_shown_is_what_is_in_force(engine, process):
    await process.board.look()
    assert await shown(engine) == {}
    process.fails(ONE, FIVE_HOURS)
    process.fails(ONE, QUARANTINED)
    process.fails(TWO, PROXY_DOWN)
    process.fails(TWO, FAILING, times=SAMPLES_MIN)
    await process.board.look()
    assert await shown(engine) == {1: process.held(ONE), 2: process.held(TWO)}
    assert process.held(TWO) == [("failing", ""), ("proxy_down", "")]
    # A breaker ends by a success, the others by their times.
    process.clock.now += 40
    process.health.began(TWO)
    process.health.succeeded(TWO, "m")
    await process.board.look()
    assert await shown(engine) == {1: process.held(ONE)}
    process.clock.now += 700
    await process.board.look()
    assert await shown(engine) == {1: [("rate_limited", "m")]}


async def test_times_are_those_of_the_wall(engine, process):
    process.fails(ONE, rate_limited(90.0))
    process.clock.now += 30
    async with reading(engine) as connection:
        before_ms = await account_troubles.database_ms(connection)
    await process.board.look()
    async with reading(engine) as connection:
        (row,) = (await account_troubles.troubles_of(connection, [1]))[1]
        after_ms = await account_troubles.database_ms(connection)
    assert before_ms <= row.since_ms + 30_000 <= after_ms
    assert before_ms <= row.until_ms - 60_000 <= after_ms
    assert (row.node_id, row.node, row.reason) == (1, "node 1", "why")


async def test_nothing_is_written_while_nothing_changes(engine, process):
    process.fails(ONE, FIVE_HOURS)
    await process.board.look()
    async with working(engine) as connection:
        await account_troubles.clear_troubles(connection, 1)
    process.clock.now += 5
    process.health.succeeded(TWO, "m")
    await process.board.look()
    assert await rows(engine) == 0
    process.fails(ONE, MODEL_GONE, model="n")
    await process.board.look()
    # Only what is new; what somebody else took away comes back with the next sweep.
    assert await rows(engine) == 1
    process.clock.now += 31
    await process.board.look()
    assert await shown(engine) == {1: process.held(ONE)}


async def test_a_restart_keeps_what_lasts_and_forgets_breakers(engine, process):
    process.fails(ONE, FIVE_HOURS)
    process.fails(ONE, MODEL_GONE, model="n")
    process.fails(ONE, rate_limited(None), model="o")
    process.fails(TWO, QUARANTINED)
    process.fails(TWO, FAILING, times=SAMPLES_MIN)
    process.fails(TWO, PROXY_DOWN)
    await process.board.look()
    again = Process(engine, 1, 7.0)
    await again.board.open()
    assert again.held(ONE) == [("model_blocked", "n"), ("rate_limited", "m")]
    assert again.held(TWO) == [("quarantined", "")]
    assert 5 * 3600 - 60 < again.health.wait_s(ONE, "m") <= 5 * 3600
    await again.board.look()
    assert await shown(engine) == {1: again.held(ONE), 2: again.held(TWO)}
    await again.board.stop()


async def test_what_is_over_or_was_recovered_or_changed_is_not_taken_over(engine, process):
    process.fails(ONE, rate_limited(90.0))
    process.fails(TWO, QUARANTINED)
    await process.board.look()
    async with working(engine) as connection:
        later = account_trouble.c.until_ms - 91_000
        one = account_trouble.c.account_id == 1
        await connection.execute(update(account_trouble).where(one).values(until_ms=later))
    for other in (
        account(2, proxy="http://p:1", recovered_ms=1),
        account(2, proxy="http://p:1", secret="another"),
    ):
        again = Process(engine, 1, 7.0, (ONE, other))
        await again.board.open()
        assert again.held(ONE) == again.held(other) == []
        await again.board.stop()


async def test_no_row_parks_for_longer_than_any_cause(engine, process):
    process.fails(ONE, FIVE_HOURS)
    await process.board.look()
    async with working(engine) as connection:
        await connection.execute(update(account_trouble).values(until_ms=2**60))
    again = Process(engine, 1, 7.0)
    await again.board.open()
    assert again.health.wait_s(ONE, "m") == COOLDOWN_MAX_S
    await again.board.stop()


async def test_where_nothing_is_held_nothing_is_taken_over(engine, process):
    process.fails(ONE, QUARANTINED)
    await process.board.look()
    again = Process(engine, 1, 7.0)
    await again.board.open(takes_over=False)
    assert again.held(ONE) == []
    await again.board.look()
    assert await rows(engine) == 0
    await again.board.stop()


async def test_a_new_node_learns_from_those_that_run(engine, process):
    process.fails(ONE, QUARANTINED)
    await process.board.look()
    await enters(engine, 2)
    other = Process(engine, 2, 50_000.0)
    await other.board.open()
    assert other.held(ONE) == [("quarantined", "")]
    assert other.health.wait_s(ONE, "m") <= process.health.wait_s(ONE, "m")
    await other.board.stop()
    assert await shown(engine) == {1: [("quarantined", "")] * 2}


async def test_a_dead_node_is_inherited_and_cleared_away(engine, process):
    await enters(engine, 2)
    other = Process(engine, 2, 50_000.0)
    other.fails(ONE, FIVE_HOURS)
    other.fails(TWO, FAILING, times=SAMPLES_MIN)
    await other.board.look()
    await process.board.look()
    assert await shown(engine) == {1: other.held(ONE), 2: other.held(TWO)}
    await dies(engine, 2)
    assert await shown(engine) == {}
    process.clock.now += 31
    await process.board.look()
    assert process.held(ONE) == [("rate_limited", "m")] and process.held(TWO) == []
    assert await shown(engine) == {1: [("rate_limited", "m")]}
    assert await rows(engine) == 1


async def test_names_that_no_column_takes_are_left_out(engine, process):
    process.fails(ONE, rate_limited(90.0), model="a\0b")
    process.fails(ONE, rate_limited(90.0), model="x" * 300)
    await process.board.look()
    assert await shown(engine) == {1: [("rate_limited", "x" * 256)]}


async def test_a_database_that_is_down_stops_nobody(tmp_path, engine):
    broken = Process(engine, 1, 1000.0)
    async with working(engine) as connection:
        await connection.run_sync(account_trouble.drop)
    await broken.board.open()
    broken.fails(ONE, QUARANTINED)
    await broken.board.stop()
    assert broken.held(ONE) == [("quarantined", "")]


def test_the_trouble_without_an_end_is_the_breakers():
    assert account_troubles.UNENDING == Trouble.FAILING
