"""The twin of billing/restored.py: calls that ran at the time of the backup cost nothing."""

import pytest
from sqlalchemy import text

from tests.storage.shop_books import Shop, write
from tests.storage.test_restore import findings, in_one
from tollbridge.billing.bill import Bill, pack
from tollbridge.billing.restored import void_holds
from tollbridge.storage.engine import WRITES, open_engine
from tollbridge.storage.migrate import migrate


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request, tmp_path):
    """Return the URL of a migrated database."""
    made = f"sqlite:///{tmp_path}/t.db"
    if request.param == "postgresql":
        made = request.getfixturevalue("postgres_url")
    await migrate(made)
    return made


async def void(url):
    engine = open_engine(url)
    try:
        async with engine.connect() as plain:
            connection = await plain.execution_options(**{WRITES: True})
            async with connection.begin():
                return await void_holds(connection)
    finally:
        await engine.dispose()


async def ask(url, query):
    return await in_one(
        url, lambda connection: [tuple(row) for row in connection.execute(text(query))]
    )


async def test_nothing_running_is_nothing_to_do(url):
    assert await void(url) == 0


async def test_every_purse_of_a_hold_is_free_of_it_and_keeps_its_money(url):
    shop = Shop(11, holds=40)
    await in_one(url, write, shop.rows)
    three = [row for row in shop.rows["hold"] if row["other_purse_id"]]
    assert three
    before = await ask(url, "SELECT id, available FROM purse ORDER BY id")
    assert await void(url) == len(shop.rows["hold"])
    assert await ask(url, "SELECT id, available FROM purse ORDER BY id") == before
    assert await ask(url, "SELECT count(*) FROM purse WHERE held <> 0") == [(0,)]
    assert await ask(url, "SELECT count(*) FROM hold") == [(0,)]
    assert await findings(url) == []
    assert await void(url) == 0


async def test_the_row_says_what_the_bill_knew_and_charges_nothing(url):
    shop = Shop(12, holds=0)
    shop._hold()
    (hold,) = shop.rows["hold"]
    bill = Bill(
        hold["tid"], 5, 6, 7, "the key", hold["wallet_id"], 8, "channel", 9, "asked", "sent",
        "chat", "openai", stream=True, price_id=1, num=1, den=1, client="c", input=5, output=6,
    )  # fmt: skip
    hold["bill"] = pack(bill)
    await in_one(url, write, shop.rows)
    await void(url)
    columns = (
        "charge, loss, held, end_state, flags, status, input, output, key_name, model_sent, at_ms"
    )
    assert await ask(url, f"SELECT {columns} FROM usage WHERE tid = '{hold['tid']}'") == [
        (0, 0, hold["amount"], "reclaimed", "voided", 500, 5, 6, "the key", "sent", 5)
    ]
    assert await ask(url, f"SELECT count(*) FROM journal WHERE ref = '{hold['tid']}'") == [(0,)]


async def test_no_bill_keeps_a_shop_from_being_restored(url):
    """A bill may hold what a table cannot; the call is voided all the same, plainly."""
    shop = Shop(13, holds=3)
    for hold, value in zip(shop.rows["hold"], (2**63, -1, 2**63 - 1), strict=True):
        bill = Bill(
            hold["tid"], 5, value, 7, "k", 1, 8, "c", 9, "a", "s", "chat", "openai",
            stream=True, price_id=1, num=1, den=1, client="c" * 99, input=value, output=6,
        )  # fmt: skip
        hold["bill"] = pack(bill)
    await in_one(url, write, shop.rows)
    assert await void(url) == 3
    assert await findings(url) == []
    assert await ask(url, "SELECT count(*), sum(charge) FROM usage WHERE flags = 'voided'") == [
        (3, 0)
    ]
