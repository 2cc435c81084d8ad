"""Realtime sessions against a real gateway: exact to the token, and settled once whoever leaves."""

import asyncio
import contextlib
import json
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.services.gateway import KEY, Gateway
from tests.services.realtime import ELSEWHERE, MODEL, buckets, price_of, talking

pytestmark = pytest.mark.asyncio(loop_scope="module")


def dialled(gateway: Gateway, key: str = KEY, model: str = MODEL, **options: Any) -> connect:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"ws://127.0.0.1:{gateway.port}/v1/realtime?model={model}"
    return connect(url, additional_headers=headers, proxy=None, **options)


async def tell(client: ClientConnection, kind: str, **fields: Any) -> None:
    await client.send(json.dumps({"type": kind, **fields}))


async def until(client: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        event: dict[str, Any] = json.loads(await client.recv())
        if event["type"] == kind:
            return event


async def respond(client: ClientConnection) -> dict[str, Any]:
    await tell(client, "response.create")
    return await until(client, "response.done")


async def rest(client: ClientConnection) -> list[dict[str, Any]]:
    events = []
    try:
        while True:
            events.append(json.loads(await client.recv()))
    except ConnectionClosed:
        return events


async def booked(gateway: Gateway) -> dict[str, Any]:
    """Return the row of the latest session once nothing is open."""
    await asyncio.to_thread(gateway.wait_settled)
    return gateway.rows("SELECT * FROM usage ORDER BY tid DESC")[0]


async def row(gateway: Gateway, state: str, responses: int, *flags: str, more: int = 0) -> Any:
    """Check every trace of the latest session: row, journal, wallet."""
    row = await booked(gateway)
    counts = buckets(responses, more)
    assert {name: row[name] for name in counts} == counts
    assert (row["end_state"], row["charge"], row["loss"]) == (state, price_of(counts), 0)
    assert set(filter(None, row["flags"].split(","))) == set(flags)
    assert (row["surface"], row["stream"], row["model_asked"]) == ("media", 1, MODEL)
    lines = gateway.rows("SELECT amount, credit FROM journal WHERE ref = ?", row["tid"])
    charged = [{"amount": row["charge"], "credit": "revenue"}] if row["charge"] else []
    assert lines == charged
    [sums] = gateway.rows(
        "SELECT sum(amount) FILTER (WHERE kind != 'charge') AS given,"
        " (SELECT sum(charge) FROM usage) AS taken FROM journal"
    )
    assert gateway.wallet() == (sums["given"] - sums["taken"], 0)
    return row


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    async with talking(tmp_path_factory.mktemp("realtime")) as both:
        yield both


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared):
    """Hand the gateway over with a vendor that has forgotten; each session leaves one row."""
    gateway, fake = shared
    fake.forget()
    yield gateway, fake
    await asyncio.to_thread(gateway.wait_settled)


@pytest_asyncio.fixture(loop_scope="module")
async def own(tmp_path):
    async with talking(tmp_path) as both:
        yield both


async def test_a_hundred_events_each_way_are_untouched_and_metered_exactly(stage):
    gateway, fake = stage
    fake.roles, fake.deltas = ["whole"] * 9 + ["transcribed"], 8
    async with dialled(gateway) as client:
        sent, seen = 0, 1
        assert json.loads(await client.recv())["type"] == "session.created"
        for _ in range(10):
            for number in range(9):
                odd = {"type": "odd", "ключ": f"\u00e9{number}\U0001f600", "n": 1.50}
                await client.send(json.dumps(odd, ensure_ascii=False, indent=1))
                assert json.loads(await client.recv())["of"] == odd
            await respond(client)
            sent, seen = sent + 10, seen + 19
        assert sent >= 100 and seen >= 100
    done = await row(gateway, "complete", 10, more=1)
    assert (done["status"], done["held"] >= done["charge"]) == (101, True)
    assert [event["type"] for event in fake.heard].count("odd") == 90
    request = fake.requests[0]
    assert request.path == f"/v1/realtime?model={MODEL}"
    assert request.headers["Authorization"] == "Bearer vendor-secret"
    assert KEY not in str(request.headers)


