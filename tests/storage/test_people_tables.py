"""The twin of storage/people_tables.py: a door's key is there once, and nobody hangs in the air."""

import pytest
from sqlalchemy import LargeBinary, func, insert, select
from sqlalchemy.exc import IntegrityError

from tests.storage.shop_books import Shop
from tollbridge.storage import people_tables
from tollbridge.storage.metadata import metadata
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, writing

SESSION = {
    "id": 1, "user_id": 1, "hash": b"h", "stage": "full", "created_ms": 1, "seen_ms": 1,
    "expires_ms": 2, "proved_ms": 1, "address": "", "agent": "",
}  # fmt: skip
ONE_TIME = {
    "id": 1, "purpose": "reset", "hash": b"h", "user_id": None, "data": "{}", "created_ms": 1,
    "expires_ms": 2, "used_ms": None,
}  # fmt: skip


@pytest.fixture
async def filled(engine):
    """A row of each kind, all of user 1."""
    rows = Shop(1, users=1, calls=0, holds=0).rows
    (user,) = rows["users"]
    names = ("recovery_codes", "external_identities", "bonus_marks", "invites", "redeem_codes")
    async with writing(engine) as connection:
        await connection.execute(insert(users).values(**(user | {"id": 1})))
        for name in (*names, "announcements", "idempotency"):
            (row,) = rows[name]
            whose = {key: 1 for key in ("user_id", "redeemed_by") if key in row}
            await connection.execute(insert(metadata.tables[name]).values(**(row | whose)))
            rows[name] = [row | whose]
        for table, row in ((people_tables.sessions, SESSION), (people_tables.one_time, ONE_TIME)):
            await connection.execute(insert(table).values(**row))
    return engine, rows | {"sessions": [SESSION], "one_time": [ONE_TIME]}


async def refused(engine, table: str, **values) -> bool:
    """Tell whether a database refuses a row."""
    try:
        async with writing(engine) as connection:
            await connection.execute(insert(metadata.tables[table]).values(**values))
    except IntegrityError:
        return True
    return False


@pytest.mark.parametrize(
    ("table", "more", "expected"),
    [
        ("sessions", {}, True),
        ("sessions", {"hash": b"another"}, False),
        ("sessions", {"hash": b"another", "user_id": 404}, True),
        ("sessions", {"hash": b"another", "stage": "first"}, True),
        ("one_time", {}, True),
        ("one_time", {"hash": b"another"}, False),
        ("one_time", {"hash": b"another", "user_id": 404}, True),
        ("recovery_codes", {}, True),
        ("recovery_codes", {"hash": b"another"}, False),
        ("external_identities", {}, True),
        ("external_identities", {"subject": "another"}, False),
        ("external_identities", {"provider": "another", "user_id": 404}, True),
        ("invites", {}, True),
        ("invites", {"hash": b"another"}, False),
        ("invites", {"hash": b"another", "uses": 4}, True),
        ("invites", {"hash": b"another", "uses": -1}, True),
        ("redeem_codes", {}, True),
        ("redeem_codes", {"hash": b"another"}, False),
        ("redeem_codes", {"hash": b"another", "amount_nano": 0}, True),
        ("redeem_codes", {"hash": b"another", "redeemed_by": 404}, True),
        ("announcements", {}, False),
        ("announcements", {"level": "rumour"}, True),
    ],
)
async def test_a_second_row(filled, table: str, more: dict, expected: bool):
    engine, rows = filled
    assert await refused(engine, table, **{**rows[table][0], "id": 2, **more}) is expected


@pytest.mark.parametrize(
    ("table", "another"), [("bonus_marks", {"kind": "other"}), ("idempotency", {"name": "other"})]
)
async def test_a_bonus_and_an_answer_are_there_once(filled, table: str, another: dict):
    engine, rows = filled
    assert await refused(engine, table, **rows[table][0])
    assert not await refused(engine, table, **{**rows[table][0], **another})
    async with reading(engine) as connection:
        count = select(func.count()).select_from(metadata.tables[table])
        assert (await connection.execute(count)).scalar_one() == 2


def test_whatever_opens_a_door_is_stored_as_a_hash():
    tables = ("sessions", "one_time", "recovery_codes", "invites", "redeem_codes")
    for name in tables:
        columns = metadata.tables[name].columns
        assert isinstance(columns["hash"].type, LargeBinary) and not columns["hash"].nullable
        assert not {"token", "word", "code", "secret", "password"} & {*columns.keys()}
    assert isinstance(metadata.tables["bonus_marks"].columns["mark"].type, LargeBinary)
