"""The twin of storage/postgres_errors.py: what the driver really raises, and whose fault it is."""

import asyncpg
import pytest

from tests.storage import pg_books
from tollbridge.storage.ledger_items import LedgerBroken
from tollbridge.storage.postgres_errors import DATABASE_TROUBLE, Fault, fault_of

_STATEMENTS = [
    ("SELECT 1 / 0", (), Fault.PASSING),
    ("SELECT $1::text", ("\ud800",), Fault.ITEM),
    ("SELECT $1::text", ("a\x00b",), Fault.ITEM),
    ("SELECT $1::bigint", (1 << 66,), Fault.ITEM),
    ("SELECT $1::bigint", ("seven",), Fault.ITEM),
    ("SELECT $1::bigint + 9223372036854775807", (1,), Fault.ITEM),
    ("SELECT 'x'::text::char(1)::bigint", (), Fault.ITEM),
    ("SELECT * FROM nowhere", (), Fault.PASSING),
    ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(5)", None, Fault.CONNECTION),
    ("SELECT pg_terminate_backend(pg_backend_pid())", (), Fault.CONNECTION),
    ("DO $$ BEGIN RAISE 'full' USING ERRCODE = '53100'; END $$", (), Fault.PASSING),
    ("DO $$ BEGIN RAISE 'deadlock' USING ERRCODE = '40P01'; END $$", (), Fault.PASSING),
    ("DO $$ BEGIN RAISE 'locked' USING ERRCODE = '55P03'; END $$", (), Fault.PASSING),
    ("DO $$ BEGIN RAISE 'twice' USING ERRCODE = '23505'; END $$", (), Fault.ITEM),
    ("DO $$ BEGIN RAISE 'negative' USING ERRCODE = '23514'; END $$", (), Fault.ITEM),
    ("DO $$ BEGIN RAISE 'ending' USING ERRCODE = '57P01'; END $$", (), Fault.CONNECTION),
    ("DO $$ BEGIN RAISE 'unknown' USING ERRCODE = '08007'; END $$", (), Fault.CONNECTION),
]


@pytest.mark.parametrize(("statement", "values", "fault"), _STATEMENTS)
async def test_whose_fault_an_error_is(postgres_server, statement, values, fault):
    url = f"postgresql://postgres@127.0.0.1:{postgres_server.port}/postgres"
    connection = await asyncpg.connect(url)
    try:
        with pytest.raises(Exception) as caught:
            await connection.execute(statement, *(values or ()))
    finally:
        connection.terminate()
    assert fault_of(caught.value) is fault


async def test_a_server_that_is_not_there_is_trouble_and_no_answer(postgres_server):
    from tests.services.ports import free_port

    with pytest.raises(DATABASE_TROUBLE) as caught:
        await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{free_port()}/postgres")
    assert fault_of(caught.value) is Fault.CONNECTION
    with pytest.raises(DATABASE_TROUBLE):
        async with pg_books.opened(
            f"postgresql://postgres@127.0.0.1:{postgres_server.port}/nowhere"
        ):
            pass


async def test_a_connection_that_is_closed_already_is_lost(postgres_server):
    url = f"postgresql://postgres@127.0.0.1:{postgres_server.port}/postgres"
    connection = await asyncpg.connect(url)
    await connection.close()
    with pytest.raises(asyncpg.InterfaceError) as caught:
        await connection.execute("SELECT 1")
    assert fault_of(caught.value) is Fault.CONNECTION


@pytest.mark.parametrize("error", [LedgerBroken("restored"), KeyError("x"), AssertionError()])
def test_what_is_ours_is_not_blamed_on_the_database(error):
    assert fault_of(error) is Fault.PROGRAM


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), OSError(28, "full")])
def test_what_breaks_on_the_way_leaves_doubt(error):
    assert fault_of(error) is Fault.CONNECTION
    assert isinstance(error, DATABASE_TROUBLE)
