"""The fault matrix end to end: what a client sees of each fault, alone and beside a healthy account.

Every fault, every surface, streamed or not; every case has accounts of its own, and what is held
against them shows in the next call. What exactly is held is proved by test_matrix_states.py.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults import grammars
from tests.faults.bazaar import case as named
from tests.faults.matrix import COUNTED, FAULTS, HEARD, SAID_TOKENS, Fault
from tests.faults.matrix_stage import PLATFORMS, Case, MatrixStage, matrix_stage
from tests.faults.stage import Answer, price, wait
from tests.faults.till import refused
from tollbridge.core.errors import Kind

WIRES = tuple(PLATFORMS)
TELLTALES = (b"vendor", b"Boom", b"127.0.0.1", b"<h", b"invalid.", b"insufficient", b"credential")
PARAMS = [
    pytest.param(fault, wire, id=f"{fault.name}-{wire}")
    for fault in FAULTS
    for wire in WIRES
    if wire in fault.wires and (wire, fault.modes) != ("embeddings", ("stream",))
]
_RETRY_AFTER_MAX_S = 120
# What passes while the test itself takes its time.
_SLACK_S = 30


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def matrix(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MatrixStage]:
    async with matrix_stage(tmp_path_factory.mktemp("matrix"), WIRES) as stage:
        yield stage


def heard(answer: Answer, wire: str, kind: Kind) -> None:
    """Check a refusal: its status, its shape, its words, and that it names nothing of ours."""
    words = HEARD[kind]
    surface = {"messages": "messages", "gemini": "gemini"}.get(wire, "chat")
    error = refused(answer, words.status, surface)
    if surface == "messages":
        assert error["type"] == words.anthropic
    elif surface == "gemini":
        assert error["status"] == words.gemini
    else:
        assert error["type"] == words.openai
        assert words.code in {None, error["code"]}
    assert answer.headers["x-should-retry"] == ("true" if words.retry else "false")
    assert not [word for word in TELLTALES if word in answer.body]


def wait_of(fault: Fault) -> int:
    """Return for how long a client is told to wait by the first account that knew of a limit."""
    assert fault.held is not None and fault.held.for_s is not None
    return min(int(fault.held.for_s), _RETRY_AFTER_MAX_S)


def outcomes(row) -> list[str]:
    return [attempt[1] for attempt in json.loads(row["attempts"] or "[]")]


async def booked(matrix: MatrixStage, answer: Answer, **expected) -> dict:
    """Check what the books say of a call, and that no more was taken than they say."""
    row = await matrix.row(answer.headers["x-request-id"])
    assert {name: row[name] for name in expected} == expected
    lines = matrix.gateway.rows("SELECT amount, credit FROM journal WHERE ref = ?", row["tid"])
    charge = row["charge"]
    assert lines == ([{"amount": charge, "credit": "revenue"}] if charge else [])
    assert row["loss"] == 0
    return row


async def refuses(matrix: MatrixStage, case: Case, answer: Answer) -> int:
    """Check an answer that has nothing but the error; return what was charged."""
    fault, kind = case.fault, case.fault.heard
    assert kind is not None
    heard(answer, case.wire, kind)
    if kind is Kind.PROVIDER_RATE_LIMITED:
        assert answer.headers["retry-after"] == str(wait_of(fault))
    status = HEARD[kind].status
    row = await booked(matrix, answer, status=status, error_kind=kind.value, charge=0)
    assert row["end_state"] in fault.ends
    [outcome] = outcomes(row)
    assert outcome in fault.outcomes
    return 0


async def breaks(matrix: MatrixStage, case: Case, answer: Answer) -> int:
    """Check a stream that broke after content; return what was charged: what was streamed."""
    assert answer.status == 200
    told = grammars.STREAMS[case.wire](answer.body)
    assert told.check_broken()["tid"] == answer.headers["x-request-id"]
    assert len(told.text.split()) == SAID_TOKENS
    row = await booked(
        matrix, answer, status=200, error_kind=None, end_state="partial", output=SAID_TOKENS
    )
    assert "partial" in row["flags"].split(",")
    assert row["charge"] == price(row["input"], SAID_TOKENS, row["cache_read"]) > 0
    return row["charge"]


async def answers(matrix: MatrixStage, case: Case, answer: Answer) -> tuple[dict, list[str]]:
    """Check an answer of the healthy account; return its row and the attempts before it."""
    assert answer.status == 200, answer.body[:300]
    if case.wire == "embeddings":
        assert json.loads(answer.body)["data"][0]["embedding"]
    else:
        told = (grammars.STREAMS if case.mode == "stream" else grammars.WHOLES)[case.wire](
            answer.body
        )
        assert told.finish == "stop" and told.text.startswith("Hello!") and told.error is None
    row = await booked(matrix, answer, status=200, error_kind=None, end_state="complete")
    assert row["charge"] == price(row["input"], row["output"], row["cache_read"]) > 0
    tries = outcomes(row)
    assert tries[-1:] in ([], ["ok"])
    return row, tries[:-1]


async def alone(matrix: MatrixStage, case: Case) -> int:
    """Play a fault of the only account, twice; return what was charged."""
    fault = case.fault
    judge = breaks if fault.heard is None else refuses
    charge = await judge(matrix, case, await matrix.play(case))
    if fault.heard is Kind.UPSTREAM_TIMEOUT or "stall" in fault.name:
        return charge
    again = await matrix.play(case)
    if fault.held is None or not fault.held.lasting:
        return charge + await judge(matrix, case, again)
    heard(again, case.wire, Kind.NO_ACCOUNT)
    left_s = wait_of(fault)
    assert left_s - _SLACK_S <= int(again.headers["retry-after"]) <= left_s
    # It was not admitted: there is nothing to enter.
    assert matrix.gateway.rows("SELECT 1 FROM usage WHERE tid = ?", again.tid) == []
    return charge


async def beside(matrix: MatrixStage, case: Case) -> int:
    """Play a fault while another account is well, twice; return what was charged."""
    fault = case.fault
    if not fault.elsewhere:
        judge = breaks if fault.heard is None else refuses
        return await judge(matrix, case, await matrix.play(case))
    row, failed = await answers(matrix, case, await matrix.play(case))
    assert len(failed) == 1 and failed[0] in fault.outcomes
    if fault.heard is Kind.UPSTREAM_TIMEOUT:
        return row["charge"]
    again, failed = await answers(matrix, case, await matrix.play(case))
    # One failure that only counts keeps nobody from the account; all else does.
    assert len(failed) == (1 if fault.held in {None, COUNTED} else 0)
    return row["charge"] + again["charge"]


async def play(matrix: MatrixStage, case: Case) -> int:
    with named(case.name):
        matrix.script(case)
        return await (beside if case.pair else alone)(matrix, case)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(("fault", "wire"), PARAMS)
async def test_a_fault_as_its_clients_see_it(matrix, fault, wire):
    modes = [mode for mode in fault.modes if (wire, mode) != ("embeddings", "stream")]
    before, _ = matrix.wallet()
    cases = [Case(fault, wire, mode, pair) for mode in modes for pair in (False, True)]
    charged = await asyncio.gather(*[play(matrix, one) for one in cases])
    await wait(lambda: not matrix.gateway.rows("SELECT 1 FROM hold"))
    assert matrix.wallet() == (before - sum(charged), 0)
