"""Proof of the users' half of a file: credit once, keys kept or replaced, limits moved exactly."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.api.apply import apply
from tollbridge.api.apply_users import UserWriter
from tollbridge.billing.budgets import open_budget
from tollbridge.catalog.file import FileError, parse_file
from tollbridge.core.periods import period_at
from tollbridge.core.secrets import Secrets
from tollbridge.identity.keys import KeyStore
from tollbridge.identity.passwords import password_matches
from tollbridge.storage.ledger_tables import journal, purse
from tollbridge.storage.tables import api_keys, users
from tollbridge.storage.unit_of_work import reading, working, writing
from tollbridge.storage.user_alerts import UserMark, mark_told

SECRET = "sk-" + "s" * 40


def file(*, user: str = "", key: str = f'secret = "{SECRET}"') -> str:
    return f'[[user]]\nemail = "a@b.org"\n{user}\n[[user.key]]\nname = "k"\n{key}\n'


async def lines(engine: AsyncEngine, secrets: Secrets, text: str) -> list[str]:
    return (await apply(engine, secrets, text, environ={})).lines


async def one(engine: AsyncEngine, query: Any) -> RowMapping:
    async with reading(engine) as connection:
        return (await connection.execute(query)).mappings().one()


async def limit_purse(engine: AsyncEngine) -> tuple[int, int]:
    row = await one(engine, select(purse).where(purse.c.kind == "key_limit"))
    return row["available"], row["held"]


async def spend(engine: AsyncEngine, *, available: int, held: int) -> None:
    """Leave a limit's purse as calls would."""
    async with writing(engine) as connection:
        await connection.execute(
            update(purse).where(purse.c.kind == "key_limit").values(available=available, held=held)
        )


async def test_credit_is_granted_once_to_a_new_user(engine: AsyncEngine, secrets: Secrets):
    assert await lines(engine, secrets, file(user='credit = "5.00"')) == [
        "+ user a@b.org, $5.00 granted",
        "+ key a@b.org/k",
    ]
    assert await lines(engine, secrets, file(user='credit = "9.00"')) == ["nothing to change"]
    user = await one(engine, select(users))
    wallet = await one(engine, select(purse))
    line = await one(engine, select(journal))
    assert (wallet["id"], wallet["owner_id"], wallet["kind"]) == (
        *(user["wallet_id"], user["id"], "wallet"),
    )
    assert (wallet["available"], wallet["held"]) == (5_000_000_000, 0)
    assert (line["debit"], line["credit"], line["amount"]) == (
        *("promo", f"wallet:{wallet['id']}", 5_000_000_000),
    )
    assert (line["kind"], line["ref"]) == ("grant", f"apply:{user['id']}")


async def test_a_user_is_bound_to_telegram_and_stays_so(engine: AsyncEngine, secrets: Secrets):
    await lines(engine, secrets, file())
    assert (await one(engine, select(users)))["telegram_id"] is None
    bound = file(user="telegram_id = 7")
    assert await lines(engine, secrets, bound) == ["~ user a@b.org: telegram_id"]
    assert await lines(engine, secrets, bound) == ["nothing to change"]
    # What the file does not say is left as it is: users bind themselves.
    assert await lines(engine, secrets, file()) == ["nothing to change"]
    assert (await one(engine, select(users)))["telegram_id"] == 7


async def test_a_telegram_account_is_one_users_alone(engine: AsyncEngine, secrets: Secrets):
    both = '[[user]]\nemail = "{}"\ntelegram_id = {}\n'
    await lines(engine, secrets, both.format("a@b.org", 77) + both.format("c@d.org", 78))
    for taken in (both.format("new@b.org", 77), both.format("c@d.org", 77)):
        with pytest.raises(FileError, match=r"^line 2: telegram_id .* another user's already"):
            await lines(engine, secrets, "\n" + taken)
    # Who keeps their own takes nobody's, and two users of one file cannot share one either.
    assert await lines(engine, secrets, both.format("c@d.org", 78)) == ["nothing to change"]
    with pytest.raises(FileError, match=r"^line 4: .* another user's already"):
        await lines(engine, secrets, both.format("e@f.org", 79) + both.format("g@h.org", 79))


