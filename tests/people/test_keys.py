"""What users do with their keys: ownership, limits that never forget spending, rotation, deletion."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.people.stock import STOCK
from tests.services.pages import House
from tollbridge.api.apply import apply
from tollbridge.billing.budgets import open_budget
from tollbridge.core.clock import new_id
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.periods import period_at
from tollbridge.identity.keys import KeyRecord, KeyStore
from tollbridge.identity.presented import check_key
from tollbridge.people.key_wish import GONE_MARK, KeyRefused, KeyWish
from tollbridge.people.keys import (
    KEYS_MAX,
    KeyGone,
    OwnKey,
    budget_spent,
    change_own_key,
    create_key,
    delete_key,
    find_key,
    list_keys,
    rotate_key,
    switch_key,
)
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.tables import api_keys
from tollbridge.storage.unit_of_work import reading, writing

NOON = 1_900_000_000_000


async def stocked(house: House) -> int:
    """Give the house a catalogue and a user."""
    await apply(house.engine, house.secrets, STOCK, environ={})
    return await house.user()


async def make(house: House, user_id: int, wish: KeyWish) -> tuple[int, str]:
    async with writing(house.engine) as connection:
        return await create_key(connection, house.secrets, house.snapshot, user_id, wish, NOON)


async def change(house: House, user_id: int, key_id: int, wish: KeyWish) -> bool:
    async with writing(house.engine) as connection:
        return await change_own_key(connection, house.snapshot, user_id, key_id, wish, NOON)


async def read(house: House, user_id: int, key_id: int) -> OwnKey:
    async with reading(house.engine) as connection:
        return await find_key(connection, user_id, key_id)


async def record(house: House, secret: str) -> KeyRecord | None:
    return await KeyStore(house.engine, house.secrets).find(secret.encode())


async def test_a_key_is_as_wished(house: House) -> None:
    user_id = await stocked(house)
    wish = KeyWish(
        name="laptop",
        channel_id=house.snapshot.channels_by_name["main"].id,
        limit=5_000,
        budget=300,
        budget_period="week",
        expires_ms=NOON + 1,
        ips=("10.0.0.0/8", "192.0.2.1/32"),
        models=("gpt-test", "gpt-wild-7"),
        rpm=1,
        tpm=2,
        concurrency=3,
    )
    key_id, secret = await make(house, user_id, wish)
    assert (await read(house, user_id, key_id)).wish == wish
    found = await record(house, secret)
    assert found is not None and found.limit_purse_id is not None
    assert (found.id, found.user_id, found.last6) == (key_id, user_id, secret[-6:])
    assert (found.channel_id, found.expires_ms, found.may_pin) == (
        *(wish.channel_id, NOON + 1, False),
    )
    assert (found.ips, found.models) == (wish.ips, frozenset(wish.models))
    assert (found.rpm, found.tpm, found.concurrency) == (1, 2, 3)
    assert (found.budget_nano, found.budget_period) == (300, "week")
    assert not await change(house, user_id, key_id, wish)
    # Host bits and doubles are tidied, never refused.
    loose = replace(wish, ips=("192.0.2.1", "10.1.2.3/8", "10.0.0.0/8"))
    assert not await change(house, user_id, key_id, loose)


async def test_nobody_reaches_a_key_of_somebody_else(house: House) -> None:
    ann = await stocked(house)
    bob = await house.user("bob@example.com")
    key_id, secret = await make(house, ann, KeyWish("one"))
    before = await read(house, ann, key_id)
    wish = KeyWish("mine now")
    for user_id, wanted in ((bob, key_id), (ann, key_id + 1), (7, key_id)):
        doings = (
            lambda c, u=user_id, k=wanted: find_key(c, u, k),
            lambda c, u=user_id, k=wanted: change_own_key(c, house.snapshot, u, k, wish, NOON),
            lambda c, u=user_id, k=wanted: switch_key(c, u, k, enabled=False),
            lambda c, u=user_id, k=wanted: rotate_key(c, house.secrets, u, k, 0, NOON),
            lambda c, u=user_id, k=wanted: delete_key(c, u, k, NOON),
        )
        for do in doings:
            with pytest.raises(KeyGone):
                async with writing(house.engine) as connection:
                    await do(connection)
    assert await read(house, ann, key_id) == before
    assert await record(house, secret)
    async with reading(house.engine) as connection:
        assert await list_keys(connection, bob) == []


async def test_names_are_ones_own_and_there_are_at_most_a_hundred_keys(house: House) -> None:
    ann = await stocked(house)
    bob = await house.user("bob@example.com")
    first, _ = await make(house, ann, KeyWish("one"))
    await make(house, bob, KeyWish("one"))
    second, _ = await make(house, ann, KeyWish("two"))
    with pytest.raises(KeyRefused, match="name"):
        await make(house, ann, KeyWish("one"))
    with pytest.raises(KeyRefused, match="name"):
        await change(house, ann, second, KeyWish("one"))
    async with writing(house.engine) as connection:
        for number in range(KEYS_MAX - 2):
            wish = KeyWish(f"k{number}")
            await create_key(connection, house.secrets, house.snapshot, ann, wish, NOON)
    with pytest.raises(KeyRefused):
        await make(house, ann, KeyWish("one more"))
    async with writing(house.engine) as connection:
        await delete_key(connection, ann, first, NOON)
    await make(house, ann, KeyWish("one"))


async def test_a_channel_that_an_operator_chose_stays(house: House) -> None:
    user_id = await stocked(house)
    vault = house.snapshot.channels_by_name["vault"].id
    with pytest.raises(KeyRefused) as caught:
        await make(house, user_id, KeyWish("one", channel_id=vault))
    assert set(caught.value.faults) == {"channel"}
    key_id, _ = await make(house, user_id, KeyWish("one"))
    async with writing(house.engine) as connection:
        await connection.execute(
            update(api_keys).values(channel_id=vault, models='["long-gone"]', may_pin=True)
        )
    kept = KeyWish("two", channel_id=vault, models=("long-gone",))
    assert await change(house, user_id, key_id, kept)
    async with reading(house.engine) as connection:
        assert (await connection.execute(select(api_keys.c.may_pin))).scalar_one()
    # A fresh model is one that the channel sells.
    assert await change(house, user_id, key_id, replace(kept, models=("long-gone", "gpt-other")))
    with pytest.raises(KeyRefused, match="models"):
        await change(house, user_id, key_id, replace(kept, models=("long-gone", "nothing")))


async def test_a_rotated_secret_is_taken_until_its_grace_ends(house: House) -> None:
    user_id = await stocked(house)
    key_id, first = await make(house, user_id, KeyWish("one"))
    async with writing(house.engine) as connection:
        second = await rotate_key(connection, house.secrets, user_id, key_id, 3_600, NOON)
    old, new = await record(house, first), await record(house, second)
    assert old is not None and new is not None
    assert old == replace(new, last6=first[-6:], expires_ms=NOON + 3_600_000)
    assert new.expires_ms is None and new.last6 == second[-6:]
    check_key(old, "192.0.2.1", NOON + 3_599_999)
    with pytest.raises(ApiError) as caught:
        check_key(old, "192.0.2.1", NOON + 3_600_000)
    assert caught.value.kind is Kind.KEY_EXPIRED
    # The key's own end comes first where it is earlier.
    for expires_ms, ends_ms in ((NOON + 5, NOON + 5), (NOON + 9_000_000, NOON + 3_600_000)):
        await change(house, user_id, key_id, KeyWish("one", expires_ms=expires_ms))
        old, new = await record(house, first), await record(house, second)
        assert old and new and (old.expires_ms, new.expires_ms) == (ends_ms, expires_ms)
    async with writing(house.engine) as connection:
        third = await rotate_key(connection, house.secrets, user_id, key_id, 86_400, NOON)
    assert await record(house, first) is None
    assert await record(house, second) and await record(house, third)
    async with writing(house.engine) as connection:
        fourth = await rotate_key(connection, house.secrets, user_id, key_id, 0, NOON)
    assert await record(house, second) is await record(house, third) is None
    assert await record(house, fourth)
    with pytest.raises(KeyRefused, match="grace"):
        async with writing(house.engine) as connection:
            await rotate_key(connection, house.secrets, user_id, key_id, 5, NOON)


async def test_a_deleted_key_is_found_by_nobody_and_frees_its_name(house: House) -> None:
    user_id = await stocked(house)
    key_id, first = await make(house, user_id, KeyWish("one", limit=5))
    async with writing(house.engine) as connection:
        second = await rotate_key(connection, house.secrets, user_id, key_id, 3_600, NOON)
        await delete_key(connection, user_id, key_id, NOON + 1)
    assert await record(house, first) is await record(house, second) is None
    async with reading(house.engine) as connection:
        row = (await connection.execute(select(api_keys))).mappings().one()
        assert await list_keys(connection, user_id) == []
    assert (row["name"], row["deleted_ms"]) == (f"{GONE_MARK}{key_id}", NOON + 1)
    assert row["hash"] != house.secrets.key_hash(second) and row["old_hash"] is None
    # The file may take the name, and the secret too, and leaves what was deleted alone.
    text = f'[[user]]\nemail = "ann@example.com"\n[[user.key]]\nname = "one"\nsecret = "{second}"\n'
    report = await apply(house.engine, house.secrets, text, environ={}, prune=True)
    assert "+ key ann@example.com/one" in report.lines
    assert not any(GONE_MARK in line for line in report.lines)
    found = await record(house, second)
    assert found is not None and found.id != key_id


async def test_what_the_file_says_is_the_secret_at_once(house: House) -> None:
    text = f'[[user]]\nemail = "a@b.org"\n[[user.key]]\nname = "k"\nsecret = "{"s" * 40}"\n'
    await apply(house.engine, house.secrets, text, environ={})
    found = await record(house, "s" * 40)
    assert found is not None
    async with writing(house.engine) as connection:
        minted = await rotate_key(connection, house.secrets, found.user_id, found.id, 3_600, NOON)
    report = await apply(house.engine, house.secrets, text, environ={})
    assert report.lines == ["~ key a@b.org/k: secret"]
    assert await record(house, minted) is None
    assert await record(house, "s" * 40) == found


async def test_who_has_a_secret_goes_before_who_had_it(house: House) -> None:
    user_id = await stocked(house)
    key_id, secret = await make(house, user_id, KeyWish("one"))
    async with writing(house.engine) as connection:
        await rotate_key(connection, house.secrets, user_id, key_id, 3_600, NOON)
    text = f'[[user]]\nemail = "c@d.org"\n[[user.key]]\nname = "k"\nsecret = "{secret}"\n'
    await apply(house.engine, house.secrets, text, environ={})
    found = await record(house, secret)
    assert found is not None and found.user_id != user_id and found.expires_ms is None


async def test_no_two_keys_had_one_secret(house: House) -> None:
    user_id = await stocked(house)
    await make(house, user_id, KeyWish("one"))
    await make(house, user_id, KeyWish("two"))
    with pytest.raises(IntegrityError):
        async with writing(house.engine) as connection:
            await connection.execute(update(api_keys).values(old_hash=b"same"))


async def test_a_budget_shows_what_is_spent_of_its_period(house: House) -> None:
    user_id = await stocked(house)
    wish = KeyWish("one", budget=100, budget_period="day")
    key_id, secret = await make(house, user_id, wish)
    found = await record(house, secret)
    assert found is not None

    async def spent(at_ms: int) -> int:
        key = await read(house, user_id, key_id)
        async with reading(house.engine) as connection:
            return await budget_spent(connection, key, at_ms)

    assert await spent(NOON) == 0
    async with writing(house.engine) as connection:
        purse_id = await open_budget(connection, found, period_at("day", NOON).start_ms)
        row = purse.c.id == purse_id
        await connection.execute(update(purse).where(row).values(available=purse.c.granted - 30))
    assert await spent(NOON) == 30
    await change(house, user_id, key_id, replace(wish, budget=40))
    assert await spent(NOON) == 30
    async with reading(house.engine) as connection:
        left = (await connection.execute(select(purse.c.available).where(row))).scalar_one()
    assert left == 10
    assert await spent(NOON + 86_400_000) == 0
    await change(house, user_id, key_id, KeyWish("one"))
    assert await spent(NOON) == 0


def test_states() -> None:
    key = OwnKey(1, KeyWish("k", limit=5, expires_ms=9), "abcdef", True, 0, 5, None, None)
    assert key.state(8) == "used_up"
    assert key.state(9) == "expired"
    assert replace(key, enabled=False).state(9) == "disabled"
    assert replace(key, spent=4).state(8) == "active"
    assert replace(key, wish=KeyWish("k"), spent=0).state(10**15) == "active"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("limit"), st.one_of(st.none(), st.integers(1, 100))),
        st.tuples(st.just("spend"), st.integers(0, 60)),
    ),
    max_size=12,
)


async def spend(connection: AsyncConnection, asked: int) -> int:
    """Charge what a call may: never more than is left. Return what was charged."""
    kind = purse.c.kind == "key_limit"
    left = (await connection.execute(select(purse.c.available).where(kind))).scalar_one()
    amount = min(asked, left)
    await connection.execute(update(purse).where(kind).values(available=left - amount))
    return int(amount)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
async def test_however_a_limit_moves_no_more_than_it_is_ever_spent(
    house: House, steps: list[tuple[str, Any]]
) -> None:
    """A limit bounds all that was spent since it was last away, and `spent` says exactly that."""
    async with writing(house.engine) as connection:
        await connection.execute(api_keys.delete())
        await connection.execute(purse.delete())
    user_id = await house.user(f"{new_id()}@example.com")
    key_id, _ = await make(house, user_id, KeyWish("one", limit=50))
    limit, spent = 50, 0
    for what, amount in steps:
        if what == "limit":
            await change(house, user_id, key_id, KeyWish("one", limit=amount))
            if limit is None or amount is None:
                spent = 0
            limit = amount
        elif limit is not None:
            async with writing(house.engine) as connection:
                charged = await spend(connection, amount)
            assert charged == max(0, min(amount, limit - spent))
            spent += charged
        key = await read(house, user_id, key_id)
        assert (key.wish.limit, key.spent) == (limit, spent if limit is not None else 0)
        assert (key.state(NOON) == "used_up") is (limit is not None and spent >= limit)
