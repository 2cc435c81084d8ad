"""A dossier has what there is of one user and nothing of another, and never a secret."""

from sqlalchemy import Text, insert

from tests.identity.rows import key_columns
from tests.people.operators import BOSS
from tests.services.pages import House
from tollbridge.core.clock import new_id, now_ms
from tollbridge.people.credit import adjust
from tollbridge.people.dossier import LINES_MAX, read_dossier
from tollbridge.storage.query_tables import rollup
from tollbridge.storage.rollup_marks import DAY, FIVE_MINUTES
from tollbridge.storage.tables import api_keys
from tollbridge.storage.unit_of_work import reading, working

DAY_MS = 86_400_000


async def dossier(house: House, user_id: int):
    async with reading(house.engine) as connection:
        return await read_dossier(connection, user_id, now_ms())


async def with_key(house: House, user_id: int, **columns) -> None:
    values = {"hash": b"hash", "last6": "abcdef", "created_ms": 1, **key_columns(), **columns}
    async with working(house.engine) as connection:
        await connection.execute(insert(api_keys).values(id=new_id(), user_id=user_id, **values))


async def test_nobody_has_none(house: House) -> None:
    assert await dossier(house, 1) is None


async def test_what_there_is_of_a_user(house: House) -> None:
    ann, bob = await house.user(credit=5), await house.user("bob@example.com", credit=9)
    await with_key(house, ann, name="mine")
    await with_key(house, ann, name="gone", hash=b"gone", deleted_ms=1)
    await with_key(house, bob, name="his", hash=b"his")
    await house.session(ann)
    async with working(house.engine) as connection:
        for number in range(LINES_MAX + 1):
            await adjust(connection, BOSS, ann, number + 1, "why", f"r{number}", now_ms())
        await adjust(connection, BOSS, bob, 1, "why", "his", now_ms())
    found = await dossier(house, ann)
    assert [key["name"] for key in found.keys] == ["mine"]
    assert "hash" not in found.keys[0]
    assert (found.available, found.held, found.sessions, found.spent) == (5 + 231, 0, 1, 0)
    assert sum(one.remaining for one in found.lots) == found.available
    assert [line.amount for line in found.ledger] == list(range(LINES_MAX + 1, 1, -1))
    assert len(found.audit) == LINES_MAX
    assert {line["subject_id"] for line in found.audit} == {ann}
    assert not found.deleted


async def test_lots_that_are_used_up_are_left_out(house: House) -> None:
    ann = await house.user(credit=5)
    async with working(house.engine) as connection:
        await adjust(connection, BOSS, ann, -5, "why", "r", now_ms())
    found = await dossier(house, ann)
    assert (found.available, list(found.lots)) == (0, [])


async def test_what_was_spent_in_thirty_days(house: House) -> None:
    ann, at_ms = await house.user(), now_ms()
    today = at_ms - at_ms % DAY_MS
    rows = [
        (FIVE_MINUTES, today, 3),
        (DAY, today - 29 * DAY_MS, 40),
        (DAY, today - 30 * DAY_MS, 500),
    ]
    empty = {column.name: "" if isinstance(column.type, Text) else 0 for column in rollup.columns}
    async with working(house.engine) as connection:
        for span, start_ms, charge in rows:
            values = {"span": span, "start_ms": start_ms, "user_id": ann, "charge": charge}
            await connection.execute(insert(rollup).values(**empty | values))
    assert (await dossier(house, ann)).spent == 43