async def test_large_and_fragmented_and_binary_messages_pass(stage):
    gateway, _fake = stage
    async with dialled(gateway, max_size=None) as client:
        await client.recv()
        audio = "A" * 5_000_000
        await tell(client, "input_audio_buffer.append", audio=audio)
        assert json.loads(await client.recv())["of"]["audio"] == audio
        await client.send(['{"type": "pieces",', ' "a": ', "1}"])
        assert json.loads(await client.recv())["of"] == {"type": "pieces", "a": 1}
        await client.send(b'{"type": "bytes"}')
        assert json.loads(await client.recv())["of"] == {"type": "bytes"}
    await row(gateway, "complete", 0)


@pytest.mark.parametrize("place", ["start", "between", "within", "unread"])
async def test_a_client_that_is_cut_pays_exactly_for_what_it_caused(stage, place):
    gateway, fake = stage
    fake.roles = ["whole", "held"]
    client = await dialled(gateway)
    await client.recv()
    responses = 0
    if place != "start":
        await respond(client)
        responses = 1
    if place == "within":
        await tell(client, "response.create")
        await until(client, "response.output_audio.delta")
    elif place == "unread":
        # It is gone before the response has begun: the vendor was asked all the same.
        await tell(client, "response.create")
    client.transport.abort()
    if place in {"within", "unread"}:
        responses = 2
        await row(gateway, "client_gone", responses, "client_disconnected")
        assert "response.cancel" in [event["type"] for event in fake.heard]
    else:
        await row(gateway, "client_gone", responses, "client_disconnected")


@pytest.mark.parametrize("role", ["cut_before", "cut_within"])
async def test_an_upstream_that_is_cut_ends_the_session_with_an_error(stage, role):
    gateway, fake = stage
    fake.roles = ["whole", role]
    async with dialled(gateway) as client:
        await respond(client)
        await tell(client, "response.create")
        events = await rest(client)
    assert events[-1]["type"] == "error" and events[-1]["error"]["code"] == "stream_broken"
    assert client.close_code == 1011
    await row(gateway, "partial", 1, "partial")


async def test_an_upstream_that_closes_says_why(stage):
    gateway, fake = stage
    fake.roles = ["whole", "close"]
    async with dialled(gateway) as client:
        await respond(client)
        await tell(client, "response.create")
        await rest(client)
    assert (client.close_code, client.close_reason) == (4001, "gone home")
    await row(gateway, "complete", 1, "partial")


async def test_a_response_without_usage_is_estimated(stage):
    gateway, fake = stage
    fake.roles = ["no_usage"]
    async with dialled(gateway) as client:
        await respond(client)
    done = await booked(gateway)
    assert (done["output"], done["flags"], done["charge"]) == (10, "estimated", 80_000)


async def test_a_wallet_that_runs_dry_ends_the_session(tmp_path):
    async with talking(tmp_path, credit="0.14") as (gateway, _fake):
        responses = 0
        async with dialled(gateway) as client:
            await client.recv()
            event = {"type": "echo"}
            while event["type"] == "echo":
                await respond(client)
                responses += 1
                with contextlib.suppress(ConnectionClosed):
                    await tell(client, "odd")
                event = json.loads(await client.recv())
            assert event["type"] == "error" and event["error"]["code"] == "insufficient_quota"
            assert await rest(client) == []
        assert client.close_code == 1008
        assert responses > 1
        done = await row(gateway, "limited", responses, "balance_short")
        assert done["charge"] <= 140_000_000


async def test_an_empty_wallet_is_refused_before_the_upgrade(tmp_path):
    async with talking(tmp_path, credit="0.01") as (gateway, fake):
        with pytest.raises(InvalidStatus) as refused:
            await dialled(gateway)
        assert refused.value.response.status_code == 402
        error = json.loads(refused.value.response.body)["error"]
        assert error["code"] == "insufficient_quota"
        assert fake.requests == []
        while not (rows := gateway.rows("SELECT end_state, charge FROM usage")):
            await asyncio.sleep(0.01)
        assert rows == [{"end_state": "refused", "charge": 0}]


async def test_a_gateway_that_is_killed_posts_what_was_used(own):
    gateway, fake = own
    fake.roles = ["whole", "transcribed", "whole", "held"]
    client = await dialled(gateway)
    for _ in range(3):
        await respond(client)
    await tell(client, "response.create")
    await until(client, "response.output_audio.delta")
    assert gateway.wallet()[1] > 0
    await asyncio.to_thread(gateway.kill)
    await rest(client)
    await asyncio.to_thread(gateway.start)
    await row(gateway, "reclaimed", 3, "reclaimed", more=1)


