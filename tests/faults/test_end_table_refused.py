"""The end table, "refused before sending; upstream error; empty answer", and failover around them."""

import json
import re

import pytest

from tests.faults.stage import LIMITED, PAIR, POOR, price
from tollbridge.demo.fake_books import AccountScript
from tollbridge.demo.fake_reply import recording

ENVIRON = {"FIRST_BYTE_TIMEOUT_S": "1.5", "IDLE_TIMEOUT_S": "1.5", "FINISH_SILENCE_S": "0.8"}
pytestmark = pytest.mark.asyncio(loop_scope="session")
both = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
JSON = {"content-type": "application/json"}
# What a customer must never read of an account's troubles.
TELLTALES = (b"vendor", b"Scripted", b"insufficient", b"quota", b"api.vendor.example", b"127.0.0.1")


def refused(answer, status):
    """Return the error of a refusal, whose shape is checked."""
    assert answer.status == status
    document = json.loads(answer.body)
    error = document["error"]
    assert set(error) == {"message", "type", "param", "code", "status", "tid"}
    assert error["status"] == status and error["tid"] == document["request_id"] == answer.tid
    assert ("retry-after" in answer.headers) == (answer.headers["x-should-retry"] == "true")
    return error


def complaint(status, message, **fields):
    """Return a recording of a vendor's refusal."""
    body = json.dumps({"error": {"message": message, "type": "some_error", **fields}}).encode()
    return recording(status, JSON, [body])


@both
async def test_too_little_money_names_the_output_that_would_fit(scene, stream):
    error = refused(await scene.post(POOR, stream=stream), 402)
    assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
    assert "$0.01 is free" in error["message"]
    [affordable] = re.findall(r"max_tokens of (\d+) or less", error["message"])
    await scene.bill(
        end_state="refused", status=402, error_kind="balance_insufficient", charge=0, key=POOR
    )
    await scene.seen()
    assert 500 < int(affordable) < 1000


async def test_the_output_that_is_named_fits_and_one_more_does_not(scene):
    error = refused(await scene.post(POOR, max_tokens=5000), 402)
    [affordable] = re.findall(r"max_tokens of (\d+) or less", error["message"])
    # A shorter number makes the request a little cheaper, but not by ten tokens.
    assert (await scene.post(POOR, max_tokens=int(affordable) + 10)).status == 402
    assert (await scene.post(POOR, max_tokens=int(affordable))).status == 200
    states = [row["end_state"] for row in await scene.settled(3)]
    assert states == ["refused", "refused", "complete"]


@both
async def test_a_key_at_its_limit_is_told_so(scene, stream):
    error = refused(await scene.post(LIMITED, stream=stream), 402)
    assert (error["type"], error["code"]) == ("insufficient_quota", "key_limit_reached")
    assert "spending limit" in error["message"]
    await scene.bill(
        end_state="refused", status=402, error_kind="key_limit_reached", charge=0, key=LIMITED
    )
    await scene.seen()


@both
@pytest.mark.parametrize(
    ("fields", "key", "status", "code"),
    [
        ({"model": "gpt-tset"}, PAIR, 404, "model_not_found"),
        ({"max_tokens": 32769}, PAIR, 400, "max_tokens_too_large"),
        ({"n": 129}, PAIR, 400, "invalid_value"),
        ({}, "sk-nobody-" + "x" * 32, 401, "invalid_api_key"),
    ],
    ids=["model", "max_tokens", "n", "key"],
)
async def test_what_is_not_admitted_leaves_no_trace(scene, stream, fields, key, status, code):
    error = refused(await scene.post(key, stream=stream, **fields), status)
    assert error["code"] == code
    if status == 404:
        assert "gpt-test" in error["message"]
    await scene.post(PAIR, fake={"tokens": 1, "prompt_tokens": 1})
    await scene.bill(end_state="complete", charge=price(1, 1), key=PAIR)
    await scene.seen(("vendor-first", "done"))


@both
async def test_the_clients_own_fault_is_passed_on_cleaned(scene, stream):
    message = "'temperature' is too hot; see https://api.vendor.example/docs for org-abc123def."
    scene.fake.books.recordings["bad"] = complaint(
        400, message, param="temperature", code="too_hot"
    )
    error = refused(await scene.post(PAIR, stream=stream, fake={"replay": "bad"}), 400)
    assert error["type"] == "invalid_request_error"
    assert (error["code"], error["param"]) == ("too_hot", "temperature")
    assert error["message"].startswith("'temperature' is too hot; see […]")
    assert "vendor" not in error["message"] and "org-" not in error["message"]
    row = await scene.bill(
        end_state="upstream_error", status=400, error_kind="upstream_bad_request", charge=0,
        key=PAIR,
    )  # fmt: skip
    assert [attempt[1] for attempt in json.loads(row["attempts"])] == ["status_400"]
    await scene.seen(("vendor-first", "done"))


