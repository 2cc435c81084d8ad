"""The twin of billing/explain.py: a call is told whole, and what is wrong with it is named."""

import pytest

from tests.billing.histories import HOUR, MINUTE, history
from tests.storage.books import run
from tollbridge.billing.bill import Bill, pack
from tollbridge.billing.explain import Attempt, explain
from tollbridge.storage.migrate import migrate
from tollbridge.storage.unit_of_work import reading


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated(request, tmp_path):
    url = f"sqlite:///{tmp_path}/books.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("migrated_postgres_url")
    run(migrate(url))
    return url


async def story(made, tid):
    async with reading(made.engine) as connection:
        return await explain(connection, tid, made.at_ms)


async def test_the_books_do_not_know_every_call(migrated):
    async with history(migrated) as made:
        await made.call(1, 5)
        assert await story(made, "0" * 32) is None


async def test_a_settled_call_with_all_its_lines(migrated):
    async with history(migrated) as made:
        tid = await made.call(1, 500, 9)
        await made.correct(tid, "late", -200)
        told = await story(made, tid)
        assert [(line.kind, line.earned, line.other_side) for line in told.lines] == [
            ("charge", 500, "wallet:1"), ("loss", 9, "operator_loss"), ("late", -200, "wallet:1"),
        ]  # fmt: skip
        assert (told.settled.receipt.charge, told.settled.loss, told.hold) == (300, 9, None)
        assert (told.wrong, told.settled.wallet_id) == ((), 1)
        assert told.verdict == "right: its charge of $0.0000003 is the sum of its journal lines"


async def test_a_call_that_was_given_back(migrated):
    async with history(migrated) as made:
        tid = await made.call(1, 500, 9)
        await made.reverse(tid)
        told = await story(made, tid)
        assert [(line.kind, line.earned, line.other_side) for line in told.lines] == [
            ("charge", 500, "wallet:1"), ("loss", 9, "operator_loss"),
            ("reversal", -500, "wallet:1"),
        ]  # fmt: skip
        assert (told.settled.receipt.charge, told.settled.receipt.given_back) == (0, 500)
        assert told.verdict == "right: $0.0000005 was given back, and $0.00 stays charged"
        await made.run("UPDATE usage SET reversed = 499 WHERE tid = :tid", tid=tid)
        assert (await story(made, tid)).wrong == (
            (
                "its usage row says that $-0.000000499 was earned by a reversal,"
                " its journal lines come to $-0.0000005"
            ),
        )


async def test_a_call_that_cost_nothing(migrated):
    async with history(migrated) as made:
        told = await story(made, await made.call(1, 0))
        assert told.verdict == "right: it cost nothing, and its journal lines come to nothing"


async def test_attempts_name_their_accounts(migrated):
    async with history(migrated) as made:
        tid = await made.call(1, 5)
        await made.run(
            "UPDATE usage SET attempts = :text, account_id = 8 WHERE tid = :tid",
            tid=tid, text='[[7,"timeout",900],[8,"ok",30]]',
        )  # fmt: skip
        told = (await story(made, tid)).settled
        assert told.attempts == (Attempt(7, None, "timeout", 900), Attempt(8, None, "ok", 30))
        await made.run("UPDATE usage SET attempts = 'a scribble' WHERE tid = :tid", tid=tid)
        assert (await story(made, tid)).settled.attempts == ()


async def test_a_running_call_with_its_node(migrated):
    async with history(migrated) as made:
        tid = await made.begin(1, 100)
        bill = Bill(tid, 1, 2, 3, "key", 1, 5, "main", 6, "asked", "sent", "chat", "openai", True,
                    9, 1, 1, "curl", 70, 8)  # fmt: skip
        await made.run("UPDATE hold SET other_purse_id = 9, bill = :bill", bill=pack(bill))
        told = await story(made, tid)
        assert (told.settled, told.lines, told.wrong) == (None, (), ())
        assert (told.hold.purses, told.hold.amount, told.hold.node) == ((1, 9), 100, "n")
        assert (told.hold.bill, told.hold.over) == (bill, False)
        assert told.verdict == "right so far: it is running and holds its money"


@pytest.mark.parametrize(
    "end", ["DELETE FROM node", "UPDATE node SET epoch = 2", "UPDATE node SET dead = true"]
)
async def test_a_call_whose_node_is_over(migrated, end):
    async with history(migrated) as made:
        tid = await made.begin(1, 100)
        await made.run(end)
        told = await story(made, tid)
        assert (told.hold.over, told.hold.bill, told.wrong) == (True, None, ())
        assert told.verdict.startswith("right so far: its node has just ended")
        made.wait(2 * MINUTE)
        assert (await story(made, tid)).wrong == (
            "its node is over and nobody has posted its hold",
        )


WRONG = [
    (
        "UPDATE usage SET charge = 6 WHERE tid = :tid",
        "its usage row says that $0.000000006 was charged, its journal lines come to $0.000000005",
    ),
    (
        "UPDATE usage SET loss = 0 WHERE tid = :tid",
        "its usage row says that $0.00 was lost, its journal lines come to $0.000000002",
    ),
    (
        "DELETE FROM usage WHERE tid = :tid",
        "the journal has lines of it, but there is no usage row",
    ),
    (
        "UPDATE journal SET credit = 'promo' WHERE ref = :tid AND kind = 'charge'",
        "its usage row says that $0.000000005 was charged, its journal lines come to $0.00",
    ),
    (
        "INSERT INTO hold SELECT tid, 1, NULL, 1, 0, 1, 1, 9, 'x', NULL FROM usage",
        "it has both a hold and a usage row",
    ),
]


@pytest.mark.parametrize(("spoil", "sentence"), WRONG)
async def test_what_is_wrong_is_said(migrated, spoil, sentence):
    async with history(migrated) as made:
        tid = await made.call(1, 5, 2)
        await made.run(spoil, **({"tid": tid} if ":tid" in spoil else {}))
        told = await story(made, tid)
        assert told.wrong[0] == sentence
        assert told.verdict.startswith(f"wrong: {sentence}")


async def test_a_line_of_another_account_is_wrong(migrated):
    async with history(migrated) as made:
        tid = await made.call(1, 5)
        made.wait(HOUR)
        await made.run("UPDATE usage SET wallet_id = 2 WHERE tid = :tid", tid=tid)
        (sentence,) = (await story(made, tid)).wrong
        assert sentence.endswith("is not between wallet:2 and revenue")