async def test_what_a_user_wants_to_be_told_of_is_set_and_stays_so(
    engine: AsyncEngine, secrets: Secrets
):
    wanted = 'budget = "50.00"\nbudget_period = "month"\nlow_balance = "0"'
    await lines(engine, secrets, file(user=wanted))
    row = await one(engine, select(users))
    assert (row["budget_nano"], row["budget_period"]) == (50_000_000_000, "month")
    assert row["low_balance_nano"] == 0
    changed = file(user=wanted.replace('"0"', '"5.00"'))
    assert await lines(engine, secrets, changed) == ["~ user a@b.org: low_balance"]
    assert await lines(engine, secrets, file()) == ["nothing to change"]


@pytest.mark.parametrize(("limit", "is_told_again"), [("9.00", True), ("1.00", False), ("", True)])
async def test_what_was_told_of_a_limit_is_forgotten_when_it_is_raised_or_ends(
    engine: AsyncEngine, secrets: Secrets, limit: str, is_told_again: bool
):
    await lines(engine, secrets, file(key='limit = "2.00"'))
    key = await one(engine, select(api_keys))
    told = UserMark(key["user_id"], key["id"], "key_limit_80", 2_000_000_000)
    async with working(engine) as connection:
        await mark_told(connection, told, 7)
    await lines(engine, secrets, file(key=f'limit = "{limit}"' if limit else ""))
    async with working(engine) as connection:
        assert await mark_told(connection, told, 7) is is_told_again


async def test_a_user_is_the_same_in_any_spelling(engine: AsyncEngine, secrets: Secrets):
    await lines(engine, secrets, file())
    other = file(user='role = "admin"\ngroup = "vip"').replace("a@b.org", "A@B.org")
    assert await lines(engine, secrets, other) == ["~ user A@B.org: group, role"]


async def test_a_password_is_hashed_once(engine: AsyncEngine, secrets: Secrets):
    await lines(engine, secrets, file(user='password = "first word"'))
    first = (await one(engine, select(users)))["password_hash"]
    assert password_matches(first, "first word")
    same = await lines(engine, secrets, file(user='password = "first word"'))
    assert same == ["nothing to change"]
    assert await lines(engine, secrets, file()) == ["nothing to change"]
    changed = await lines(engine, secrets, file(user='password = "second word"'))
    assert changed == ["~ user a@b.org: password"]
    assert password_matches((await one(engine, select(users)))["password_hash"], "second word")


async def test_a_minted_key_works_and_is_kept(engine: AsyncEngine, secrets: Secrets):
    report = await apply(engine, secrets, file(key=""), environ={})
    minted = report.minted[0][2].encode()
    assert await KeyStore(engine, secrets).find(minted) is not None
    again = await apply(engine, secrets, file(key=""), environ={})
    assert (again.lines, again.minted) == (["nothing to change"], [])
    assert await lines(engine, secrets, file()) == ["~ key a@b.org/k: secret"]
    store = KeyStore(engine, secrets)
    assert await store.find(minted) is None
    assert await store.find(SECRET.encode()) is not None


async def test_the_fields_of_a_key_arrive(engine: AsyncEngine, secrets: Secrets):
    await lines(engine, secrets, file())
    more = (
        f'secret = "{SECRET}"\nips = ["10.0.0.1"]\nmodels = ["m"]\nexpires = 2030-01-31T00:00:00Z'
    )
    assert await lines(engine, secrets, file(key=more)) == ["~ key a@b.org/k: expires, ips, models"]
    found = await KeyStore(engine, secrets).find(SECRET.encode())
    assert found is not None
    assert (found.ips, found.models, found.expires_ms) == (
        *(("10.0.0.1/32",), {"m"}, 1_896_048_000_000),
    )


