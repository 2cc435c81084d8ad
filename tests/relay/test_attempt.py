"""Proof of failing over: until there is content, never after it, and never for the client's fault."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from tests.relay.calls import channel, chat, key, snapshot
from tests.relay.floor import PATIENCE_S, open_floor
from tests.services.ports import free_port
from tollbridge.core.money import Multiplier
from tollbridge.demo.fake_reply import recording

FAKE = {"prompt_tokens": 11, "tokens": 7}
WHOLE = chat(fake=FAKE)
STREAM = chat(stream=True, fake=FAKE)
BOTH = pytest.mark.parametrize("body", [chat(), chat(stream=True)])
JSON = {"content-type": "application/json"}


@pytest.fixture
async def floor():
    async with open_floor(first_byte_timeout_s=0.3, idle_timeout_s=0.3) as floor:
        floor.world.snapshot = floor.catalogue(count=3)
        yield floor


def tries(floor):
    """Return the accounts that were asked, in order."""
    return [call.secret.removeprefix("secret-") for call in floor.vendor.books.calls]


def outcomes(floor):
    """Return account and outcome of each attempt in the only usage row."""
    listed = floor.row["attempts"]
    return [tuple(one[:2]) for one in msgspec.json.decode(listed)] if listed else None


def offered_twice(floor):
    """Let a key choose between two channels of one account each; return the cheap one's."""
    cheap, dear = floor.accounts(2)
    floor.world.snapshot = snapshot(
        channel(1, "cheap", multiplier=Multiplier(1, 2), accounts=(cheap,)),
        channel(2, "dear", accounts=(dear,)),
    )
    floor.keys.record = key(channel_id=None)
    return cheap


async def test_an_auto_key_leaves_a_channel_whose_only_account_fails_in_a_row(floor):
    cheap = offered_twice(floor)
    floor.script(1, status=500)
    assert [(await floor.answered()).status for _ in range(4)] == [502, 502, 200, 200]
    assert tries(floor) == ["1", "1", "2", "2"]
    # With trouble everywhere the cheapest is asked again.
    floor.script(2, status=500)
    assert [(await floor.answered()).status for _ in range(3)] == [502, 502, 502]
    assert tries(floor)[4:] == ["2", "2", "1"]
    floor.pool.health.succeeded(cheap, "gpt-test")
    floor.script(1)
    assert (await floor.answered()).status == 200
    assert tries(floor)[-1] == "1"


async def test_an_auto_key_goes_where_somebody_fails_rather_than_where_nobody_is(floor):
    offered_twice(floor)
    floor.script(1, status=401)
    floor.script(2, status=500)
    assert [(await floor.answered()).status for _ in range(4)] == [502, 502, 502, 502]
    assert tries(floor) == ["1", "2", "2", "2"]


@BOTH
@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ({"status": 500}, "status_500"),
        ({"status": 503}, "status_503"),
        ({"status": 401}, "account_refused"),
        ({"status": 403}, "account_refused"),
        ({"status": 404}, "account_refused"),
        ({"status": 429}, "status_429"),
        ({"empty": True, "usage": "none", "no_done": True}, "empty"),
        ({"redirect": True}, "redirected"),
        ({"hang": True}, "first_byte_timeout"),
        ({"header_flood": 5000}, "head_too_large"),
    ],
)
async def test_what_goes_wrong_before_content_is_tried_elsewhere(floor, body, script, outcome):
    floor.script(1, **script)
    client = await floor.answered(body)
    assert client.status == 200
    assert tries(floor) == ["1", "2"]
    assert outcomes(floor) == [(1, outcome), (2, "ok")]
    assert (floor.row["end_state"], floor.row["account_id"]) == ("complete", 2)
    assert b"Scripted" not in client.sent


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ({"cut_after": 0}, "closed_early"),
        ({"cut_after": 1}, "closed_early"),
        ({"error_event_after": 0}, "status_500"),
        ({"error_event_after": 1}, "status_500"),
    ],
)
async def test_a_stream_that_breaks_before_content_is_begun_anew(floor, script, outcome):
    floor.script(1, **script)
    client = await floor.answered(STREAM)
    assert outcomes(floor) == [(1, outcome), (2, "ok")]
    assert client.events.count("start") == 1
    assert client.sent.count(b'"role":"assistant"') == 1
    assert client.frames()[-1] == b"[DONE]"


