"""The twin of billing/verify.py: each invariant is broken by hand and named, on both engines."""

import shutil
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from tests.storage import books
from tollbridge.billing.verify import Finding, verify
from tollbridge.core.clock import now_ms
from tollbridge.storage.engine import WRITES, open_engine
from tollbridge.storage.ledger_items import USAGE_COLUMNS

A, B = "a" * 32, "b" * 32
RIGHT = (
    "INSERT INTO purse (id, kind, owner_id, available, held) VALUES (1, 'wallet', 1, 930, 40)",
    "INSERT INTO purse (id, kind, owner_id, available, held) VALUES (2, 'key_limit', 1, 400, 40)",
    "INSERT INTO journal VALUES (1, 0, 'promo', 'wallet:1', 1000, 'USD', 'grant', 'g')",
    f"INSERT INTO journal VALUES (2, 0, 'wallet:1', 'revenue', 70, 'USD', 'charge', '{A}')",
    f"INSERT INTO journal VALUES (3, 0, 'operator_loss', 'revenue', 5, 'USD', 'loss', '{A}')",
    "INSERT INTO node (id, name, epoch, beat, dead) VALUES (7, 'n', 2, 0, false)",
    f"INSERT INTO hold VALUES ('{B}', 1, 2, 40, 0, 7, 2, {{now}}, 'x', NULL)",
)
OLD = "UPDATE hold SET at_ms = at_ms - {minutes} * 60000"

BROKEN = [
    (
        "I1 available",
        ["UPDATE purse SET available = 931 WHERE id = 1"],
        "wallet 1 has 931 but its journal lines come to 930",
    ),
    (
        "I1 available",
        ["UPDATE journal SET amount = 999 WHERE id = 1"],
        "wallet 1 has 930 but its journal lines come to 929",
    ),
    (
        "I1 journal",
        ["INSERT INTO journal VALUES (9, 0, 'promo', 'wallet:77', 1, 'USD', 'grant', 'h')"],
        "the journal names wallet:77, which is no purse",
    ),
    (
        "I1 journal",
        ["INSERT INTO journal VALUES (9, 0, 'promo', 'wallet:2', 1, 'USD', 'grant', 'h')"],
        "the journal names wallet:2, which is no purse",
    ),
    (
        "I1 held",
        ["UPDATE purse SET held = 41 WHERE id = 2"],
        "purse 2 has 41 held but its open holds come to 40",
    ),
    ("I1 held", ["DELETE FROM hold"], "purse 1 has 40 held but its open holds come to 0"),
    (
        "I1 range",
        ["UPDATE purse SET available = 39 WHERE id = 2"],
        "purse 2 has available 39, held 40",
    ),
    (
        "I1 range",
        ["UPDATE purse SET available = -1 WHERE id = 2"],
        "purse 2 has available -1, held 40",
    ),
    (
        "I2 balance",
        ["INSERT INTO journal VALUES (9, 0, 'promo', 'promo', 5, 'USD', 'grant', 'h')"],
        "journal line 9 moves 5 from promo to promo",
    ),
    (
        "I2 balance",
        ["INSERT INTO journal VALUES (9, 0, 'promo', 'revenue', -5, 'USD', 'grant', 'h')"],
        "journal line 9 moves -5 from promo to revenue",
    ),
    (
        "I3 charge",
        ["UPDATE usage SET charge = 71"],
        f"call {A} is charged 71 in its usage row and 70 in the journal",
    ),
    (
        "I3 charge",
        ["DELETE FROM journal WHERE id = 2"],
        f"call {A} is charged 70 in its usage row and 0 in the journal",
    ),
    (
        "I3 charge",
        ["UPDATE journal SET debit = 'revenue', credit = 'wallet:1' WHERE id = 2"],
        f"call {A} is charged 70 in its usage row and -70 in the journal",
    ),
    (
        "I3 charge",
        [f"INSERT INTO journal VALUES (9, 0, 'revenue', 'wallet:1', 70, 'USD', 'late', '{A}')"],
        f"call {A} is charged 70 in its usage row and 0 in the journal",
    ),
    (
        "I3 journal",
        ["DELETE FROM usage"],
        f"the journal has 2 lines for call {A}, which has no usage row",
    ),
    (
        "I3 loss",
        ["UPDATE usage SET loss = 6"],
        f"call {A} lost 6 by its usage row and 5 by the journal",
    ),
    (
        "I3 reversal",
        ["UPDATE usage SET reversed = 70"],
        f"call {A} was given back 70 by its usage row and 0 by the journal",
    ),
    (
        "I3 reversal",
        [f"INSERT INTO journal VALUES (9, 0, 'revenue', 'wallet:1', 70, 'USD', 'reversal', '{A}')"],
        f"call {A} was given back 0 by its usage row and 70 by the journal",
    ),
    (
        "I3 beyond",
        ["UPDATE usage SET reversed = 71"],
        f"call {A} was charged 70, but 71 of it was given back",
    ),
    (
        "I3 wallet",
        [f"INSERT INTO journal VALUES (9, 0, 'revenue', 'promo', 70, 'USD', 'reversal', '{A}')"],
        f"call {A} is of wallet 1 but promo was charged",
    ),
    (
        "I3 wallet",
        ["UPDATE usage SET wallet_id = 8"],
        f"call {A} is of wallet 8 but wallet:1 was charged",
    ),
    (
        "I3 wallet",
        ["UPDATE journal SET debit = 'wallet:1' WHERE id = 3"],
        f"call {A} is of wallet 1 but another than the operator was charged",
    ),
    (
        "I3 wallet",
        [f"INSERT INTO journal VALUES (9, 0, 'promo', 'revenue', 7, 'USD', 'late', '{A}')"],
        f"call {A} is of wallet 1 but promo was charged",
    ),
    (
        "I1 held",
        ["UPDATE hold SET other_purse_id = 1"],
        "purse 1 has 40 held but its open holds come to 80",
    ),
    (
        "I3 once",
        [f"UPDATE hold SET tid = '{A}'"],
        f"call {A} has both a hold and a usage row",
    ),
    (
        "I4 dead",
        ["UPDATE node SET epoch = 3", OLD.format(minutes=2)],
        f"hold {B} belongs to epoch 2 of node 7, which is over",
    ),
    (
        "I4 dead",
        ["UPDATE node SET dead = true", OLD.format(minutes=2)],
        f"hold {B} belongs to epoch 2 of node 7, which is over",
    ),
    (
        "I4 dead",
        ["DELETE FROM node", OLD.format(minutes=2)],
        f"hold {B} belongs to epoch 2 of node 7, which is over",
    ),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path, sqlite_template):
    if request.param == "postgresql":
        return request.getfixturevalue("migrated_postgres_url")
    return f"sqlite:///{shutil.copyfile(sqlite_template, tmp_path / 'books.db')}"


