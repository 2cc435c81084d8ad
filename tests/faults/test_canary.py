"""Proof of privacy: nothing of what customers and models say stays anywhere (product.md, S0-privacy).

The log is at its most talkative, and asyncio's own as well. What a customer may see of its own
words, it sees: each test says so, for a canary that flew nowhere proves nothing.
"""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.aviary import (
    JSON,
    SSE,
    Aviary,
    chunk,
    frame,
    open_aviary,
    prompt,
    spelt,
    streamed,
    whole,
)
from tests.faults.till import CHAT, request
from tests.services.gateway import chat
from tollbridge.demo.fake_reply import recording

pytestmark = pytest.mark.asyncio(loop_scope="session")
STREAM = [False, True]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def aviary(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Aviary]:
    """Run one gateway for the module; it is searched once more when it has ended."""
    folder = tmp_path_factory.mktemp("aviary")
    async with open_aviary(folder, writer_deadline_s="0.5", settle_grace_s="1") as one:
        yield one


@pytest.mark.parametrize("stream", STREAM)
async def test_s0_privacy_an_answered_call_leaves_no_trace(aviary: Aviary, stream: bool):
    asked, told = aviary.canary(), aviary.canary()
    aviary.fake.books.recordings["told"] = streamed(told) if stream else whole(told)
    body = prompt(asked, stream=stream, fake={"replay": "told"})
    for name, raw in spelt(body, asked).items():
        answer = await aviary.call(raw)
        assert answer.status == 200, (name, answer.body)
        assert answer.body.count(told.encode()) >= 5
        assert raw[:40] == aviary.fake.books.calls[-1].body[:40] or asked in str(body)
    aviary.gateway.wait_settled()
    await aviary.assert_no_trace()


@pytest.mark.parametrize("stream", STREAM)
async def test_s0_privacy_a_legacy_completion_leaves_no_trace(aviary: Aviary, stream: bool):
    asked = aviary.canary()
    told = aviary.canary()
    body = {"model": "gpt-test", "prompt": [asked, asked], "suffix": asked, "stream": stream}
    answer = await aviary.call({**body, "fake": {"text": told}}, path="/v1/completions")
    assert answer.status == 200 and told.encode() in answer.body
    await aviary.assert_no_trace()


@pytest.mark.parametrize("stream", STREAM)
async def test_s0_privacy_a_call_that_runs_leaves_no_trace(aviary: Aviary, stream: bool):
    canary = aviary.canary()
    fake = {"text": f"{canary} " * 60, "event_delay_ms": 50} if stream else {"delay_ms": 3_000}
    calling = asyncio.create_task(aviary.call(prompt(canary, stream=stream, fake=fake)))
    async with asyncio.timeout(20):
        while not aviary.gateway.rows("SELECT 1 FROM hold"):
            await asyncio.sleep(0.01)
    for _ in range(3):
        await asyncio.to_thread(aviary.assert_no_trace_on_disk)
        await asyncio.sleep(0.1)
    assert aviary.gateway.rows("SELECT bill FROM hold"), "the call ended before it was watched"
    await aviary.assert_no_trace()
    assert (await calling).status == 200
    await aviary.assert_no_trace()


@pytest.mark.parametrize("stream", STREAM)
@pytest.mark.parametrize("status", [400, 413, 422, 401, 403, 404, 429, 500, 503])
async def test_s0_privacy_an_upstream_that_echoes_leaves_no_trace(
    aviary: Aviary, status: int, stream: bool
):
    canary = aviary.canary()
    body = chat(canary, stream=stream, fake={"status": status, "echo": True})
    answer = await aviary.call(body)
    assert (canary.encode() in answer.body) == (status in {400, 413, 422}), answer.body
    aviary.gateway.wait_settled()
    await aviary.assert_no_trace()


FAULT = '{"error":{"message":"M","type":"M","code":"M","param":"M"},"model":"gpt-test"}'
ODD = {
    "an error inside a 200": (200, JSON, [FAULT]),
    "an error where a stream was due": (200, SSE, [f"data: {FAULT}\n\n"]),
    "an error event": (200, SSE, [f"event: error\ndata: {FAULT}\n\n"]),
    "a page": (200, {"content-type": "text/html; M"}, ["<html>M</html>"]),
    "half a JSON": (200, JSON, ['{"choices":[{"message":{"content":"M']),
    "no JSON": (200, JSON, ["M" * 9]),
    "other JSON": (200, JSON, ['{"M":"M","choices":{"M":1},"usage":{"prompt_tokens":"M"}}']),
    "a stream of nonsense": (200, SSE, ["M: M\n\n: M\n\nevent: M\nid: M\ndata: M\n\n"]),
    "a frame of nonsense": (200, SSE, ['data: {"choices":"M","usage":"M","error":"M"}\n\n']),
    "an unknown encoding": (200, {**JSON, "content-encoding": "M"}, ["M"]),
    "a wrong encoding": (200, {**JSON, "content-encoding": "gzip"}, ["M" * 9]),
    "a failure in text": (500, {"content-type": "M/M"}, ["M"]),
    "a complaint without form": (400, JSON, ['["M",{"M":"M"}]']),
    "a wait": (429, {**JSON, "retry-after": "M"}, ['{"message":"M"}']),
}


