"""Credit by hand has a reason, and a line in the log for each time that money moved."""

import pytest

from tests.people.operators import BOSS, available, noted
from tests.services.pages import House
from tollbridge.billing.adjustments import Adjustment, NotEnough
from tollbridge.core.clock import now_ms
from tollbridge.people.credit import REASON_MAX, adjust
from tollbridge.people.user_changes import NoSuchUser
from tollbridge.storage.unit_of_work import working

DOLLAR = 10**9


async def adjusted(house: House, user_id: int, amount: int, ref: str = "r", why: str = "a gift"):
    async with working(house.engine) as connection:
        return await adjust(connection, BOSS, user_id, amount, why, ref, now_ms())


async def test_money_moves_with_its_line(house: House) -> None:
    ann = await house.user(credit=5 * DOLLAR)
    assert await adjusted(house, ann, -2 * DOLLAR) == Adjustment(-2 * DOLLAR, 3 * DOLLAR, False)
    assert (await adjusted(house, ann, -2 * DOLLAR)).repeated
    assert await available(house, ann) == 3 * DOLLAR
    detail = {"reason": "a gift", "amount": "-2.00", "before": "5.00", "after": "3.00", "ref": "r"}
    assert await noted(house) == [("user.credit", ann, detail)]


async def test_what_is_refused_leaves_no_line(house: House) -> None:
    ann, gone = await house.user(credit=5), await house.user("gone@example.com", deleted_ms=1)
    with pytest.raises(NotEnough):
        await adjusted(house, ann, -6)
    for reason in ("", "  ", "x" * (REASON_MAX + 1)):
        with pytest.raises(ValueError, match="reason"):
            await adjusted(house, ann, 1, why=reason)
    for nobody in (gone, 1):
        with pytest.raises(NoSuchUser):
            await adjusted(house, nobody, 1)
    assert await available(house, ann) == 5
    assert await noted(house) == []