@pytest.mark.parametrize("script", [{"cut_after": 3}, {"error_event_after": 3}])
async def test_a_stream_that_breaks_after_content_is_not(floor, script):
    floor.script(1, **script)
    client = await floor.answered(STREAM)
    assert tries(floor) == ["1"]
    assert msgspec.json.decode(client.frames()[-1])["error"]["code"] == "stream_broken"
    assert floor.row["end_state"] == "partial"


@pytest.mark.parametrize("script", [{"cut_body": 40}, {"content_length_lie": 100}])
async def test_a_whole_answer_that_is_cut_is_tried_elsewhere(floor, script):
    floor.script(1, **script)
    client = await floor.answered(WHOLE)
    assert client.json()["usage"]["completion_tokens"] == 7
    assert outcomes(floor) == [(1, "closed_early"), (2, "ok")]


@BOTH
async def test_the_clients_own_fault_is_told_at_once_in_the_vendors_words(floor, body):
    floor.script(1, status=400)
    client = await floor.answered(body)
    assert tries(floor) == ["1"]
    assert client.status == 400
    assert client.json()["error"]["message"].startswith("Scripted failure with status 400.")
    assert outcomes(floor) == [(1, "status_400")]
    assert (floor.row["end_state"], floor.row["charge"]) == ("upstream_error", 0)


@BOTH
async def test_when_nobody_answers_the_last_reason_is_told_and_nothing_is_charged(floor, body):
    for number, status in enumerate((500, 401, 503), start=1):
        floor.script(number, status=status)
    client = await floor.answered(body)
    assert client.status == 502
    assert b"Scripted" not in client.sent
    assert outcomes(floor) == [(1, "status_500"), (2, "account_refused"), (3, "status_503")]
    assert (floor.row["end_state"], floor.row["charge"]) == ("upstream_error", 0)
    assert floor.metrics.registry.get_sample_value(
        "tollbridge_upstream_failures_total", {"reason": "account_refused"}
    )


@BOTH
async def test_the_vendors_wait_reaches_the_client(floor, body):
    for number in (1, 2, 3):
        floor.script(number, status=429, retry_after=17)
    client = await floor.answered(body)
    assert (client.status, client.header(b"retry-after")) == (503, b"17")


@BOTH
async def test_a_vendor_that_never_answers_is_a_timeout(floor, body):
    floor.world.snapshot = floor.catalogue(count=1)
    floor.script(1, hang=True)
    client = await floor.answered(body)
    assert client.status == 504
    assert outcomes(floor) == [(1, "first_byte_timeout")]


async def test_there_are_only_so_many_attempts():
    async with open_floor(max_attempts=2) as floor:
        floor.world.snapshot = floor.catalogue(count=3)
        for number in (1, 2, 3):
            floor.script(number, status=500)
        await floor.answered(WHOLE)
        assert tries(floor) == ["1", "2"]


@BOTH
async def test_an_account_that_cannot_be_reached_is_one_attempt(floor, body):
    dead = replace(floor.accounts()[0], base_url=f"http://127.0.0.1:{free_port()}")
    floor.world.snapshot = snapshot(channel(accounts=(dead, *floor.accounts(2)[1:])))
    client = await floor.answered(body)
    assert client.status == 200
    assert outcomes(floor) == [(1, "connect_failed"), (2, "ok")]


async def test_an_error_inside_a_whole_200_is_tried_elsewhere(floor):
    floor.vendor.books.recordings["fault"] = recording(200, JSON, [b'{"error":{"message":"oops"}}'])
    floor.script(1, replay="fault")
    await floor.answered(WHOLE)
    assert outcomes(floor) == [(1, "status_500"), (2, "ok")]


