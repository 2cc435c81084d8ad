"""A reversal is noted once, with who ordered it and why, in the transaction that moved the money."""

import pytest

from tests.console.calls import Till
from tests.people.operators import BOSS, noted
from tests.services.pages import House
from tollbridge.billing.reversals import NotReversible
from tollbridge.core.clock import new_tid, now_ms
from tollbridge.people.reversing import REASON_MAX, notes_of, reverse_call
from tollbridge.storage.unit_of_work import reading, working


async def test_it_is_noted_once(house: House):
    till = await Till(house).open()
    tid, at_ms = await till.call(), now_ms()
    for repeated in (False, True):
        async with working(house.engine) as connection:
            done = await reverse_call(connection, BOSS, tid, "garbled", at_ms)
        assert done.repeated is repeated
    [(action, subject, detail)] = await noted(house)
    assert (action, subject) == ("call.reverse", None)
    assert (detail["reason"], detail["user_id"]) == ("garbled", done.user_id)
    async with reading(house.engine) as connection:
        [line] = await notes_of(connection, tid, at_ms)
        assert await notes_of(connection, new_tid(), at_ms) == []
    assert (line["actor"], line["subject"]) == (BOSS.name, tid)


@pytest.mark.parametrize("reason", ["", " ", "x" * (REASON_MAX + 1)])
async def test_it_needs_a_reason(house: House, reason: str):
    with pytest.raises(ValueError, match="reason"):
        async with working(house.engine) as connection:
            await reverse_call(connection, BOSS, new_tid(), reason, now_ms())


async def test_what_is_refused_is_not_noted(house: House):
    with pytest.raises(NotReversible):
        async with working(house.engine) as connection:
            await reverse_call(connection, BOSS, new_tid(), "garbled", now_ms())
    assert await noted(house) == []
