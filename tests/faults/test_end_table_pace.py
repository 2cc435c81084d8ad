"""Calls that are slow on either side: heartbeats, clients that read slowly, clients that stall."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.faults.stage import MAIN, PAIR, price, wait

ENVIRON = {
    "HEARTBEAT_S": "0.2",
    "CLIENT_STALL_S": "1",
    "FIRST_BYTE_TIMEOUT_S": "4",
    "DRAIN_CAP_S": "2.5",
    "FINISH_SILENCE_S": "1.5",
}
pytestmark = pytest.mark.asyncio(loop_scope="session")
BEAT = b": keepalive\n\n"
# Together far more than all socket buffers between vendor and client.
EVENTS, PAD = 3000, 16_384


def resident_kib(scene) -> int:
    """Return the memory of the gateway's process, in KiB."""
    process = scene.stage.gateway.process
    status = Path(f"/proc/{process.pid}/status").read_text("ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1])


async def test_heartbeats_come_before_content_and_do_no_harm(scene):
    answer = await scene.post(stream=True, fake={"delay_ms": 700, "tokens": 3, "prompt_tokens": 8})
    assert answer.body.startswith(BEAT) and answer.done
    assert answer.headers["content-type"].startswith("text/event-stream")
    await scene.bill(end_state="complete", input=8, output=3, charge=price(8, 3))


async def test_heartbeats_come_between_events_and_do_no_harm(scene):
    fake = {"event_delay_ms": 450, "tokens": 3, "prompt_tokens": 8}
    answer = await scene.post(stream=True, fake=fake)
    before, _, after = answer.body.partition(b"Hello")
    assert BEAT in after and answer.done
    for frame in (before + b"Hello" + after).split(b"\n\n"):
        assert frame in {b"", BEAT.strip()} or frame.startswith(b"data: ")
    await scene.bill(end_state="complete", input=8, output=3, charge=price(8, 3))


async def test_a_lively_stream_has_no_heartbeats(scene):
    lively = {"tokens": 30, "event_delay_ms": 20}
    answers = [await scene.post(stream=True, fake=lively) for _ in range(3)]
    assert all(answer.done for answer in answers)
    # Each lasts for three beats; on a machine that stands still one may have some.
    assert any(BEAT not in answer.body for answer in answers)


async def test_a_failure_after_heartbeats_is_told_in_band(scene):
    answer = await scene.post(PAIR, stream=True, fake={"delay_ms": 1_000, "status": 500})
    assert answer.status == 200 and answer.body.startswith(BEAT)
    [event] = answer.events
    assert json.loads(event)["error"]["code"] == "service_unavailable"
    assert json.loads(event)["choices"][0]["finish_reason"] == "error"
    await scene.bill(
        end_state="upstream_error", status=502, error_kind="upstream_failed", charge=0, key=PAIR
    )
    await scene.seen(("vendor-first", "done"), ("vendor-second", "done"))


async def test_a_timeout_after_heartbeats_is_told_in_band(scene):
    answer = await scene.post(stream=True, fake={"hang": True})
    assert answer.status == 200 and answer.body.startswith(BEAT) and b"[DONE]" not in answer.body
    assert json.loads(answer.events[-1])["error"]["code"] == "timeout"
    await scene.bill(
        end_state="upstream_error", status=504, error_kind="upstream_timeout", charge=0
    )
    await scene.seen(("vendor-main", "aborted"))


async def test_the_provider_waits_for_a_slow_reader_and_nothing_is_lost(scene):
    before = resident_kib(scene)
    fake = {"tokens": EVENTS, "pad_bytes": PAD, "prompt_tokens": 8}
    wire = await scene.open(MAIN, stream=True, receive_buffer=8192, fake=fake)
    await wire.until(b"Hello")
    call = scene.fake.books.calls[-1]
    # Slow, not stalled: it takes a little all the time until the vendor has come to a halt.
    seen = -1
    while seen != call.tokens_out:
        seen = call.tokens_out
        for _ in range(4):
            await wire.more()
            await asyncio.sleep(0.1)
    assert 0 < call.tokens_out < EVENTS * 3 // 4 and call.state == "running"
    assert resident_kib(scene) - before < 16 * 1024
    body = await wire.rest()
    assert body.endswith(b"data: [DONE]\n\n")
    chunks = [json.loads(data) for data in wire.events[:-1]]
    words = [chunk["choices"][0]["delta"].get("content") for chunk in chunks if chunk["choices"]]
    assert len([word for word in words if word]) == EVENTS
    await scene.bill(end_state="complete", input=8, output=EVENTS, charge=price(8, EVENTS))
    await scene.seen(("vendor-main", "done"))


async def test_a_reader_that_stalls_is_cut_and_pays_for_what_was_streamed(scene):
    fake = {"tokens": EVENTS, "pad_bytes": PAD, "prompt_tokens": 8}
    wire = await scene.open(stream=True, receive_buffer=8192, fake=fake)
    await wire.until(b"Hello")
    [row] = await scene.settled()
    await scene.bill(
        end_state="client_gone", status=499, flags=["client_disconnected", "estimated"],
        charge=price(row["input"], row["output"]),
    )  # fmt: skip
    assert row["output"] < 2 * EVENTS
    await scene.seen(("vendor-main", "aborted"))
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await wire.rest()


async def test_a_stalled_reader_of_a_whole_answer_is_cut_and_pays_for_all_of_it(scene):
    fake = {"tokens": 3, "prompt_tokens": 8, "pad_bytes": 9_000_000}
    wire = await scene.open(receive_buffer=8192, fake=fake)
    await wire.head()
    assert connected(scene)
    await scene.bill(end_state="complete", input=8, output=3, charge=price(8, 3))
    await wait(lambda: not connected(scene))
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await wire.rest()


def connected(scene) -> bool:
    """Say whether the gateway still has the connection of the scene's only raw call."""
    port = scene.wires[-1].port
    needle = f":{scene.stage.gateway.port:04X} 0100007F:{port:04X} "
    table = Path("/proc/net/tcp").read_text("ascii").splitlines()
    return any(needle in line and line.split()[3] == "01" for line in table)