async def test_a_limit_moves_by_its_difference(engine: AsyncEngine, secrets: Secrets):
    assert await lines(engine, secrets, file(key='limit = "2.00"')) == [
        "+ user a@b.org",
        "+ key a@b.org/k",
    ]
    assert await limit_purse(engine) == (2_000_000_000, 0)
    await spend(engine, available=1_500_000_000, held=100_000_000)
    assert await lines(engine, secrets, file(key='limit = "2.00"')) == ["nothing to change"]
    assert await lines(engine, secrets, file(key='limit = "3.00"')) == ["~ key a@b.org/k: limit"]
    assert await limit_purse(engine) == (2_500_000_000, 100_000_000)


async def test_a_limit_lowered_below_what_is_spent_comes_back_no_larger(
    engine: AsyncEngine, secrets: Secrets
):
    await lines(engine, secrets, file(key='limit = "2.00"'))
    await spend(engine, available=500_000_000, held=200_000_000)
    await lines(engine, secrets, file(key='limit = "1.00"'))
    assert await limit_purse(engine) == (200_000_000, 200_000_000)
    assert await lines(engine, secrets, file(key='limit = "1.00"')) == ["nothing to change"]
    await lines(engine, secrets, file(key='limit = "2.00"'))
    assert await limit_purse(engine) == (500_000_000, 200_000_000)


async def test_a_limit_taken_away_and_given_again_begins_afresh(
    engine: AsyncEngine, secrets: Secrets
):
    given = f'secret = "{SECRET}"\nlimit = "2.00"'
    await lines(engine, secrets, file(key=given))
    await spend(engine, available=0, held=0)
    assert await lines(engine, secrets, file()) == ["~ key a@b.org/k: limit"]
    found = await KeyStore(engine, secrets).find(SECRET.encode())
    assert found is not None
    assert found.limit_purse_id is None
    await lines(engine, secrets, file(key=given))
    assert await limit_purse(engine) == (2_000_000_000, 0)


async def test_a_key_that_had_no_limit_gets_one(engine: AsyncEngine, secrets: Secrets):
    await lines(engine, secrets, file())
    await lines(engine, secrets, file(key='limit = "0.50"'))
    assert await limit_purse(engine) == (500_000_000, 0)
    found = await KeyStore(engine, secrets).find(SECRET.encode())
    assert found is not None
    assert found.limit_purse_id is not None


LIMITS = "rpm = 5\ntpm = 6\nconcurrency = 7"


async def test_limits_of_a_user_and_of_a_key_arrive(engine: AsyncEngine, secrets: Secrets):
    key = f'secret = "{SECRET}"\nrpm = 1\ntpm = 2\nconcurrency = 3'
    assert await lines(engine, secrets, file(user=LIMITS)) == ["+ user a@b.org", "+ key a@b.org/k"]
    assert await lines(engine, secrets, file(user=LIMITS)) == ["nothing to change"]
    dry = await apply(engine, secrets, file(user="rpm = 9", key=key), environ={}, dry_run=True)
    changed = ["~ user a@b.org: concurrency, tpm", "~ key a@b.org/k: concurrency, rpm, tpm"]
    assert dry.lines == [changed[0].replace(", tpm", ", rpm, tpm"), changed[1]]
    assert await lines(engine, secrets, file(user="rpm = 5", key=key)) == changed
    found = await KeyStore(engine, secrets).find(SECRET.encode())
    assert found is not None
    assert (found.rpm, found.tpm, found.concurrency) == (1, 2, 3)
    assert (found.user_rpm, found.user_tpm, found.user_concurrency) == (5, 0, 0)


def budget(amount: str, period: str = "day") -> str:
    return file(key=f'secret = "{SECRET}"\nbudget = "{amount}"\nbudget_period = "{period}"')


