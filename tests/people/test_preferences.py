"""What users choose for themselves is kept, and a new amount is told anew."""

from typing import Any

import pytest

from tests.services.at_the_door import row_of
from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.core.periods import period_at
from tollbridge.people.preferences import ALERT_MAX, Alerts, choose_alerts, choose_place
from tollbridge.people.user_changes import NoSuchUser
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.user_alerts import UserMark, mark_told, marks_of

USD = 1_000_000_000


async def told(house: House, user_id: int) -> set[str]:
    async with reading(house.engine) as connection:
        return {mark.kind for mark in (await marks_of(connection, [user_id]))[user_id]}


async def choose(house: House, user_id: int, alerts: Alerts) -> bool:
    async with working(house.engine) as connection:
        return await choose_alerts(connection, user_id, alerts)


async def test_language_and_zone(house: House):
    ann = await house.user()
    for language, zone in (("zh_Hans", "Asia/Shanghai"), (None, None)):
        async with working(house.engine) as connection:
            await choose_place(connection, ann, language, zone)
        row = await row_of(house, ann)
        assert (row["language"], row["zone"]) == (language, zone)


@pytest.mark.parametrize(("language", "zone"), [("xx", None), ("en", "Mars/Olympus"), ("en", "")])
async def test_what_there_is_not_is_refused(house: House, language: str, zone: str | None):
    ann = await house.user()
    async with working(house.engine) as connection:
        with pytest.raises(ValueError, match=r"language|zone"):
            await choose_place(connection, ann, language, zone)


async def test_a_new_amount_is_told_anew_and_the_same_is_not(house: House):
    ann, at_ms = await house.user(), now_ms()
    first = Alerts(5 * USD, "month", USD)
    assert await choose(house, ann, first)
    window = period_at("month", at_ms).start_ms
    kinds = ("budget_month_80", "budget_month_100", "low_balance", "balance_well", "key_limit_80")
    async with working(house.engine) as connection:
        for kind in kinds:
            await mark_told(connection, UserMark(ann, 0, kind, window), at_ms)
    assert not await choose(house, ann, first)
    assert await told(house, ann) == set(kinds)
    assert await choose(house, ann, Alerts(6 * USD, "month", USD))
    assert await told(house, ann) == {"low_balance", "balance_well", "key_limit_80"}
    assert await choose(house, ann, Alerts(6 * USD, "month", None))
    assert await told(house, ann) == {"key_limit_80"}


async def test_alerts_can_be_taken_away(house: House):
    ann = await house.user()
    await choose(house, ann, Alerts(USD, "day", 0))
    await choose(house, ann, Alerts(None, None, None))
    row = await row_of(house, ann)
    assert [row[f"{name}"] for name in ("budget_nano", "budget_period", "low_balance_nano")] == [
        None
    ] * 3


@pytest.mark.parametrize(
    "given",
    [
        (0, "month", None),
        (-1, "month", None),
        (ALERT_MAX + 1, "day", None),
        (USD, None, None),
        (None, "day", None),
        (USD, "year", None),
        (None, None, -1),
        (None, None, ALERT_MAX + 1),
    ],
)
def test_alerts_out_of_range_are_none(given: Any):
    with pytest.raises(ValueError, match=r"budget|period|balance"):
        Alerts(*given)


async def test_of_a_deleted_account_nothing_can_be_chosen(house: House):
    gone = await house.user(deleted_ms=1)
    with pytest.raises(NoSuchUser):
        await choose(house, gone, Alerts(None, None, None))
