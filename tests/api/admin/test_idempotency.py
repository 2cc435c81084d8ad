"""Proof that a named write is done once: asked again, by two at once, after a failure; on each engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select

from tests.api.admin.office import Office, kind
from tests.services.shop import OTHERS
from tollbridge.api.admin.idempotency import HEADER, REPLAYED
from tollbridge.core.clock import now_ms
from tollbridge.storage.ledger_tables import journal, purse
from tollbridge.storage.people_tables import audit_log, idempotency, redeem_codes
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.worker.people import ANSWERS_MS, forget_answers

BODY = {"amount": "2.50", "reason": "a gift"}


async def bob(office: Office) -> tuple[str, int]:
    key = await office.shop.key(OTHERS)
    return f"/api/admin/users/{key.user_id}/credit", key.wallet_id


async def balance(office: Office, wallet_id: int) -> int:
    async with reading(office.shop.engine) as connection:
        query = select(purse.c.available).where(purse.c.id == wallet_id)
        return int((await connection.execute(query)).scalar_one())


async def count(office: Office, table) -> int:
    async with reading(office.shop.engine) as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


def named(name: str) -> dict[str, str]:
    return {HEADER: name}


async def test_the_same_again_is_the_same_answer_and_no_money(each_office: Office):
    path, wallet = await bob(each_office)
    async with each_office.client() as client:
        first = await client.post(path, json=BODY, headers=named("a"))
        assert first.status_code == 200, first.text
        assert REPLAYED not in first.headers
        after = await balance(each_office, wallet)
        noted = await count(each_office, audit_log)
        again = await client.post(path, json=BODY, headers=named("a"))
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers[REPLAYED] == "true"
        other = await client.post(path, json=BODY, headers=named("b"))
        assert other.json()["balance"] != first.json()["balance"]
    assert after == 3_500_000_000
    assert await balance(each_office, wallet) == after + 2_500_000_000
    assert await count(each_office, audit_log) == noted + 1


async def test_another_request_of_the_same_name_is_refused(each_office: Office):
    path, wallet = await bob(each_office)
    async with each_office.client() as client:
        await client.post(path, json=BODY, headers=named("a"))
        for changed in (BODY | {"amount": "2.51"}, BODY | {"reason": "x"}):
            reply = await client.post(path, json=changed, headers=named("a"))
            assert kind(reply) == (422, "idempotency-key-reused")
        ada = path.replace(path.split("/")[4], str(each_office.people["user"]))
        assert kind(await client.post(ada, json=BODY, headers=named("a")))[0] == 422
    assert await balance(each_office, wallet) == 3_500_000_000


async def test_many_at_once_move_it_once(each_office: Office):
    path, wallet = await bob(each_office)
    async with each_office.client() as client:
        replies = await asyncio.gather(
            *(client.post(path, json=BODY, headers=named("a")) for _ in range(8))
        )
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.content for reply in replies}) == 1
    assert sum(REPLAYED not in reply.headers for reply in replies) == 1
    assert await balance(each_office, wallet) == 3_500_000_000


async def test_many_names_at_once_all_move_it(each_office: Office):
    path, wallet = await bob(each_office)
    async with each_office.client() as client:
        replies = await asyncio.gather(
            *(client.post(path, json=BODY, headers=named(f"n{one}")) for one in range(4))
        )
    assert {reply.status_code for reply in replies} == {200}
    assert await balance(each_office, wallet) == 1_000_000_000 + 4 * 2_500_000_000


async def test_what_was_refused_may_be_asked_again(each_office: Office):
    path, wallet = await bob(each_office)
    taken = {"amount": "-5.00", "reason": "a mistake"}
    async with each_office.client() as client:
        assert kind(await client.post(path, json=taken, headers=named("a"))) == (409, "conflict")
        assert await count(each_office, idempotency) == 0
        await client.post(path, json=BODY | {"amount": "10.00"}, headers=named("b"))
        again = await client.post(path, json=taken, headers=named("a"))
        assert (again.status_code, again.json()["balance"]) == (200, "6.00")
    assert await balance(each_office, wallet) == 6_000_000_000


async def test_what_broke_off_before_its_end_was_not_done(each_office: Office):
    """A process that dies before the commit leaves neither money nor an answer."""
    path, wallet = await bob(each_office)
    async with each_office.client() as client:
        lines = await count(each_office, journal)
        async with broken(each_office):
            reply = await client.post(path, json=BODY, headers=named("a"))
            # SQLite says of a trigger that it is a rule of the database.
            assert reply.status_code in {409, 503}
        assert await count(each_office, journal) == lines
        assert await count(each_office, idempotency) == 0
        reply = await client.post(path, json=BODY, headers=named("a"))
        assert (reply.status_code, reply.json()["repeated"]) == (200, False)
    assert await balance(each_office, wallet) == 3_500_000_000


@asynccontextmanager
async def broken(office: Office) -> AsyncIterator[None]:
    """Let the database refuse the last statement of a named write."""
    sqlite = office.shop.engine.dialect.name == "sqlite"
    refuse = "SELECT RAISE(ABORT, 'no');" if sqlite else "RAISE 'no';"
    make = (
        [f"CREATE TRIGGER refuse BEFORE UPDATE ON idempotency BEGIN {refuse} END"]
        if sqlite
        else [
            f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {refuse} END $$",
            "CREATE TRIGGER refuse BEFORE UPDATE ON idempotency EXECUTE FUNCTION refuse()",
        ]
    )
    drop = "DROP TRIGGER refuse" + ("" if sqlite else " ON idempotency")
    async with working(office.shop.engine) as connection:
        for statement in make:
            await connection.exec_driver_sql(statement)
    yield
    async with working(office.shop.engine) as connection:
        await connection.exec_driver_sql(drop)


async def test_a_name_outlives_its_answer(each_office: Office):
    path, wallet = await bob(each_office)
    async with each_office.client() as client:
        await client.post(path, json=BODY, headers=named("a"))
        async with working(each_office.shop.engine) as connection:
            assert await forget_answers(connection, now_ms() + ANSWERS_MS - 60_000) == 0
            assert await forget_answers(connection, now_ms() + ANSWERS_MS) == 1
        again = await client.post(path, json=BODY, headers=named("a"))
        assert again.json()["repeated"] is True
        changed = await client.post(path, json=BODY | {"amount": "3.00"}, headers=named("a"))
        assert kind(changed)[0] == 422
    assert await balance(each_office, wallet) == 3_500_000_000


async def test_names_are_of_each_user_alone(office: Office):
    path, wallet = await bob(office)
    await office.change_user("staff", role="admin")
    for role in ("admin", "staff"):
        async with office.client(role=role) as client:
            reply = await client.post(path, json=BODY, headers=named("a"))
            assert (reply.status_code, REPLAYED in reply.headers) == (200, False)
    assert await balance(office, wallet) == 6_000_000_000


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "\u00e9".encode(), None])
async def test_a_name_is_needed_and_has_a_form(office: Office, name):
    path, wallet = await bob(office)
    async with office.client() as client:
        headers = {} if name is None else {HEADER: name}
        assert kind(await client.post(path, json=BODY, headers=headers)) == (422, "invalid")
    assert await balance(office, wallet) == 1_000_000_000


async def test_secrets_are_kept_by_nobody(each_office: Office):
    wish = {"batch": "spring", "count": 2, "amount": "1.00"}
    async with each_office.client() as client:
        replies = await asyncio.gather(
            *(client.post("/api/admin/codes", json=wish, headers=named("a")) for _ in range(3))
        )
        made = [reply for reply in replies if reply.status_code == 201]
        assert len(made) == 1
        others = [kind(reply) for reply in replies if reply.status_code != 201]
        assert others == [(409, "already-done")] * 2
    async with reading(each_office.shop.engine) as connection:
        [row] = (await connection.execute(select(idempotency))).mappings()
    assert (row["status"], row["answer"]) == (201, "")
    assert not any(code in str(dict(row)) for code in made[0].json()["codes"])
    assert await count(each_office, redeem_codes) == 2


async def test_a_reversal_may_have_a_name(office: Office):
    tid = await office.shop.settle(charge=7)
    path = f"/api/admin/requests/{tid}/reverse"
    async with office.client() as client:
        first = await client.post(path, json={"reason": "x"}, headers=named("a"))
        again = await client.post(path, json={"reason": "x"}, headers=named("a"))
        bare = await client.post(path, json={"reason": "x"})
    assert first.json()["repeated"] is False
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    assert (bare.json()["repeated"], REPLAYED in bare.headers) == (True, False)