async def test_a_budget_arrives_and_is_named_when_it_changes(engine: AsyncEngine, secrets: Secrets):
    assert await lines(engine, secrets, budget("5.00")) == ["+ user a@b.org", "+ key a@b.org/k"]
    assert await lines(engine, secrets, budget("5.000")) == ["nothing to change"]
    dry = await apply(engine, secrets, budget("6.00", "week"), environ={}, dry_run=True)
    assert dry.lines == ["~ key a@b.org/k: budget, budget_period"]
    found = await KeyStore(engine, secrets).find(SECRET.encode())
    assert found is not None
    assert (found.budget_nano, found.budget_period) == (5_000_000_000, "day")
    assert await lines(engine, secrets, budget("6.00")) == ["~ key a@b.org/k: budget"]
    assert await lines(engine, secrets, budget("6.00", "week")) == [
        "~ key a@b.org/k: budget_period"
    ]
    assert await lines(engine, secrets, file()) == ["~ key a@b.org/k: budget, budget_period"]
    found = await KeyStore(engine, secrets).find(SECRET.encode())
    assert found is not None
    assert (found.budget_nano, found.budget_period) == (None, None)


NOON = int(datetime(2026, 2, 28, 12, tzinfo=UTC).timestamp()) * 1000


async def match(engine: AsyncEngine, secrets: Secrets, text: str, at_ms: int = NOON) -> list[str]:
    """Do what apply does for the users of a file, at a moment."""
    async with writing(engine) as connection:
        writer = UserWriter(connection, secrets, {}, {}, at_ms=at_ms, prune=False)
        await writer.match(parse_file(text, {}).users[0])
    return writer.lines


async def spend_budget(engine: AsyncEngine, secrets: Secrets, spent: int, held: int) -> None:
    """Open the budget's purse of that noon and leave it as calls would."""
    key = await KeyStore(engine, secrets).find(SECRET.encode())
    assert key is not None
    assert key.budget_period is not None
    async with writing(engine) as connection:
        purse_id = await open_budget(connection, key, period_at(key.budget_period, NOON).start_ms)
        changes = {"available": purse.c.granted - spent, "held": held}
        await connection.execute(update(purse).where(purse.c.id == purse_id).values(**changes))


async def budgets(engine: AsyncEngine) -> list[tuple[int, int, int]]:
    """Return (available, held, granted) of the budget's purses by the beginning of their period."""
    query = select(purse).where(purse.c.kind == "key_budget").order_by(purse.c.period_start)
    async with reading(engine) as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [(row["available"], row["held"], row["granted"]) for row in rows]


async def test_a_changed_budget_moves_the_current_purse(engine: AsyncEngine, secrets: Secrets):
    await match(engine, secrets, budget("0.000000100"))
    await spend_budget(engine, secrets, spent=30, held=20)
    await match(engine, secrets, budget("0.000000100"))
    assert await budgets(engine) == [(70, 20, 100)]
    assert await match(engine, secrets, budget("0.000000060")) == ["~ key a@b.org/k: budget"]
    assert await budgets(engine) == [(30, 20, 60)]
    await match(engine, secrets, budget("0.000000010"))
    assert await budgets(engine) == [(20, 20, 50)]
    await match(engine, secrets, budget("0.000000200"))
    assert await budgets(engine) == [(170, 20, 200)]


async def test_periods_have_purses_of_their_own(engine: AsyncEngine, secrets: Secrets):
    await match(engine, secrets, budget("0.000000100"))
    await spend_budget(engine, secrets, spent=30, held=0)
    await match(engine, secrets, budget("0.000000100", "month"))
    await spend_budget(engine, secrets, spent=50, held=0)
    await match(engine, secrets, budget("0.000000090", "day"))
    month, day = (50, 0, 100), (60, 0, 90)
    assert await budgets(engine) == [month, day]
    await match(engine, secrets, file())
    await match(engine, secrets, budget("0.000000070", "month"))
    assert await budgets(engine) == [(20, 0, 70), day]
    await match(engine, secrets, budget("0.000000001", "month"), NOON + 2 * 86_400_000)
    assert await budgets(engine) == [(20, 0, 70), day]