@asynccontextmanager
async def sound(url):
    """Yield the engine of books that are right, without the tables' own checks."""
    engine = open_engine(url)
    await execute(engine, *RIGHT)
    facts = dict(zip(USAGE_COLUMNS, (*books.row(A, stream=False), 70, 5), strict=True))
    names = ", ".join(f":{name}" for name in USAGE_COLUMNS)
    await execute(
        engine, f"INSERT INTO usage ({', '.join(USAGE_COLUMNS)}) VALUES ({names})", **facts
    )
    try:
        yield engine
    finally:
        await engine.dispose()


async def execute(engine, *statements, **values):
    async with engine.connect() as plain:
        connection = await plain.execution_options(**{WRITES: True})
        if engine.dialect.name == "sqlite":
            await connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        else:
            for table in ("purse", "journal"):
                rows = await connection.execute(
                    text(
                        "SELECT conname FROM pg_constraint WHERE contype = 'c'"
                        f" AND conrelid = '{table}'::regclass"
                    )
                )
                for (name,) in rows.fetchall():
                    await connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
        for statement in statements:
            await connection.execute(text(statement.replace("{now}", str(now_ms()))), values)
        await connection.commit()


async def test_right_books_have_no_findings(url):
    async with sound(url) as engine:
        assert await verify(engine) == []


@pytest.mark.parametrize("proved", [False, True], ids=["first", "later"])
@pytest.mark.parametrize(("name", "statements", "sentence"), BROKEN)
async def test_a_broken_invariant_is_named(url, name, statements, sentence, proved):
    async with sound(url) as engine:
        if proved:
            assert await verify(engine) == []
        await execute(engine, *statements)
        assert Finding(name, sentence, fatal=True) in await verify(engine)


async def test_a_fresh_hold_of_a_dead_epoch_has_its_minute(url):
    async with sound(url) as engine:
        await execute(engine, "UPDATE node SET epoch = 3")
        assert await verify(engine) == []


async def test_a_long_hold_of_a_live_node_is_reported_but_not_fatal(url):
    async with sound(url) as engine:
        await execute(engine, OLD.format(minutes=61))
        (finding,) = await verify(engine)
        assert (finding.invariant, finding.fatal) == ("I4 long", False)
        assert finding.sentence.startswith(f"hold {B} of a live node stands since ")
