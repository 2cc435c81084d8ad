"""A deleted account opens nothing any more, its books hold, and nobody gets a bonus twice by it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from tests.billing.ledgers import running, soon
from tests.people.stock import STOCK
from tests.people.test_joining import ask, joined
from tests.services.at_the_door import VOICE, letters, row_of, stages, switch_on
from tests.services.pages import House
from tests.storage.books import row
from tollbridge.api.apply import apply
from tollbridge.billing.verify import verify
from tollbridge.core.clock import new_id, new_tid, now_ms
from tollbridge.identity.access_tokens import TokenStore, add_token
from tollbridge.identity.audit import Actor
from tollbridge.identity.keys import KeyStore
from tollbridge.identity.one_time import Purpose, issue, look_at
from tollbridge.identity.recovery import codes_left
from tollbridge.identity.scopes import Scope
from tollbridge.identity.users import find_user
from tollbridge.people.deletion import delete_account
from tollbridge.people.external import identities_of
from tollbridge.people.key_wish import KeyWish
from tollbridge.people.keys import create_key, list_keys
from tollbridge.people.user_changes import LastAdmin, NoSuchUser
from tollbridge.storage.ledger_tables import journal, lot, purse
from tollbridge.storage.people_tables import audit_log, bonus_marks, external_identities
from tollbridge.storage.purse_reads import figures_of
from tollbridge.storage.unit_of_work import reading, working, writing

USD = 1_000_000_000
HOUR_MS = 3_600_000


async def end(house: House, user_id: int) -> None:
    actor = Actor(user_id, "somebody", "console")
    async with writing(house.engine) as connection:
        await delete_account(connection, actor, user_id, VOICE, now_ms())


async def books(house: House) -> list[Any]:
    async with reading(house.engine) as connection:
        return [
            (await connection.execute(select(table).order_by(table.c.id))).all()
            for table in (purse, journal, lot)
        ]


async def test_what_opened_doors_opens_none(house: House):
    await apply(house.engine, house.secrets, STOCK, environ={})
    ann = await house.user(password="a lantern in june", credit=3 * USD, telegram_id=42)
    await switch_on(house, ann)
    await house.session(ann)
    at_ms = now_ms()
    async with writing(house.engine) as connection:
        _, secret = await create_key(
            connection, house.secrets, house.snapshot, ann, KeyWish(name="k", limit=USD), at_ms
        )
        _, token = await add_token(
            connection, house.secrets, ann, "t", {Scope.OWN_READ}, at_ms=at_ms
        )
        word = await issue(
            connection, house.secrets, Purpose.RESET, at_ms=at_ms, life_ms=HOUR_MS, user_id=ann
        )
        await connection.execute(
            insert(external_identities).values(
                id=new_id(), user_id=ann, provider="hub", subject="1", email="", created_ms=at_ms
            )
        )
    before = await books(house)
    await end(house, ann)
    assert await books(house) == before
    assert await stages(house, ann) == []
    record = await KeyStore(house.engine, house.secrets).find(secret.encode())
    assert record is None
    found = await TokenStore(house.engine, house.secrets).find(token)
    assert found is not None and found.dead(now_ms()) == "revoked"
    async with reading(house.engine) as connection:
        assert await list_keys(connection, ann) == []
        assert await codes_left(connection, ann) == 0
        assert not await identities_of(connection, ann)
        assert await look_at(connection, house.secrets, Purpose.RESET, word, now_ms()) is None
        assert await find_user(connection, "ann@example.com") is None
    left = await row_of(house, ann)
    email = f"deleted-{ann}@deleted.invalid"
    assert (left["email"], left["email_norm"], left["status"]) == (email, email, "suspended")
    gone = ("password_hash", "totp_secret", "totp_step", "telegram_id", "language", "zone")
    assert [left[name] for name in gone] == [None] * len(gone)
    assert left["deleted_ms"] is not None
    told = (await letters(house))[-1]
    assert told["to"] == "ann@example.com" and "deleted" in told["subject"]
    assert [one for one in await verify(house.engine, full=True) if one.fatal] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_call_that_runs_is_charged_as_ever(house: House):
    ann = await house.user(credit=USD)
    wallet, tid = (await row_of(house, ann))["wallet_id"], new_tid()
    async with running(Path(house.engine.url.database or "")) as node:
        assert (await soon(node.ledger.hold(tid, (wallet,), 500, now_ms(), "{}").future)).ok
        await end(house, ann)
        await soon(node.ledger.settle(tid, 300, row(tid, wallet)).future)
    async with reading(house.engine) as connection:
        figures = (await figures_of(connection, [wallet]))[wallet]
    assert (figures.available, figures.held) == (USD - 300, 0)
    assert [one for one in await verify(house.engine, full=True) if one.fatal] == []


async def test_who_comes_back_gets_no_second_bonus(house: House):
    first = await joined(house, await ask(house, "ann@example.com"))
    await end(house, first.user_id)
    again = await joined(house, await ask(house, "ann+x@example.com"))
    assert again.user_id != first.user_id and not again.bonus_given
    async with reading(house.engine) as connection:
        marks = (await connection.execute(select(bonus_marks.c.kind))).scalars().all()
    assert marks == ["sign_up"]
    assert [one for one in await verify(house.engine, full=True) if one.fatal] == []


async def test_an_account_is_deleted_once(house: House):
    ann = await house.user()
    found = await asyncio.gather(end(house, ann), end(house, ann), return_exceptions=True)
    assert sorted(isinstance(one, NoSuchUser) for one in found) == [False, True]
    assert len(await letters(house)) == 1


async def test_others_are_left_alone(house: House):
    ann, bob = await house.user(), await house.user("bob@example.com")
    cookie = await house.session(bob)
    await end(house, ann)
    assert await stages(house, bob) == ["full"] and cookie
    assert (await row_of(house, bob))["status"] == "active"


async def test_never_the_last_admin(house: House):
    one, two = await house.user(role="admin"), await house.user("two@example.com", "admin")
    found = await asyncio.gather(end(house, one), end(house, two), return_exceptions=True)
    assert sorted(isinstance(each, LastAdmin) for each in found) == [False, True]
    async with reading(house.engine) as connection:
        query = select(audit_log.c.action, audit_log.c.subject)
        noted = (await connection.execute(query)).all()
    assert len(noted) == 1 and noted[0].action == "user.delete"
    assert noted[0].subject.startswith("deleted-")


async def test_a_word_begun_by_nobody_stays(house: House):
    ann, at_ms = await house.user(), now_ms()
    async with working(house.engine) as connection:
        word = await issue(connection, house.secrets, Purpose.SIGN_UP, at_ms=at_ms, life_ms=HOUR_MS)
    await end(house, ann)
    async with reading(house.engine) as connection:
        assert await look_at(connection, house.secrets, Purpose.SIGN_UP, word, at_ms) is not None


async def test_there_is_no_such_user(house: House):
    with pytest.raises(NoSuchUser):
        await end(house, 7)