FAULTS = {
    "401": {"status": 401},
    "402": {"status": 402},
    "403": {"status": 403},
    "429": {"status": 429, "retry_after": 7},
    "500": {"status": 500},
    "529": {"status": 529},
    "late": {"hang": True},
    "redirect": {"redirect": True},
    "insufficient": {"replay": "insufficient"},
    "200 error": {"replay": "error"},
    "empty": {"empty": True, "usage": "none"},
}
OUTCOMES = {
    "401": ("account_refused", 502, "upstream_failed"),
    "402": ("account_refused", 502, "upstream_failed"),
    "403": ("account_refused", 502, "upstream_failed"),
    "429": ("status_429", 503, "provider_rate_limited"),
    "500": ("status_500", 502, "upstream_failed"),
    "529": ("status_529", 502, "upstream_failed"),
    "late": ("first_byte_timeout", 504, "upstream_timeout"),
    "redirect": ("redirected", 502, "upstream_failed"),
    "insufficient": ("status_400", 502, "upstream_failed"),
    "200 error": ("status_500", 502, "upstream_failed"),
    "empty": ("empty", 502, "upstream_failed"),
}
STREAM_FAULTS = {
    "error event first": {"error_event_after": 0},
    "error event after the role": {"error_event_after": 1},
    "cut at once": {"cut_after": 0},
    "cut after the role": {"cut_after": 1},
    "silent": {"event_delay_ms": 5000},
}
STREAM_OUTCOMES = {
    "error event first": ("status_500", 502, "upstream_failed"),
    "error event after the role": ("status_500", 502, "upstream_failed"),
    "cut at once": ("closed_early", 502, "upstream_failed"),
    "cut after the role": ("closed_early", 502, "upstream_failed"),
    "silent": ("idle_timeout", 504, "upstream_timeout"),
}
CASES = [
    *((name, stream) for name in FAULTS for stream in (False, True)),
    *((name, True) for name in STREAM_FAULTS),
    ("cut", False),
]
every_fault = pytest.mark.parametrize(("name", "stream"), CASES)
# How a call ends in the vendor's books when we give it up before it has ended.
LEFT = ("late", "silent")


def fault_of(scene, name):
    """Return the script of a fault and what it must come to."""
    recordings = scene.fake.books.recordings
    recordings["insufficient"] = complaint(400, "You have insufficient funds.")
    recordings["error"] = complaint(200, "Something went wrong at api.vendor.example.")
    if name == "cut":
        return {"cut_body": 20}, ("closed_early", 502, "upstream_failed")
    return ({**FAULTS, **STREAM_FAULTS}[name], {**OUTCOMES, **STREAM_OUTCOMES}[name])


@every_fault
async def test_a_failing_account_is_replaced_unseen(scene, name, stream):
    script, (outcome, _, _) = fault_of(scene, name)
    scene.fake.books.accounts["vendor-first"] = AccountScript({"usage": "given", **script})
    answer = await scene.post(PAIR, stream=stream, fake={"tokens": 3, "prompt_tokens": 8})
    assert answer.status == 200 and answer.done is stream
    assert answer.body.count(b"Hello") == 1 and b"error" not in answer.body
    row = await scene.bill(end_state="complete", input=8, output=3, charge=price(8, 3), key=PAIR)
    attempts = json.loads(row["attempts"])
    assert [attempt[1] for attempt in attempts] == [outcome, "ok"]
    accounts = scene.rows("SELECT id, name FROM accounts")
    names = {account["id"]: account["name"] for account in accounts}
    assert [names[attempt[0]] for attempt in attempts] == ["vendor-first", "vendor-second"]
    assert names[row["account_id"]] == "vendor-second"
    ended = "aborted" if name in LEFT else "done"
    await scene.seen(("vendor-first", ended), ("vendor-second", "done"))


@every_fault
async def test_a_failure_that_nobody_mends_costs_nothing_and_names_nobody(scene, name, stream):
    script, (outcome, status, kind) = fault_of(scene, name)
    answer = await scene.post(PAIR, stream=stream, fake={"tokens": 3, **script})
    error = refused(answer, status)
    assert error["type"] == "api_error"
    assert not [word for word in TELLTALES if word in answer.body]
    if name == "429":
        assert answer.headers["retry-after"] == "7"
    assert 1 <= int(answer.headers["retry-after"]) <= 120
    row = await scene.bill(
        end_state="empty" if name == "empty" else "upstream_error", status=status, error_kind=kind,
        charge=0, input=0, output=0, key=PAIR,
    )  # fmt: skip
    attempts = [attempt[1] for attempt in json.loads(row["attempts"])]
    assert attempts == [outcome, outcome]
    ended = "aborted" if name in LEFT else "done"
    await scene.seen(("vendor-first", ended), ("vendor-second", ended))


@both
async def test_an_answer_without_text_is_charged_when_it_says_that_it_has_ended(scene, stream):
    answer = await scene.post(
        PAIR, stream=stream, max_tokens=5, fake={"tokens": 0, "prompt_tokens": 8, "reasoning": 9}
    )
    assert answer.status == 200 and b'"length"' in answer.body and answer.done is stream
    await scene.bill(end_state="complete", input=8, output=5, charge=price(8, 5), key=PAIR)
