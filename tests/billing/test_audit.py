"""Verification that begins where the last one ended, over books of any history, on both engines."""

import asyncio
import shutil

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.billing.histories import HOUR, MINUTE, history, play
from tests.storage.books import run
from tollbridge.billing.verify import Finding
from tollbridge.storage.audit_marks import MARGIN_MS, Marks
from tollbridge.storage.ledger_audit import QUESTIONS, ask
from tollbridge.storage.unit_of_work import reading

KINDS = ("call", "call", "call", "grant", "begin", "end", "end", "audit", "audit",
         "late", "late_loss", "return", "return_loss", "reverse")  # fmt: skip
STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 30), st.integers(0, 100), st.integers(0, 90)),
    max_size=15,
)
# What spoils the newest call and its lines; each must be found without trusting or doubting marks.
SPOILT = (
    "UPDATE usage SET charge = charge + 1 WHERE tid = :tid",
    "UPDATE usage SET loss = loss + 1 WHERE tid = :tid",
    "UPDATE usage SET wallet_id = 77 WHERE tid = :tid",
    "DELETE FROM usage WHERE tid = :tid",
    "DELETE FROM journal WHERE ref = :tid AND kind = 'charge'",
    "UPDATE journal SET amount = amount + 1 WHERE ref = :tid AND kind = 'charge'",
    "UPDATE journal SET amount = amount + 1 WHERE ref = :tid AND kind = 'loss'",
    "UPDATE journal SET debit = 'wallet:99' WHERE ref = :tid AND kind = 'charge'",
    "UPDATE journal SET debit = 'wallet:1' WHERE ref = :tid AND kind = 'loss'",
    "UPDATE journal SET kind = 'late' WHERE ref = :tid AND kind = 'loss'",
    "UPDATE usage SET reversed = 1 WHERE tid = :tid",
    "UPDATE usage SET reversed = charge + 1 WHERE tid = :tid",
    "UPDATE purse SET available = available + 1 WHERE id = 2",
    "UPDATE purse SET held = held + 1 WHERE id = 2",
    "INSERT INTO journal VALUES (4611686018427387904, 0, 'promo', 'wallet:1', 1, 'USD', 'grant', 'x')",
)
HOUSE = settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated(request, tmp_path, sqlite_template):
    if request.param == "postgresql":
        return request.getfixturevalue("migrated_postgres_url")
    return f"sqlite:///{shutil.copyfile(sqlite_template, tmp_path / 'books.db')}"


async def everything(made):
    """Ask every question of all rows, as nobody does who is in a hurry."""
    async with reading(made.engine) as connection:
        return [
            Finding(question.name, sentence, question.fatal)
            for question in QUESTIONS
            for sentence in await ask(connection, question, made.at_ms)
        ]


async def marks_of(made):
    ((value,),) = await made.query("SELECT value FROM audit_mark")
    return msgspec.json.decode(value, type=Marks)


@HOUSE
@given(steps=STEPS)
def test_a_proof_from_marks_finds_what_a_full_one_does_in_right_books(migrated, steps):
    async def check():
        async with history(migrated) as made:
            await play(made, steps)
            assert list((await made.audit()).findings) == await everything(made)
            sums = await made.sums((await marks_of(made)).line)
            assert dict(await made.query("SELECT account, total FROM audit_sum")) == sums
            assert (await made.audit(full=True)).findings == (await made.audit()).findings

    run(check())


@HOUSE
@given(steps=STEPS, spoil=st.sampled_from(SPOILT), more=st.integers(0, 200))
def test_a_proof_from_marks_finds_whatever_is_wrong_in_new_rows(migrated, steps, spoil, more):
    async def check():
        async with history(migrated) as made:
            await play(made, steps)
            await made.audit()
            tid = await made.call(2, 500, 9)
            made.wait(more * MINUTE)
            await made.run(spoil, **({"tid": tid} if ":tid" in spoil else {}))
            verdict = await made.audit()
            assert list(verdict.findings) == await everything(made)
            assert not verdict.right
            assert verdict.findings == (await made.audit(full=True)).findings

    run(check())