async def test_a_gateway_that_ends_lets_the_response_finish(own):
    gateway, fake = own
    fake.roles = ["held"]
    client = await dialled(gateway)
    await tell(client, "response.create")
    await until(client, "response.output_audio.delta")
    idle = await dialled(gateway)
    await idle.recv()
    stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
    events = await rest(idle)
    assert events[-1]["error"]["code"] == "service_unavailable" and idle.close_code == 1001
    await tell(client, "response.cancel")
    assert (await until(client, "response.done"))["response"]["status"] == "cancelled"
    await rest(client)
    assert client.close_code == 1001
    assert await stopping == 0
    states = gateway.rows("SELECT end_state, charge FROM usage ORDER BY charge")
    assert states == [
        {"end_state": "complete", "charge": 0},
        {"end_state": "complete", "charge": price_of(buckets(1))},
    ]


async def test_a_browser_brings_its_key_as_a_subprotocol(stage):
    gateway, fake = stage
    names = ["realtime", f"openai-insecure-api-key.{KEY}", "openai-beta.realtime-v1"]
    async with dialled(gateway, key="", subprotocols=names) as client:
        assert client.subprotocol == "realtime"
        assert KEY not in str(client.response.headers)
        await respond(client)
    await row(gateway, "complete", 1)
    assert fake.requests[0].headers["OpenAI-Beta"] == "realtime=v1"
    assert KEY not in str(fake.requests[0].headers)


REFUSALS = {
    "no key": ({"key": ""}, 401, "invalid_api_key"),
    "a wrong key": ({"key": "sk-nobody-0123456789-0123456789-012345"}, 401, "invalid_api_key"),
    "a key in the query": ({"key": "", "model": f"{MODEL}&key={KEY}"}, 401, "invalid_api_key"),
    "no model": ({"model": ""}, 400, "missing_model"),
    "a model that nobody has": ({"model": "gpt-none"}, 404, "model_not_found"),
    "a parameter of another kind": (
        {"model": f"{MODEL}&intent=transcription"},
        400,
        "unknown_parameter",
    ),
    "a channel without media": ({"key": ELSEWHERE}, 403, "surface_not_allowed"),
}


async def test_what_is_refused_is_refused_as_plain_http(stage):
    gateway, fake = stage
    before = gateway.rows("SELECT count(*) FROM usage")
    for name, (options, status, code) in REFUSALS.items():
        with pytest.raises(InvalidStatus) as refused:
            await dialled(gateway, **options)
        response = refused.value.response
        body = json.loads(response.body)
        assert (name, response.status_code, body["error"]["code"]) == (name, status, code)
        assert response.headers["x-request-id"] == body["request_id"]
    assert fake.requests == [] and gateway.rows("SELECT count(*) FROM usage") == before


@pytest.mark.parametrize(
    ("told", "status", "code"),
    [
        ((401, b'{"error": {"message": "no such api key"}}'), 502, "service_unavailable"),
        ((429, b"{}"), 503, "provider_rate_limited"),
        ((400, b'{"error": {"message": "bad", "code": "bad_model"}}'), 400, "bad_model"),
        ((200, b"hello"), 502, "service_unavailable"),
    ],
)
async def test_an_upstream_that_refuses_costs_nothing(stage, told, status, code):
    gateway, fake = stage
    fake.refuse = told
    with pytest.raises(InvalidStatus) as refused:
        await dialled(gateway)
    body = refused.value.response.body
    assert (refused.value.response.status_code, json.loads(body)["error"]["code"]) == (status, code)
    await row(gateway, "upstream_error", 0)


async def test_sessions_count_as_calls_at_once(tmp_path):
    async with talking(tmp_path, limits="concurrency = 1") as (gateway, _fake):
        async with dialled(gateway) as client:
            await client.recv()
            with pytest.raises(InvalidStatus) as refused:
                await dialled(gateway)
            assert refused.value.response.status_code == 429
        await asyncio.to_thread(gateway.wait_settled)
        async with dialled(gateway) as client:
            await client.recv()