@pytest.mark.parametrize("stream", STREAM)
async def test_s0_privacy_an_odd_answer_leaves_no_trace(aviary: Aviary, stream: bool):
    for name, (status, headers, parts) in ODD.items():
        canary = aviary.canary()
        lines = {key: value.replace("M", canary) for key, value in headers.items()}
        chunks = [part.replace("M", canary).encode() for part in parts]
        aviary.fake.books.recordings["odd"] = recording(status, lines, chunks)
        answer = await aviary.call(prompt(canary, stream=stream, fake={"replay": "odd"}))
        assert answer.status in {200, 400, 502, 503}, name
    aviary.gateway.wait_settled()
    await aviary.assert_no_trace()


async def test_s0_privacy_an_error_behind_content_leaves_no_trace(aviary: Aviary):
    canary = aviary.canary()
    told = chunk({"role": "assistant", "content": canary})
    endings = (frame(FAULT.replace("M", canary)), frame("{"), frame(canary, event=canary))
    for ending in endings:
        aviary.fake.books.recordings["broken"] = recording(200, SSE, [told, ending])
        answer = await aviary.call(prompt(canary, stream=True, fake={"replay": "broken"}))
        assert answer.status == 200 and canary.encode() in answer.body
        assert b"stream_broken" in answer.body
    cut = chat(canary, stream=True, fake={"text": f"{canary} " * 9, "cut_after": 4})
    assert b"stream_broken" in (await aviary.call(cut)).body
    aviary.gateway.wait_settled()
    await aviary.assert_no_trace()


async def test_s0_privacy_a_redirect_leaves_no_trace(aviary: Aviary):
    canary = aviary.canary()
    answer = await aviary.call(chat(canary, fake={"redirect": f"http://127.0.0.1/{canary}"}))
    assert answer.status == 502 and canary.encode() not in answer.body
    await aviary.assert_no_trace()


@pytest.mark.parametrize("part", ["head", "body", "first", "middle"])
async def test_s0_privacy_a_client_that_leaves_leaves_no_trace(aviary: Aviary, part: str):
    canary = aviary.canary()
    fake = {"text": f"{canary} " * 50, "event_delay_ms": 20}
    raw = json.dumps(prompt(canary, stream=True, fake=fake)).encode()
    full = request(CHAT, raw, f"authorization: Bearer {aviary.key}", f"x-mine: {canary}")
    ends = {"head": full.index(b"\r\n\r\n") - 5, "body": len(full) - 5}
    client = await aviary.connect()
    client.send(full[: ends.get(part, len(full))])
    await client.writer.drain()
    if part == "middle":
        await client.reader.readuntil(canary.encode())
    client.cut()
    await asyncio.sleep(0.1)
    aviary.gateway.wait_settled()
    await aviary.assert_no_trace()


async def test_s0_privacy_a_refused_request_leaves_no_trace(aviary: Aviary):
    canary = aviary.canary()
    unknown = await aviary.call({**chat(), "model": f"gpt-{canary}"})
    assert unknown.status == 404 and canary.encode() in unknown.body
    for body in (
        canary.encode(),
        f'{{"model":"gpt-test","{canary}":1,"{canary}":2}}'.encode(),
        f'{{"model":"gpt-test","messages":"{canary}"}}'.encode(),
        {**chat(canary), "max_tokens": canary},
        {**chat(canary), "stream_options": {"include_usage": canary}},
        {**chat(canary), "modalities": canary},
        {**chat(canary), "n": 0},
    ):
        assert (await aviary.call(body)).status == 400
    await aviary.assert_no_trace()