async def closed(made):
    """Make a call, and prove and close it; return its tid."""
    tid = await made.call(1, 500)
    made.wait(3 * HOUR)
    await made.call(1, 5)
    first = await made.audit()
    assert (first.findings, first.calls, first.lines, first.since_ms) == ((), 2, 4, None)
    return tid


async def test_only_what_is_new_is_proved_again(migrated):
    async with history(migrated) as made:
        await closed(made)
        since = (await marks_of(made)).since_ms
        assert since == made.at_ms - MARGIN_MS
        made.wait(MINUTE)
        again = await made.audit()
        assert (again.calls, again.lines, again.since_ms) == (1, 1, since)
        assert again.full_ms == made.at_ms - MINUTE
        assert (await made.audit(full=True)).full_ms == made.at_ms


async def test_what_somebody_changed_in_closed_rows_is_found_by_a_full_proof(migrated):
    async with history(migrated) as made:
        tid = await closed(made)
        await made.run("UPDATE usage SET charge = charge + 1 WHERE tid = :tid", tid=tid)
        assert (await made.audit()).findings == ()
        (found,) = (await made.audit(full=True)).findings
        assert found.invariant == "I3 charge"
        # A proof that failed closes nothing, and forgets nothing.
        assert (await made.audit()).findings == ()


async def test_a_late_line_has_its_old_call_proved_again(migrated):
    async with history(migrated) as made:
        tid = await closed(made)
        await made.correct(tid, "late", -200)
        assert (await made.audit()).calls == 2
        await made.correct(tid, "late_loss", 3)
        await made.run("UPDATE usage SET charge = charge + 1 WHERE tid = :tid", tid=tid)
        (found,) = (await made.audit()).findings
        assert found.invariant == "I3 charge"


async def test_a_reversal_has_its_old_call_proved_again(migrated):
    async with history(migrated) as made:
        tid = await closed(made)
        await made.reverse(tid)
        again = await made.audit()
        assert (again.findings, again.calls) == ((), 2)
        await made.run("UPDATE usage SET reversed = 499 WHERE tid = :tid", tid=tid)
        (found,) = (await made.audit()).findings
        assert found == (
            "I3 reversal",
            f"call {tid} was given back 499 by its usage row and 500 by the journal",
            True,
        )


async def test_the_call_of_an_open_hold_stays_open(migrated):
    async with history(migrated) as made:
        tid = await made.begin(1, 100)
        made.wait(5 * HOUR)
        await made.call(1, 5)
        await made.audit()
        assert (await marks_of(made)).tid == tid
        await made.end(tid, 60)
        await made.run("UPDATE usage SET loss = 1 WHERE tid = :tid", tid=tid)
        (found,) = (await made.audit()).findings
        assert found.invariant == "I3 loss"


async def test_a_line_that_came_older_than_the_margin_is_no_false_alarm(migrated):
    async with history(migrated) as made:
        await closed(made)
        made.wait(-3 * HOUR)
        await made.grant(1, 70)
        made.wait(3 * HOUR)
        whole = await made.audit()
        assert (whole.findings, whole.since_ms, whole.full_ms) == ((), None, made.at_ms)
        assert (await made.audit()).since_ms is not None


async def test_a_clock_that_is_ahead_closes_nothing_that_is_still_to_come(migrated):
    async with history(migrated) as made:
        await made.call(1, 500)
        begun = made.at_ms
        made.wait(48 * HOUR)
        await made.audit()
        assert (await marks_of(made)).since_ms == begun - MARGIN_MS


async def test_proofs_at_the_same_time_do_not_spoil_each_other(migrated):
    async with history(migrated) as made:
        await closed(made)
        made.wait(2 * HOUR)
        await made.call(1, 5)
        verdicts = await asyncio.gather(*(made.audit(full=full) for full in (False, True, False)))
        assert [verdict.findings for verdict in verdicts] == [(), (), ()]
        sums = await made.sums((await marks_of(made)).line)
        assert dict(await made.query("SELECT account, total FROM audit_sum")) == sums