async def test_a_document_where_a_stream_was_asked_for_is_tried_elsewhere(floor):
    floor.vendor.books.recordings["page"] = recording(200, JSON, [b'{"message":"maintenance"}'])
    floor.script(1, replay="page")
    client = await floor.answered(STREAM)
    assert outcomes(floor) == [(1, "status_500"), (2, "ok")]
    assert b"maintenance" not in client.sent


async def test_a_finish_without_a_word_is_an_answer(floor):
    floor.script(1, tokens=0)
    for body in (chat(), chat(stream=True)):
        client = await floor.answered(body)
        assert client.status == 200
    assert tries(floor) == ["1", "1"]


async def test_a_client_that_left_is_no_reason_to_ask_another(floor):
    floor.script(1, hang=True)
    client = floor.call(STREAM)
    async with asyncio.timeout(PATIENCE_S):
        while not floor.vendor.books.calls:
            await asyncio.sleep(0.001)
    client.leave()
    await asyncio.wait_for(client.task, PATIENCE_S)
    assert tries(floor) == ["1"]


async def test_the_weight_decides_within_a_priority(floor):
    accounts = [
        replace(one, priority=0, weight=weight)
        for one, weight in zip(floor.accounts(3), (0, 5, 0), strict=True)
    ]
    floor.world.snapshot = snapshot(channel(accounts=tuple(accounts)))
    for _ in range(10):
        await floor.answered(WHOLE)
    assert set(tries(floor)) == {"2"}


async def test_each_attempt_gets_the_same_question_with_its_own_secret(floor):
    floor.script(1, status=500)
    await floor.answered(WHOLE)
    first, second = floor.vendor.books.calls
    assert first.body == second.body
    assert [one.header(b"authorization") for one in (first, second)] == [
        "Bearer secret-1",
        "Bearer secret-2",
    ]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_compatible_accounts_answer_is_told_by_the_book(floor, stream):
    floor.world.snapshot = floor.catalogue(count=1, compatible=True)
    fake = {**FAKE, "role_in_every_delta": True, "usage": "no_details"}
    client = await floor.answered(chat(stream=stream, fake=fake))
    if stream:
        assert client.sent.count(b'"role"') == 1
        assert client.frames()[-1] == b"[DONE]"
    else:
        assert client.json()["choices"][0]["message"]["refusal"] is None
    assert floor.row["output"] == 7


async def test_a_compressed_answer_is_read_all_the_same(floor):
    client = await floor.answered(chat(fake={**FAKE, "gzip": True}))
    assert client.json()["usage"]["completion_tokens"] == 7
    assert client.header(b"content-encoding") is None


async def test_a_channel_without_accounts_has_nobody_to_ask(floor):
    floor.world.snapshot = snapshot(channel(accounts=()))
    client = await floor.answered(WHOLE)
    assert (client.status, floor.counted("no_account")) == (503, 1)
    assert floor.writer.seen == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_goes_on_from_an_account_goes_to_no_other(floor, stream):
    path = "/v1/responses"
    floor.script(1, status=500)
    begun = await floor.answered({"model": "gpt-test", "input": "a"}, path=path)
    assert tries(floor) == ["1", "2"]
    following = {
        "model": "gpt-test",
        "input": "b",
        "stream": stream,
        "previous_response_id": begun.json()["id"],
    }
    assert (await floor.answered(following, path=path)).status == 200
    assert tries(floor) == ["1", "2", "2"]
    floor.script(2, status=500)
    assert (await floor.answered(following, path=path)).status == 502
    assert tries(floor) == ["1", "2", "2", "2"]


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_who_cannot_count_is_not_a_failure(floor, status):
    floor.script(1, status=status)
    body = {"model": "gpt-test", "input": "hello"}
    client = await floor.answered(body, path="/v1/responses/input_tokens")
    assert (client.status, client.header(b"x-tollbridge-estimated")) == (200, b"true")
    assert tries(floor) == ["1"]
    assert (floor.row["charge"], floor.row["end_state"]) == (0, "complete")
    floor.script(1, status=500)
    client = await floor.answered(body, path="/v1/responses/input_tokens")
    assert (client.status, client.header(b"x-tollbridge-estimated")) == (200, None)
    assert tries(floor) == ["1", "1", "2"]