async def test_s0_privacy_headers_and_addresses_leave_no_trace(aviary: Aviary):
    canary = aviary.canary()
    names = "user-agent referer origin cookie x-request-id traceparent openai-beta"
    names += " x-forwarded-for x-stainless-lang content-type accept accept-language baggage"
    lines = [f"{name}: {canary}" for name in names.split()]
    served = await aviary.call(chat(), *lines, f"x-{canary}: {canary}", path=f"{CHAT}?q={canary}")
    assert served.status == 200
    key = f"sk-{canary}-{'1' * 20}"
    wrong = [
        request(CHAT, b"{}", f"authorization: Bearer {key}", *lines),
        request(CHAT, b"{}", f"authorization: Basic {canary}"),
        request(CHAT, b"{}", f"x-api-key: {key}", f"x-api-key: {canary}"),
        request(f"{CHAT}?key={key}", b"{}"),
        request(f"/v1/{canary}?key={key}", b"{}", *lines),
        request(f"/{canary}%ff{canary}", b"{}", method="GET"),
        request(f"//{canary}/v1/models", b"{}"),
        request("/v1/models", b"{}", method=canary.upper()),
        f"{canary}\r\n{canary}: {canary}\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\n{canary} {canary}\r\n\r\n".encode(),
    ]
    for raw in wrong:
        assert 400 <= (await aviary.ask(raw)).status < 500, raw
    for path in (f"/v1/models/{canary}", f"/v1/receipts/{canary}", f"/v1/receipts/0?x={canary}"):
        await aviary.read(path, status=404)
    await aviary.assert_no_trace()


async def test_s0_privacy_a_locked_database_leaves_no_trace(aviary: Aviary):
    canary = aviary.canary()
    raw = prompt(canary, fake={"text": canary})
    with contextlib.closing(sqlite3.connect(aviary.gateway.database)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        answers = [await aviary.call({**raw, "stream": stream}) for stream in (*STREAM, *STREAM)]
        aviary.assert_no_trace_on_disk()
    for answer in answers:
        assert answer.status == 503 or b"stream_broken" in answer.body, answer.body
    async with asyncio.timeout(20):
        while (await aviary.call(chat())).status != 200:
            await asyncio.sleep(0.05)
    aviary.gateway.wait_settled()
    await aviary.assert_no_trace()


async def test_s0_privacy_a_lost_table_leaves_no_trace(aviary: Aviary):
    canary = aviary.canary()
    with contextlib.closing(sqlite3.connect(aviary.gateway.database)) as connection:
        connection.execute("PRAGMA legacy_alter_table = ON")
        connection.execute("ALTER TABLE api_keys RENAME TO gone")
        try:
            lines = (f"authorization: Bearer sk-{canary}-{'2' * 24}", f"x: {canary}")
            raw = json.dumps(prompt(canary)).encode()
            answer = await aviary.ask(request(f"{CHAT}?q={canary}", raw, *lines))
        finally:
            connection.execute("ALTER TABLE gone RENAME TO api_keys")
    assert answer.status == 503, answer.body
    await aviary.assert_no_trace()


async def test_s0_privacy_a_poisoned_row_and_a_kill_leave_no_trace(aviary: Aviary):
    """The database refuses the usage row of a call, then the process dies with its hold."""
    canary = aviary.canary()
    trigger = "CREATE TRIGGER poison BEFORE INSERT ON usage BEGIN SELECT RAISE(ABORT, 'no'); END"
    _execute(aviary, trigger)
    for stream in STREAM:
        answer = await aviary.call(prompt(canary, stream=stream, fake={"text": canary}))
        assert answer.status == 503 or b"stream_broken" in answer.body, answer.body
    await aviary.assert_no_trace()
    await asyncio.to_thread(aviary.gateway.kill)
    _execute(aviary, "DROP TRIGGER poison")
    await _rise(aviary)


async def test_s0_privacy_a_kill_in_the_middle_leaves_no_trace(aviary: Aviary):
    canary = aviary.canary()
    fake = {"text": f"{canary} " * 200, "event_delay_ms": 20}
    raw = json.dumps(prompt(canary, stream=True, fake=fake)).encode()
    client = await aviary.connect()
    client.send(request(CHAT, raw, f"authorization: Bearer {aviary.key}"))
    await client.reader.readuntil(canary.encode())
    calling = asyncio.create_task(aviary.call(prompt(canary, fake={"delay_ms": 5_000})))
    async with asyncio.timeout(20):
        while len(aviary.gateway.rows("SELECT 1 FROM hold")) < 2:
            await asyncio.sleep(0.01)
    await asyncio.to_thread(aviary.gateway.kill)
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        await calling
    await _rise(aviary)


async def _rise(aviary: Aviary) -> None:
    """Search what a dead process left, start another one, and search again."""
    aviary.assert_no_trace_on_disk()
    await asyncio.to_thread(aviary.gateway.start)
    aviary.gateway.wait_settled()
    assert aviary.gateway.rows("SELECT 1 FROM usage WHERE end_state = 'reclaimed'")
    await aviary.assert_no_trace()


def _execute(aviary: Aviary, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(aviary.gateway.database)) as connection:
        connection.execute(statement)
        connection.commit()
