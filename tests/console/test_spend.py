"""Proof that what is shown of some days adds up, by model and by key, in any zone."""

from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from tests.console.calls import DAY_MS
from tests.services.pages import House
from tests.storage.rollup_oracle import call, catch_up
from tests.storage.usage_writer import recharge
from tollbridge.billing import statistics
from tollbridge.console.spend import Spend, read_spend
from tollbridge.core.clock import now_ms
from tollbridge.storage.query_tables import rollup_floor
from tollbridge.storage.rollup_marks import FIVE_MINUTES, HOUR
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web.charts import OTHER

USER = 77


async def ask(house: House, days: int = 30, by: str = "model", zone: str = "UTC") -> Spend:
    async with reading(house.engine) as connection:
        return await read_spend(connection, USER, days, by, zone, now_ms())


async def pay(house: House, charge: int, **values: Any) -> None:
    at = values.pop("at_ms", now_ms())
    tid = await call(house.engine, at, user_id=USER, **values)
    async with working(house.engine) as connection:
        await recharge(connection, tid, charge)


async def test_all_of_it_adds_up(house: House) -> None:
    for number in range(12):
        await pay(house, 100 - number, model_asked=f"m{number:02d}", first_token_ms=10 + number)
        await pay(house, 7, model_asked="m00", at_ms=now_ms() - number * DAY_MS)
    await catch_up(house.engine)
    spend = await ask(house)
    assert spend.total.charge == sum(100 - number for number in range(12)) + 12 * 7
    assert spend.total.calls == 24
    assert sum(one.sum.charge for one in spend.groups) == spend.total.charge
    assert [sum(one.charges) for one in spend.groups] == [one.sum.charge for one in spend.groups]
    assert sum(cell.sum.charge for cell in spend.cells) == spend.total.charge
    assert [one.colour for one in spend.groups] == [*range(8), OTHER, OTHER, OTHER, OTHER]
    assert [one.name for one in spend.groups] == [f"m{number:02d}" for number in range(12)]
    assert len(spend.days) == len(spend.by_day) == 30
    last = sum(one.charges[-1] for one in spend.groups)
    assert spend.today.charge == last


async def test_times_of_all_rows_are_put_together(house: House) -> None:
    for place, first in enumerate((10, 20, 30, None)):
        await pay(house, 1, model_asked=f"m{place}", first_token_ms=first)
    await catch_up(house.engine)
    spend = await ask(house)
    assert spend.first_token == (20, 30)
    assert spend.by_day[-1] == (20, 30) and spend.by_day[0] == (None, None)


async def test_nothing_is_shown_of_nobody(house: House) -> None:
    spend = await ask(house)
    assert spend.total.calls == 0 and spend.first_token == (None, None) and not spend.groups


async def test_where_small_figures_are_not_kept_days_are_those_of_utc(house: House) -> None:
    await pay(house, 5, at_ms=now_ms() - 20 * DAY_MS)
    await catch_up(house.engine)
    assert (await ask(house, zone="Asia/Kolkata")).zone == "Asia/Kolkata"
    assert (await ask(house, days=90, zone="Asia/Kolkata")).zone == "UTC"
    async with working(house.engine) as connection:
        await connection.execute(delete(rollup_floor))
        kept = [
            {"span": span, "start_ms": now_ms() // DAY_MS * DAY_MS - days * DAY_MS}
            for span, days in ((FIVE_MINUTES, 9), (HOUR, 401))
        ]
        await connection.execute(insert(rollup_floor), kept)
        assert len((await connection.execute(select(rollup_floor))).all()) == 2
    spend = await ask(house, zone="Asia/Kolkata")
    assert (spend.zone, spend.total.charge, spend.together) == ("UTC", 5, False)


async def test_too_many_groups_are_shown_together(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        await pay(house, 5, model_asked=f"m{number}")
    await catch_up(house.engine)
    monkeypatch.setattr(statistics, "ROWS_MAX", 3)
    spend = await ask(house)
    assert spend.together and spend.total.charge == 20
    assert [(one.name, sum(one.charges)) for one in spend.groups] == [("", 20)]
