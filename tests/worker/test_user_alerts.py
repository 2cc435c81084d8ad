"""Proof that users are told once, of the right call, over restarts between any two steps."""

import re
from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.worker.alert_oracle import Oracle
from tests.worker.spenders import LOW, OWNER, START, Spenders, email_of
from tollbridge.catalog.site_rows import change_site
from tollbridge.core.clock import first_id
from tollbridge.core.periods import period_at
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.ledger_tables import journal
from tollbridge.storage.rollups import FOREVER, begin, recompute
from tollbridge.storage.unit_of_work import working
from tollbridge.worker.user_alerts import UserAlerts

_STEP_MS = 100_000
_DAY_MS = 86_400_000
_TID = re.compile(r"The call that took it there: (\w{32})")


class Killed(Exception):
    """The process ended between two statements."""


class Fuse:
    """Ends what runs on a database before one of its statements, when it is lit."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.left: int | None = None
        event.listen(engine.sync_engine, "before_cursor_execute", self._count)

    def _count(self, *_statement: Any) -> None:
        if self.left == 0:
            raise Killed
        if self.left is not None:
            self.left -= 1


class Watched:
    """The job on a database, by whichever process lives."""

    def __init__(self, made: Spenders, most: int = 3) -> None:
        self.made = made
        self.most = most
        self.fuse = Fuse(made.engine)
        self.restart()

    def restart(self) -> None:
        self.job = UserAlerts(self.made.engine, LOW, clock=lambda: self.made.now, most=self.most)

    async def look(self) -> None:
        while await self.job.run():
            pass

    async def die(self, statement: int) -> None:
        """Look, but end before the statement of that number; another process goes on then."""
        self.fuse.left = statement
        try:
            await self.look()
        except Killed:
            self.restart()
        finally:
            self.fuse.left = None


async def told(made: Spenders) -> list[tuple[str, str, str | None]]:
    """Return whom what was mailed, and the call that it names."""
    found = []
    for mail in await made.mails():
        subject = mail["subject"].removeprefix("[Tollbridge] ").partition(" · ")[0]
        call = _TID.search(mail["text"])
        found.append((mail["to"], subject, call and call[1]))
    return found


def _steps(random: Random) -> Iterator[tuple[Any, ...]]:
    """Return a history in which marks are passed: Hypothesis alone makes nearly empty ones."""
    pick = random.choice
    for _ in range(random.randint(15, 45)):
        key, user = pick([11, 11, 11, 12, 21]), pick([1, 1, 1, 2])
        steps: dict[tuple[Any, ...], int] = {
            ("call", key, pick([1, 10, 20, 20, 40, 70]), pick([0, 0, 0, 9_000_000])): 10,
            ("late", random.randint(0, 9), pick([-40, -10, 10, 40])): 1,
            ("reverse", random.randint(0, 9)): 1,
            ("grant", user, pick([50, 200, 400])): 1,
            ("limit", key, pick([25, 50, 100, 150, 300])): 1,
            ("key_budget", key, pick([50, 100, 200])): 1,
            ("budget", user, pick([50, 100, 200, 300]), pick(_PERIODS)): 1,
            ("low", user, pick([0, 100, 400])): 1,
            ("status", user, pick([True, True, False])): 1,
            ("wait", random.randint(1, 12)): 1,
            ("count", pick([True, False])): 2,
            ("look", *random.sample(range(40), random.randint(0, 2))): 5,
        }
        yield random.choices(list(steps), list(steps.values()))[0]


_PERIODS = ("day", "week", "month")


class _History:
    """Does each step to the database and to the oracle."""

    def __init__(self, made: Spenders, watched: Watched, oracle: Oracle) -> None:
        self.made, self.watched, self.oracle = made, watched, oracle
        self.looked = made.now

    async def call(self, key: int, amount: int, ago: int) -> None:
        began = self.made.now - ago
        tid, charge = await self.made.call(key, amount, began)
        self.oracle.began[tid] = began
        self.oracle.spent(key, charge, tid, began)

    async def late(self, which: int, by: int) -> None:
        if which < len(self.made.calls):
            tid = list(self.made.calls)[which]
            self._spent(tid, await self.made.late(tid, by))

    async def reverse(self, which: int) -> None:
        if which < len(self.made.calls):
            tid = list(self.made.calls)[which]
            self._spent(tid, -await self.made.reverse(tid))

    def _spent(self, tid: str, by: int) -> None:
        self.oracle.spent(self.made.calls[tid], by, tid, self.oracle.began[tid])

    async def grant(self, user: int, amount: int) -> None:
        await self.made.grant(user, amount)
        self.oracle.granted(user, amount)

    async def limit(self, key: int, limit: int) -> None:
        await self.made.set_limit(key, limit)
        self.oracle.limit_set(key, limit)

    async def key_budget(self, key: int, budget: int) -> None:
        period = self.oracle.key_budget[key][1]
        await self.made.set_key_budget(key, budget, period)
        self.oracle.key_budget[key] = (budget, period)

    async def budget(self, user: int, amount: int, period: str) -> None:
        await self.made.set_user(user, budget_nano=amount, budget_period=period)
        self.oracle.budget[user] = (amount, period)

    async def low(self, user: int, amount: int) -> None:
        await self.made.set_user(user, low_balance_nano=amount)
        self.oracle.low[user] = amount

    async def status(self, user: int, is_active: bool) -> None:
        await self.made.set_user(user, status="active" if is_active else "suspended")
        (self.oracle.suspended.discard if is_active else self.oracle.suspended.add)(user)

    async def wait(self, hours: int) -> None:
        # A line that is older than a day when somebody looks is no news.
        if self.made.now + hours * 3_600_000 - self.looked > _DAY_MS - 3_600_000:
            await self.look()
        self.made.now += hours * 3_600_000

    async def count(self, both: bool) -> None:
        while await index_chunk(self.made.engine):
            pass
        while both and await recompute(self.made.engine, FOREVER):
            pass

    async def look(self, *deaths: int) -> None:
        self.made.now += _STEP_MS
        for statement in deaths:
            await self.watched.die(statement)
        await self.watched.look()
        self.oracle.look(self.made.now)
        self.looked = self.made.now
        assert await self.made.marks() == self.oracle.told


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@example(seed=466)
@given(seed=st.integers(0, 2**64))
async def test_any_history_is_told_as_worked_out_by_hand(engine: AsyncEngine, seed: int):
    random = Random(seed)
    limit = random.choice([50, 100, 300])
    budget = (random.choice([50, 100, 1000]), random.choice(_PERIODS))
    own = (random.choice([50, 100, 200]), random.choice(_PERIODS))
    made = Spenders(engine)
    amount, period = budget
    await made.open(500, limit_nano=limit, budget_nano=amount, budget_period=period)
    await begin(engine, START)
    oracle = Oracle(
        500, key_limit=dict.fromkeys(OWNER, limit), key_budget=dict.fromkeys(OWNER, budget)
    )
    history = _History(made, Watched(made), oracle)
    for what, *how in [("budget", 1, *own), *_steps(random), ("look",)]:
        await getattr(history, what)(*how)
        made.now += _STEP_MS
    assert sorted(await told(made), key=str) == sorted(oracle.mails, key=str)


async def opened(engine: AsyncEngine, balance: int = 1000, **key: Any) -> tuple[Spenders, Watched]:
    made = Spenders(engine)
    await made.open(balance, **key)
    return made, Watched(made)


async def look(made: Spenders, watched: Watched) -> list[tuple[str, str, str | None]]:
    """Look, twice; return what is told of it for the first time."""
    before = len(await made.mails())
    for _ in range(2):
        made.now += _STEP_MS
        await watched.look()
    return (await told(made))[before:]


async def test_a_limit_is_told_at_80_and_at_100_percent_by_the_calls_that_took_it_there(
    engine: AsyncEngine,
):
    made, watched = await opened(engine, limit_nano=100)
    await made.call(11, 79)
    assert await look(made, watched) == []
    tid, _ = await made.call(11, 1)
    await made.call(11, 19)
    assert await look(made, watched) == [(email_of(1), "Limit of key k11: 80% spent", tid)]
    tid, _ = await made.call(11, 1)
    assert await look(made, watched) == [(email_of(1), "Limit of key k11: 100% spent", tid)]


async def test_of_two_marks_that_one_call_passes_only_the_higher_is_told(engine: AsyncEngine):
    made, watched = await opened(engine, limit_nano=100)
    await made.call(11, 70)
    tid, _ = await made.call(11, 30)
    assert await look(made, watched) == [(email_of(1), "Limit of key k11: 100% spent", tid)]
    assert {mark[2] for mark in await made.marks()} == {"key_limit_80", "key_limit_100"}


async def test_a_call_that_passes_them_by_what_it_cost_later_is_one_call(engine: AsyncEngine):
    made, watched = await opened(engine, limit_nano=100)
    tid, _ = await made.call(11, 80)
    await made.late(tid, 20)
    assert await look(made, watched) == [(email_of(1), "Limit of key k11: 100% spent", tid)]


async def test_marks_that_two_calls_passed_before_anybody_looked_are_both_told(
    engine: AsyncEngine,
):
    made, watched = await opened(engine, limit_nano=100)
    first, _ = await made.call(11, 85)
    second, _ = await made.call(11, 15)
    assert {call for _, _, call in await look(made, watched)} == {first, second}


async def test_what_was_given_back_before_anybody_looked_is_not_told(engine: AsyncEngine):
    made, watched = await opened(engine, limit_nano=100)
    tid, _ = await made.call(11, 90)
    await made.reverse(tid)
    assert await look(made, watched) == []


async def test_a_limit_that_is_raised_begins_anew(engine: AsyncEngine):
    made, watched = await opened(engine, limit_nano=100)
    await made.call(11, 85)
    assert len(await look(made, watched)) == 1
    await made.set_limit(11, 200)
    await made.call(11, 5)
    assert await look(made, watched) == []
    tid, _ = await made.call(11, 75)
    assert await look(made, watched) == [(email_of(1), "Limit of key k11: 80% spent", tid)]


async def test_a_limit_lowered_under_what_is_spent_is_told_at_the_next_call_and_blames_none(
    engine: AsyncEngine,
):
    made, watched = await opened(engine, limit_nano=100)
    await made.call(11, 42)
    assert await look(made, watched) == []
    await made.set_limit(11, 50)
    assert await look(made, watched) == []
    await made.call(11, 1)
    assert await look(made, watched) == [(email_of(1), "Limit of key k11: 80% spent", None)]


async def test_a_budget_rolls_at_midnight(engine: AsyncEngine):
    made, watched = await opened(engine, budget_nano=100, budget_period="day")
    midnight = period_at("day", START).end_ms
    said = "Budget of key k11 for this day: 80% spent"
    first, _ = await made.call(11, 80)
    assert await look(made, watched) == [(email_of(1), said, first)]
    made.now = midnight + 1
    await made.call(11, 79)
    # It began yesterday and is of yesterday's budget.
    late, _ = await made.call(11, 20, midnight - 1)
    assert await look(made, watched) == [(email_of(1), said.replace("80", "100"), late)]
    second, _ = await made.call(11, 1)
    assert await look(made, watched) == [(email_of(1), said, second)]


async def test_a_low_balance_is_told_once_until_it_was_above_and_once_a_day(engine: AsyncEngine):
    made, watched = await opened(engine, 1000)
    said = "Balance below $0.0000002"
    await made.call(11, 800)
    assert await look(made, watched) == []
    tid, _ = await made.call(12, 1)
    assert await look(made, watched) == [(email_of(1), said, tid)]
    await made.call(11, 1)
    made.now += _DAY_MS - 4 * _STEP_MS
    await made.call(11, 1)
    assert await look(made, watched) == []
    await made.grant(1, 100)
    assert await look(made, watched) == []
    tid, _ = await made.call(11, 50)
    await made.call(11, 50)
    (got,) = await look(made, watched)
    assert got[1] == said
    await made.grant(1, 100)
    await look(made, watched)
    await made.call(11, 90)
    assert await look(made, watched) == []


async def test_who_was_never_above_is_not_told(engine: AsyncEngine):
    made, watched = await opened(engine, 150)
    await made.call(11, 100)
    assert await look(made, watched) == []
    await made.set_user(2, low_balance_nano=0)
    await made.call(21, 100)
    assert await look(made, watched) == []


async def test_a_suspended_user_is_not_told(engine: AsyncEngine):
    made, watched = await opened(engine, limit_nano=100)
    await made.set_user(1, status="suspended")
    await made.call(11, 100)
    assert await look(made, watched) == []
    assert await made.marks() == set()


async def test_an_address_that_cannot_be_written_to_stops_nobody_else(engine: AsyncEngine):
    made, watched = await opened(engine, limit_nano=100)
    await made.set_user(1, email="ünicode@example.test")
    await made.call(11, 100)
    await made.call(21, 100)
    assert [to for to, _, _ in await look(made, watched)] == [email_of(2)]


async def test_the_mail_is_in_the_user_s_language_and_names_the_site(engine: AsyncEngine):
    made, watched = await opened(engine, limit_nano=100)
    await made.set_user(1, language="zh_Hans")
    async with working(engine) as connection:
        await change_site(connection, {"name": "Bridge"})
    await made.call(11, 90)
    await made.call(21, 90)
    await look(made, watched)
    subjects = {mail["to"]: mail["subject"] for mail in await made.mails()}
    both = "[Bridge] Limit of key k21: 80% spent · 密钥 k21 的限额已用 80%"
    assert subjects == {email_of(1): "[Bridge] 密钥 k11 的限额已用 80%", email_of(2): both}


async def test_a_line_that_was_committed_late_is_found_by_the_next_long_look(engine: AsyncEngine):
    made, watched = await opened(engine, limit_nano=100)
    await made.call(21, 1)
    assert await look(made, watched) == []
    tid, _ = await made.call(11, 90)
    await made.call(21, 1)
    # Written by a node that committed it 40 s after it was numbered.
    early = first_id(made.now - 40_000)
    async with working(engine) as connection:
        await connection.execute(update(journal).where(journal.c.ref == tid).values(id=early))
    assert await look(made, watched) == [(email_of(1), "Limit of key k11: 80% spent", tid)]


async def test_two_processes_tell_once(engine: AsyncEngine):
    made, watched = await opened(engine, limit_nano=100)
    await made.call(11, 90)
    made.now += _STEP_MS
    await watched.look()
    await Watched(made).look()
    assert len(await told(made)) == 1
