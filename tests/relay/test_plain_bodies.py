"""Proof that an answer which is no event stream reaches the client as its own bytes, and no others."""

import asyncio

import pytest

from tests.relay.calls import admitted, model, price, visitor_of
from tests.relay.media import SPEAK, media_catalogue, opened, record
from tollbridge.core.errors import ApiError, Kind
from tollbridge.demo.fake_samples import MP3, wav
from tollbridge.protocols.media_stream import SOUND_TAIL_BYTES
from tollbridge.relay.outlet import Outlet
from tollbridge.storage.ledger_items import Hold, Settle

PATH = "/v1/audio/speech"
LONG = 1000.0


@pytest.fixture
async def floor():
    async with opened(heartbeat_s=0.01) as floor:
        yield floor


async def until(done):
    while not done():
        await asyncio.sleep(0.005)


async def test_no_heartbeat_gets_into_a_sound(floor):
    # Longer than many heartbeats: before the first byte, and between two pieces.
    floor.script(1, seconds=5, events=10, delay_ms=60, pause_after=5, pause_ms=60)
    client = await floor.answered({**SPEAK, "response_format": "wav"}, path=PATH)
    assert client.sent == wav(5)
    assert client.header(b"content-type") == b"audio/wav"
    assert client.events[0] == "start" and client.events[-1] == "finish"
    assert len(client.events) > 2


async def test_the_tail_waits_for_the_books(floor):
    floor.writer.slow = True
    floor.script(1, seconds=5, events=10)
    client = floor.call({**SPEAK, "response_format": "wav"}, path=PATH)
    while not floor.writer.only(Hold):
        floor.writer.write()
        await asyncio.sleep(0.005)
    floor.writer.write()
    await until(lambda: floor.writer.only(Settle))
    assert client.sent == wav(5)[:-SOUND_TAIL_BYTES]
    assert "finish" not in client.events
    floor.writer.slow = False
    floor.writer.write()
    await client.task
    assert client.sent == wav(5)


async def test_a_sound_that_breaks_early_is_made_by_another_account(floor):
    floor.world.snapshot = media_catalogue(floor, accounts=2)
    floor.script(1, seconds=5, events=40, cut_after=2)
    client = await floor.answered(SPEAK, path=PATH)
    assert (client.status, client.sent) == (200, MP3)
    assert floor.row["account_id"] == 2


async def test_a_sound_that_breaks_late_is_cut(floor):
    floor.script(1, seconds=5, events=40, cut_after=30)
    client = await floor.answered({**SPEAK, "response_format": "wav"}, path=PATH)
    assert client.events[-1] == "abort"
    assert wav(5).startswith(client.sent) and client.sent
    assert (floor.row["end_state"], floor.row["flags"]) == ("partial", "partial")


async def test_a_document_in_place_of_a_sound(floor):
    body = b'{"audio_data":"SUQz"}'
    record(floor, "json", body, "application/json")
    client = await floor.answered({**SPEAK, "fake": {"replay": "json"}}, path=PATH)
    assert (client.sent, client.header(b"content-type")) == (body, b"application/json")
    assert (floor.row["end_state"], floor.row["charge"]) == ("complete", 5 * 2)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"error":{"message":"no"}}', "application/json"),
        (b'{"nothing":1}', "application/json"),
        (b"<html>busy</html>", "text/html"),
        (b"", "audio/mpeg"),
    ],
)
async def test_what_is_no_sound_is_an_error_and_free(floor, body, kind):
    record(floor, "odd", body, kind)
    client = await floor.answered({**SPEAK, "fake": {"replay": "odd"}}, path=PATH)
    assert (client.status, client.events) == (502, ["reply"])
    assert floor.row["charge"] == 0


async def test_the_client_may_leave(floor):
    floor.script(1, seconds=20, events=100, pause_after=50, pause_ms=60_000)
    client = floor.call({**SPEAK, "response_format": "wav"}, path=PATH)
    await until(lambda: client.sent)
    client.leave()
    await client.task
    assert floor.row["end_state"] == "client_gone"


def an_outlet():
    sold = model("tts", price=price(character=2))
    call = admitted(SPEAK, path=PATH, catalogue=media_catalogue(None, models=(sold,)))
    return visitor_of(call), Outlet(call, asyncio.get_running_loop(), LONG)


async def test_an_error_before_any_byte_is_an_answer_of_its_own():
    client, outlet = an_outlet()
    outlet.plain_type = b"audio/mpeg"
    outlet.fail(ApiError(Kind.STREAM_BROKEN))
    assert client.events == ["reply"]
    assert client.status >= 500 and client.json()["error"]["message"]


async def test_an_error_after_bytes_is_a_cut():
    client, outlet = an_outlet()
    outlet.plain_type = b"audio/mpeg"
    outlet.send(b"sound")
    outlet.fail(ApiError(Kind.STREAM_BROKEN))
    assert client.events == ["start", "abort"]
    assert client.sent == b"sound"
