"""The twin of storage/term_rows.py: rows of prices and accounts are found by id, on both engines."""

from tests.storage import books, pg_books, sold
from tollbridge.storage.term_rows import TermRows, read_from_file, read_from_server

ROW = {"id": sold.PRICE, "rates": sold.RATES, "tiers": "[]", "items": "{}", "services": "{}"}
FOUND = TermRows([ROW], [(sold.ACCOUNT, 2, 3)])
NONE = TermRows([], [])


def test_a_file(tmp_path):
    path = books.fresh(tmp_path)
    sold.sell(path)
    assert read_from_file(path, {sold.PRICE, 99}, {sold.ACCOUNT, 99}) == FOUND
    assert read_from_file(path, {99}, ()) == read_from_file(path, (), ()) == NONE


async def test_a_server(migrated_postgres_url):
    async with pg_books.opened(migrated_postgres_url) as connection:
        for row in sold.ROWS:
            await connection.execute(row)
        assert await read_from_server(connection, {sold.PRICE, 99}, {sold.ACCOUNT, 99}) == FOUND
        assert await read_from_server(connection, {99}, ()) == NONE
