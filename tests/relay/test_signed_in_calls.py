"""Calls to accounts that sign in: the token they are sent, and where a call goes that has none."""

from dataclasses import replace
from typing import Any, cast

import pytest

from tests.relay.calls import account, channel, chat, snapshot
from tests.relay.floor import open_floor
from tests.relay.signing_in import Stage, until
from tests.relay.test_realtime_line import call_to
from tests.relay.visitor import Visitor
from tests.services.control_plane import database_url, engine, secrets
from tests.services.realtime import FakeRealtime
from tests.services.token_server import token_server
from tollbridge.core.errors import ApiError
from tollbridge.core.settings import Settings
from tollbridge.demo.fake_books import AccountScript
from tollbridge.identity.keys import KeyStore
from tollbridge.relay.choice import Choice
from tollbridge.relay.effects import Trouble
from tollbridge.relay.realtime_line import Lines, serving
from tollbridge.relay.stored import Stored
from tollbridge.relay.throttle import Throttle

__all__ = ["database_url", "engine", "secrets"]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
BOTH = pytest.mark.parametrize("body", [chat(), chat(stream=True)])


@pytest.fixture
async def stage(engine, secrets):
    async with token_server() as server:
        stage = Stage(engine, secrets, server)
        yield stage
        await stage.close()


@pytest.fixture
async def floor(stage):
    """Return a relay whose first account signs in; the second one has a secret."""
    async with open_floor() as floor:
        first, second = floor.accounts(2)
        stage.account = replace(first, auth="oauth", secret="")
        floor.world.snapshot = snapshot(channel(accounts=(stage.account, second)))
        floor.world.tokens = stage.process()
        yield floor


def sent(floor: Any) -> list[str]:
    return [call.secret for call in floor.vendor.books.calls]


@BOTH
async def test_the_token_is_what_the_vendor_is_sent(stage, floor, body):
    await stage.put()
    assert (await floor.answered(body)).status == 200
    assert sent(floor) == ["access-1"]


@BOTH
async def test_a_refused_token_sends_the_call_elsewhere_and_is_replaced(stage, floor, body):
    await stage.put_good()
    floor.vendor.books.accounts["access-0"] = AccountScript({"status": 401})
    assert (await floor.answered(body)).status == 200
    assert sent(floor) == ["access-0", "secret-2"]
    assert floor.pool.health.standings(stage.account) == []
    assert (await floor.answered(body)).status == 200
    assert sent(floor)[2:] == ["access-1"]
    # Now it is the account: it is left out.
    floor.vendor.books.accounts["access-1"] = AccountScript({"status": 401})
    assert (await floor.answered(body)).status == 200
    [standing] = floor.pool.health.standings(stage.account)
    assert (standing.trouble, stage.server.count) == (Trouble.QUARANTINED, 1)


@BOTH
async def test_without_a_token_another_account_answers_and_this_one_is_left_out(stage, floor, body):
    await stage.put()
    stage.server.answers = [(500, {})]
    assert (await floor.answered(body)).status == 200
    assert sent(floor) == ["secret-2"]
    [standing] = floor.pool.health.standings(stage.account)
    assert (standing.trouble, standing.reason) == (Trouble.SIGNED_OUT, "signed_out")
    assert floor.pool.health.wait_s(stage.account, "gpt-test") == pytest.approx(600, abs=5)
    assert (await floor.answered(body)).status == 200
    assert stage.server.count == 1


@BOTH
async def test_alone_it_is_a_failure_of_ours_that_tells_nothing(stage, floor, body):
    await stage.put()
    stage.server.answers = [(500, {"error": "CANARY"})]
    floor.world.snapshot = snapshot(channel(accounts=(stage.account,)))
    client = await floor.answered(body)
    assert client.status == 502
    for told in (b"CANARY", b"refresh", b"token", b"oauth"):
        assert told not in client.sent


async def test_a_stored_response_is_asked_for_with_the_token(stage, floor):
    await stage.put()
    floor.world.snapshot = snapshot(channel(accounts=(stage.account,)))
    made = await floor.answered({"model": "gpt-test", "input": "hello"}, path="/v1/responses")
    response_id = made.json()["id"]
    stored = Stored(
        floor.world, cast("KeyStore", floor.keys), floor.client, floor.settings, floor.metrics
    )

    async def look() -> int:
        visitor = Visitor(path=f"/v1/responses/{response_id}")
        visitor.method = "GET"
        await stored.handle(visitor)
        return visitor.status

    assert await look() == 200
    assert sent(floor) == ["access-1", "access-1"]
    floor.vendor.books.accounts["access-1"] = AccountScript({"status": 401})
    assert await look() == 502
    await until(lambda: stage.server.count == 2)
    await floor.world.tokens.close()
    assert (await stage.row()).access == "access-2"


async def test_a_realtime_session_opens_with_the_token(stage, floor):
    await stage.put()
    vendor = FakeRealtime()
    one = replace(stage.account, base_url=await vendor.start())
    call = call_to(one)
    throttle = Throttle(floor.counters, floor.metrics)
    settings = Settings()
    choice = Choice(floor.pool, throttle, floor.metrics, lambda: 0.0, 3, serving)
    lines = Lines(floor.world, settings, choice)
    socket = await lines.open(call)
    socket.close(1000)
    await socket.gone()
    assert vendor.requests[0].headers["Authorization"] == "Bearer access-1"
    await vendor.stop()
    stage.server.valid = "another"
    stage.clock.now_ms += 10**9
    with pytest.raises(ApiError):
        await lines.open(call_to(one))
    assert call_to(account()).token is None
