"""Proof of the one try: to the account that was named, and what its answers mean for it and the client."""

import asyncio

import pytest

from tests.relay.calls import WALLET, account, channel, key, model, price, snapshot
from tests.relay.floor import MONEY, PATIENCE_S, open_floor
from tests.relay.visitor import Visitor
from tollbridge.catalog.prices import Rates
from tollbridge.storage.ledger_items import Hold, HoldResult, Settle

NANO = 5_000_000
PIN = {b"x-tollbridge-channel": b"main/account 1"}
LONG = 300_000


@pytest.fixture
async def floor():
    async with open_floor() as floor:
        furnish(floor)
        yield floor


def furnish(floor):
    sold = model("/v1*", price=price(rates=Rates.filled({}), request=NANO))
    main = channel(models=["/v1*"], accounts=floor.accounts(2))
    floor.world.snapshot = snapshot(main, models=(sold,))
    floor.keys.record = key(may_pin=True)


async def asked(floor, path="/v1/files", method="GET", body=b"", **values):
    visitor = Visitor(body, path=path, headers={**PIN, **values.pop("headers", {})}, **values)
    visitor.method = method
    visitor.task = asyncio.get_running_loop().create_task(floor.relay.handle(visitor))
    await asyncio.wait_for(visitor.task, PATIENCE_S)
    return visitor


def content(size):
    return f"/v1/files/file-zeros-{size}/content"


def paid(floor):
    return MONEY - floor.writer.purses[WALLET].available


async def test_a_request_goes_to_its_account_with_its_method_and_comes_back(floor):
    answer = await asked(floor, query=b"limit=2&key=k")
    sent = floor.vendor.books.calls[-1]
    assert (sent.method, sent.path, sent.query, sent.secret) == (
        "GET",
        "/v1/files",
        "limit=2",
        "secret-1",
    )
    assert sent.header(b"user-agent") == "tollbridge"
    assert (answer.status, answer.header(b"x-tollbridge-cost")) == (200, b"0.005")
    assert answer.header(b"content-type") == b"application/json"
    row = floor.row
    assert (row["charge"], row["model_asked"], row["model_sent"]) == (NANO, "/v1*", "/v1/files")
    assert row["end_state"] == "complete"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_empty_request_has_no_body_to_announce(floor, method):
    await asked(floor, "/v1/files/a", method)
    sent = floor.vendor.books.calls[-1]
    assert (sent.method, sent.body) == (method, b"")
    assert not sent.header(b"content-length") and not sent.header(b"content-type")


@pytest.mark.parametrize(
    ("status", "shown"),
    [(400, 400), (404, 404), (405, 400), (409, 400), (413, 413), (422, 400), (429, 503), (401, 502),
     (500, 502), (501, 400), (529, 502)],
)  # fmt: skip
async def test_a_refusal_is_told_and_nobody_else_is_asked(floor, status, shown):
    floor.script(1, status=status)
    answer = await asked(floor, "/v1/files/a")
    assert answer.status == shown, answer.sent
    assert floor.vendor.books.count == 1
    row = floor.row
    assert (row["charge"], row["end_state"]) == (0, "upstream_error")
    assert paid(floor) == 0


@pytest.mark.parametrize("status", [404, 405, 409, 410, 501])
async def test_what_is_not_there_is_held_against_nobody(floor, status):
    floor.script(1, times=30, status=status)
    for _ in range(30):
        await asked(floor, "/v1/files/a")
    assert (await asked(floor)).status == 200


def begun(floor, path):
    visitor = Visitor(path=path, headers=PIN)
    visitor.method = "GET"
    visitor.task = asyncio.get_running_loop().create_task(floor.relay.handle(visitor))
    return visitor


async def until(true):
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("size", [0, 10, LONG])
async def test_an_answer_is_not_sent_before_it_is_paid(floor, size):
    writer = floor.writer
    # From now on it is known how much money there is.
    await asked(floor)
    writer.seen.clear()
    writer.slow = True
    visitor = begun(floor, content(size))
    if size == LONG:
        # Its start waits for the hold, its end for the settle.
        await until(lambda: floor.vendor.books.count > 1 and writer.seen)
        assert visitor.events == []
        writer.write()
        await until(lambda: visitor.sent)
    await until(lambda: any(isinstance(item, Settle) for item in writer.seen))
    assert "finish" not in visitor.events and "reply" not in visitor.events
    assert len(visitor.sent) < max(size, 1)
    writer.slow = False
    writer.write()
    await asyncio.wait_for(visitor.task, PATIENCE_S)
    assert visitor.sent == bytes(size)
    assert paid(floor) == 2 * NANO


async def test_a_long_answer_that_breaks_is_cut_and_free(floor):
    floor.script(1, cut_after=4)
    answer = await asked(floor, content(10 * LONG))
    assert answer.events[-1] == "abort"
    row = floor.row
    assert (row["charge"], row["end_state"], row["error_kind"]) == (
        0,
        "upstream_error",
        "upstream_failed",
    )
    assert row["attempts"].count("closed_early") == 1 and "ok" not in row["attempts"]


@pytest.mark.parametrize("size", [10, LONG])
async def test_a_hold_that_is_refused_shows_nothing(floor, size):
    floor.writer.spend(WALLET, MONEY)
    answer = await asked(floor, content(size))
    assert (answer.status, answer.events) == (402, ["reply"])
    assert floor.row["charge"] == 0


async def test_without_books_nothing_more_is_shown_and_nothing_is_charged(floor):
    refused = HoldResult(ok=False, short=None)
    floor.writer.scripted[Hold] = [refused, refused]
    answer = await asked(floor, content(LONG))
    assert answer.status == 503
    assert answer.events == ["reply"]


async def test_a_process_that_ends_in_the_middle_charges_nothing(floor):
    floor.script(1, pause_after=8, pause_ms=60_000)
    visitor = begun(floor, content(100 * LONG))
    await until(lambda: visitor.sent)
    visitor.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await visitor.task
    assert visitor.events[-1] == "abort"
    assert floor.row["charge"] == 0


async def test_an_account_that_is_not_there_is_asked_once(floor):
    broken = channel(models=["/v1*"], accounts=(account(base_url="http://127.0.0.1:9"),))
    floor.world.snapshot = snapshot(broken, models=tuple(floor.world.snapshot.models.values()))
    answer = await asked(floor)
    assert answer.status == 502
    assert floor.row["end_state"] == "upstream_error"
