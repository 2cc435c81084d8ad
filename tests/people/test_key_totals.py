"""Totals of keys: from the roll-ups of thirty days, one user's alone; last use from the index."""

from sqlalchemy import event, insert

from tests.services.pages import House
from tollbridge.core.clock import tid_ms
from tollbridge.people.key_totals import KeyTotals, last_call, read_totals
from tollbridge.people.key_wish import KeyWish
from tollbridge.people.keys import create_key, delete_key
from tollbridge.storage.query_tables import ROLLUP_BINS, call_index, rollup, rollup_floor
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES, HOUR
from tollbridge.storage.unit_of_work import reading, writing

DAY_MS = 86_400_000
TODAY = 20_000 * DAY_MS
NOON = TODAY + DAY_MS // 2


def day(user_id: int, key_id: int, start_ms: int, calls: int, charge: int) -> dict[str, object]:
    """Return a day's row of a key."""
    zeros = {one.name: 0 for one in rollup.c if one.name not in ROLLUP_BINS}
    which = {"span": DAY, "start_ms": start_ms, "user_id": user_id, "key_id": key_id}
    more = {"channel_id": 1, "model": "m", "status_class": 2, "calls": calls, "charge": charge}
    return {**zeros, **dict.fromkeys(ROLLUP_BINS, ""), **which, **more}


def call(tid: str, user_id: int, key_id: int) -> dict[str, object]:
    more = {"channel_id": 1, "model": "m", "status": 200, "charge": 1}
    return {"tid": tid, "user_id": user_id, "key_id": key_id, **more}


async def test_totals_are_of_thirty_days_and_of_ones_own_keys(house: House) -> None:
    ann, bob = await house.user(), await house.user("bob@example.com")
    made = []
    async with writing(house.engine) as connection:
        for user_id, name in ((ann, "a"), (ann, "b"), (ann, "gone"), (bob, "c")):
            key_id, _ = await create_key(
                connection, house.secrets, house.snapshot, user_id, KeyWish(name), NOON
            )
            made.append(key_id)
        a, b, gone, c = made
        await delete_key(connection, ann, gone, NOON)
        floors = [{"span": span, "start_ms": 0} for span in (DAY, HOUR, FIVE_MINUTES)]
        await connection.execute(insert(rollup_floor), floors)
        rows = [
            day(ann, a, TODAY, 3, 500),
            day(ann, a, TODAY - 29 * DAY_MS, 4, 7),
            day(ann, a, TODAY - 30 * DAY_MS, 100, 1_000),
            day(bob, c, TODAY, 9, 9),
        ]
        await connection.execute(insert(rollup), rows)
        tids = [f"{at:012x}7{'0' * 19}" for at in (NOON - 9, NOON - 5, NOON - 7)]
        calls = [call(tids[0], ann, a), call(tids[1], ann, a), call(tids[2], bob, c)]
        await connection.execute(insert(call_index), calls)
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.append(statement)

    event.listen(house.engine.sync_engine, "before_cursor_execute", note)
    async with reading(house.engine) as connection:
        found = await read_totals(connection, ann, NOON)
    event.remove(house.engine.sync_engine, "before_cursor_execute", note)
    assert found == {a: KeyTotals(7, 507, tid_ms(tids[1])), b: KeyTotals()}
    assert sum("sum(" in one for one in seen) == 1
    assert sum("call_index" in one for one in seen) == 1
    async with reading(house.engine) as connection:
        assert await last_call(connection, a) == tids[1]
        assert await last_call(connection, b) is None
        assert await read_totals(connection, ann, NOON, a) == {a: found[a]}
        assert await read_totals(connection, ann, NOON, c) == {}
        assert await read_totals(connection, bob, NOON) == {c: KeyTotals(9, 9, NOON - 7)}
