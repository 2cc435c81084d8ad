"""A code is redeemed once by whoever is first; a guesser learns nothing; only its mark is stored."""

import asyncio
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.people.operators import BOSS, available, noted
from tests.services.pages import House
from tollbridge.billing.verify import verify
from tollbridge.core.clock import now_ms
from tollbridge.people.redeeming import (
    AMOUNT_MAX,
    Batch,
    BatchTaken,
    NotRedeemed,
    Reason,
    Redeemed,
    make_codes,
    redeem,
    revoke_batch,
)
from tollbridge.people.user_changes import NoSuchUser
from tollbridge.storage.ledger_tables import journal, lot
from tollbridge.storage.people_tables import redeem_codes
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working

DAY_MS = 86_400_000
FORM = re.compile(r"tbr_[2-9A-HJKMNP-Z]{24}")


async def made(house: House, **more) -> list[str]:
    batch = Batch(**{"name": "may", "count": 1, "amount": 5, **more})
    async with working(house.engine) as connection:
        return await make_codes(connection, house.secrets, BOSS, batch, now_ms())


async def redeemed(house: House, user_id: int, code: str, at_ms: int | None = None) -> Redeemed:
    async with working(house.engine) as connection:
        return await redeem(connection, house.secrets, user_id, code, at_ms or now_ms())


async def refused(house: House, user_id: int, code: str, at_ms: int | None = None) -> Reason:
    with pytest.raises(NotRedeemed) as error:
        await redeemed(house, user_id, code, at_ms)
    return error.value.reason


async def revoked(house: House, batch: str) -> int:
    async with working(house.engine) as connection:
        return await revoke_batch(connection, BOSS, batch, now_ms())


async def test_codes_are_stored_nowhere(house: House) -> None:
    codes = await made(house, count=1000, amount=7, credit_days=3)
    assert len(set(codes)) == 1000 and all(FORM.fullmatch(code) for code in codes)
    async with reading(house.engine) as connection:
        rows = (await connection.execute(select(redeem_codes))).mappings().all()
        stored = repr([dict(row) for row in rows])
    assert {row["last6"] for row in rows} == {code[-6:] for code in codes}
    assert not any(code[4:] in stored for code in codes)
    detail = {"count": 1000, "amount": "0.000000007", "expires_ms": None, "credit_days": 3}
    assert await noted(house) == [("codes.make", None, detail)]


async def test_a_code_is_credit_once(house: House) -> None:
    ann, bob = await house.user(), await house.user("bob@example.com")
    [code] = await made(house, credit_days=30)
    at_ms = now_ms()
    assert await redeemed(house, ann, code, at_ms) == Redeemed(5, at_ms + 30 * DAY_MS)
    assert await refused(house, ann, code) is Reason.YOURS
    assert await refused(house, bob, code) is Reason.UNUSABLE
    async with reading(house.engine) as connection:
        code_id = (await connection.execute(select(redeem_codes.c.id))).scalar_one()
        assert (await connection.execute(select(journal.c.ref))).scalar_one() == f"code:{code_id}"
        ends = (await connection.execute(select(lot.c.expires_ms))).scalar_one()
    assert ends == at_ms + 30 * DAY_MS
    assert (await available(house, ann), await available(house, bob)) == (5, 0)
    assert await verify(house.engine) == []


async def test_of_two_at_the_same_time_one_has_it(house: House) -> None:
    people = [await house.user(f"{name}@example.com") for name in "abcd"]
    [code] = await made(house)
    done = await asyncio.gather(
        *(redeemed(house, one, code) for one in people), return_exceptions=True
    )
    won = [one for one in done if isinstance(one, Redeemed)]
    lost = [one.reason for one in done if isinstance(one, NotRedeemed)]
    assert (won, lost) == ([Redeemed(5, None)], [Reason.UNUSABLE] * 3)
    assert sorted([await available(house, one) for one in people]) == [0, 0, 0, 5]


async def test_a_code_may_be_typed_by_hand(house: House) -> None:
    ann = await house.user()
    for number, shape in enumerate(
        (
            lambda code: f"  {code.lower()}\n",
            lambda code: code.removeprefix("tbr_"),
            lambda code: "-".join(re.findall("....", code)),
            lambda code: code.upper(),
        )
    ):
        [code] = await made(house, name=f"b{number}")
        assert (await redeemed(house, ann, shape(code))).amount == 5
    assert await available(house, ann) == 20


async def test_what_ended_or_was_revoked(house: House) -> None:
    ann, bob = await house.user(), await house.user("bob@example.com")
    at_ms = now_ms()
    [late] = await made(house, name="late", expires_ms=at_ms + 1000)
    first, second = await made(house, name="two", count=2)
    assert await refused(house, ann, late, at_ms + 1000) is Reason.EXPIRED
    await redeemed(house, ann, late, at_ms + 999)
    await redeemed(house, ann, first)
    assert await revoked(house, "two") == 1
    assert await revoked(house, "two") == 0
    assert await refused(house, bob, second) is Reason.UNUSABLE
    assert await refused(house, ann, first) is Reason.YOURS
    with pytest.raises(LookupError):
        await revoked(house, "none")
    assert [one[0] for one in await noted(house)] == ["codes.make", "codes.make", "codes.revoke"]


async def test_a_batch_has_a_name_of_its_own(house: House) -> None:
    done = await asyncio.gather(*(made(house, count=3) for _ in range(3)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["BatchTaken", "BatchTaken", "list"]
    with pytest.raises(BatchTaken):
        await made(house)
    async with reading(house.engine) as connection:
        assert len((await connection.execute(select(redeem_codes.c.id))).all()) == 3


async def test_only_who_is_there_redeems(house: House) -> None:
    gone = await house.user(deleted_ms=1)
    [code] = await made(house)
    for nobody in (gone, 1):
        with pytest.raises(NoSuchUser):
            await redeemed(house, nobody, code)
    ann = await house.user("new@example.com")
    assert (await redeemed(house, ann, code)).amount == 5


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(max_size=140))
async def test_whatever_is_typed_is_refused_alike(house: House, text: str) -> None:
    async with reading(house.engine) as connection:
        found = (await connection.execute(select(users.c.id).limit(1))).scalar_one_or_none()
    ann = found or await house.user()
    assert await refused(house, ann, text) is Reason.UNUSABLE


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"name": "x" * 65}, {"name": "a\nb"}, {"count": 0}, {"count": 1001},
        {"amount": 0}, {"amount": -1}, {"amount": AMOUNT_MAX + 1}, {"credit_days": 0},
        {"credit_days": 4000},
    ],
)  # fmt: skip
def test_what_is_no_batch(wrong) -> None:
    with pytest.raises(ValueError, match=r"batch|too few|days"):
        Batch(**{"name": "may", "count": 1, "amount": 5, **wrong})
