"""The twin of storage/ledger_audit.py: the questions fit the rows they return, and are bounded.

What each of them finds is shown in tests/billing/test_verify.py, on both engines.
"""

import re
import sqlite3
from contextlib import closing

import pytest

from tests.storage import books
from tollbridge.storage.engine import open_engine
from tollbridge.storage.ledger_audit import EVERYTHING, QUESTIONS, Passage, ask, prove
from tollbridge.storage.unit_of_work import reading


def test_every_invariant_of_the_design_is_asked():
    assert {question.name[:2] for question in QUESTIONS} == {"I1", "I2", "I3", "I4"}
    assert len({question.name for question in QUESTIONS}) == len(QUESTIONS)
    assert [question.name for question in QUESTIONS if not question.fatal] == ["I4 long"]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_question_returns_what_its_sentence_says(question, tmp_path):
    path = books.fresh(tmp_path)
    wanted = 1 + max(int(number) for number in re.findall(r"{(\d)}", question.says))
    sql = question.sql.replace(":dead_before", "0").replace(":long_before", "0")
    with closing(sqlite3.connect(path)) as connection:
        assert len(connection.execute(sql).description) >= wanted


async def test_an_answer_is_bounded(tmp_path):
    path = books.fresh(tmp_path)
    with_purses = books.open_book(path)
    with_purses._connection.executemany(
        "INSERT INTO purse (id, kind, owner_id, available, held) VALUES (?, 'wallet', ?, 5, 0)",
        [(number, number) for number in range(100, 130)],
    )
    with_purses.close()
    engine = open_engine(f"sqlite:///{path}")
    async with reading(engine) as connection:
        assert len(await ask(connection, QUESTIONS[0], 0)) == 20
        assert len(await ask(connection, QUESTIONS[0], 0, most=3)) == 3
    await engine.dispose()


async def test_a_proof_of_everything_keeps_the_sums_before_a_line(tmp_path):
    path = books.fresh(tmp_path, 70)
    engine = open_engine(f"sqlite:///{path}")
    (first,) = books.query(path, "SELECT id, credit FROM journal ORDER BY id LIMIT 1")
    async with reading(engine) as connection:
        whole = EVERYTHING._replace(line_to=first[0] + 1)
        proof = await prove(connection, {}, whole)
        assert proof == (frozenset(), 0, 2, {"promo": -70, first[1]: 70})
        # From there on, with what was kept; and what happens with wrong sums.
        rest = Passage(first[0] + 1, "0" * 32, first[0] + 1)
        assert await prove(connection, proof.closed, rest) == proof._replace(lines=1)
        assert (await prove(connection, {}, rest)).off == {"I1 available"}
        strange = {**proof.closed, "wallet:77": 0}
        assert (await prove(connection, strange, rest)).off == {"I1 journal"}
    await engine.dispose()


def test_only_what_a_proof_can_name_waits_for_it():
    waiting = {question.name for question in QUESTIONS if question.proved}
    assert waiting == {
        "I1 available", "I1 journal", "I2 balance", "I3 beyond", "I3 charge", "I3 journal",
        "I3 loss", "I3 reversal", "I3 wallet",
    }  # fmt: skip
