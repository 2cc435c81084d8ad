"""Proof of the composition root: what cannot serve says why, and a served process ends in order."""

import asyncio
import contextlib
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.services.gateway import KEY, chat, frames, running
from tollbridge.app import CannotServe
from tollbridge.core.own_secrets import open_secrets
from tollbridge.core.secrets import SecretsError
from tollbridge.core.settings import Settings
from tollbridge.storage.disk import DatabaseInUse, DatabaseLock

LONG_STREAM = chat(stream=True, fake={"tokens": 40, "event_delay_ms": 50, "prompt_tokens": 11})


def settings_of(folder: Path, **values) -> Settings:
    return Settings(
        **{
            "database": f"sqlite:///{folder}/data/t.db",
            "port": 0,
            "min_free_disk_bytes": 0,
            **values,
        }
    )


def test_a_shared_database_wants_its_keys_and_its_schema(tmp_path, postgres_url):
    missing = settings_of(tmp_path, database=postgres_url, key_file=str(tmp_path / "k" / "keys"))
    with pytest.raises(SecretsError, match="is missing"):
        refused(missing)
    assert list(tmp_path.iterdir()) == []
    open_secrets(missing)
    with pytest.raises(CannotServe, match="run tollbridge migrate"):
        refused(missing)


def test_an_address_in_use_is_named_before_the_database_is_made(tmp_path):
    settings = settings_of(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotServe, match=f"cannot serve at 127.0.0.1:{port}: Address already"):
            refused(settings_of(tmp_path, port=port))
    assert not settings.sqlite_path.exists()


def refused(settings):
    """Serve where it cannot work, without touching this process's logging."""
    from tollbridge.app import _serve

    asyncio.run(_serve(settings, None))


def test_a_file_that_is_no_database_is_named_as_such(tmp_path):
    settings = settings_of(tmp_path)
    settings.sqlite_path.parent.mkdir()
    settings.sqlite_path.write_bytes(b"not a database at all")
    with pytest.raises(CannotServe, match=r"^the database cannot be used: file is not a database$"):
        refused(settings)


def test_a_database_serves_one_process_at_a_time(tmp_path):
    settings = settings_of(tmp_path)
    settings.sqlite_path.parent.mkdir()
    lock = DatabaseLock(settings.sqlite_path)
    lock.take()
    try:
        with pytest.raises(DatabaseInUse):
            refused(settings)
    finally:
        lock.release()


async def test_a_served_process_answers_counts_and_ends_politely(tmp_path):
    async with running(tmp_path) as (gateway, _), gateway.client() as client:
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": []})
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.post("/v1/chat/completions", json=chat())).status_code == 200
        metrics = (await client.get("/metrics")).text
        assert 'tollbridge_requests_total{outcome="complete",surface="chat"} 1.0' in metrics
        assert "tollbridge_holds_open 0.0" in metrics
        assert "tollbridge_streams_open 0.0" in metrics
        log = gateway.log.read_text()
        assert f"tollbridge serves at {gateway.url}" in log
        assert await asyncio.to_thread(gateway.stop) == 0
        log = gateway.log.read_text()
        assert "Traceback" not in log
        assert "hello" not in log
        # What the writer queued is in the file, and the file is free again.
        assert len(gateway.rows("SELECT 1 FROM usage WHERE end_state = 'complete'")) == 1
        with contextlib.closing(sqlite3.connect(gateway.database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        lock = DatabaseLock(gateway.database)
        lock.take()
        lock.release()


async def test_metrics_show_what_runs_now(tmp_path):
    async with (
        running(tmp_path) as (gateway, _),
        gateway.client() as client,
        client.stream("POST", "/v1/chat/completions", json=LONG_STREAM) as reply,
    ):
        pieces = reply.aiter_raw()
        assert await anext(pieces)
        metrics = (await client.get("/metrics")).text
        assert "tollbridge_holds_open 1.0" in metrics
        assert "tollbridge_streams_open 1.0" in metrics
        async for _ in pieces:
            pass


async def test_a_stream_that_runs_when_the_process_is_told_to_end_comes_to_its_end(tmp_path):
    async with running(tmp_path) as (gateway, _), gateway.client() as client:
        async with client.stream("POST", "/v1/chat/completions", json=LONG_STREAM) as reply:
            body = b""
            async for piece in reply.aiter_raw():
                if not body:
                    ending = asyncio.create_task(asyncio.to_thread(gateway.stop))
                body += piece
        assert list(frames(body))[-1] == b"[DONE]"
        assert await ending == 0
        with pytest.raises(httpx2.TransportError):
            await client.get("/healthz")
        row = gateway.rows("SELECT end_state, output FROM usage")[0]
        assert (row["end_state"], row["output"]) == ("complete", 40)
        await asyncio.to_thread(gateway.verify)


async def test_a_call_beyond_the_grace_is_not_waited_for_and_the_books_stay_right(tmp_path):
    environ = {"TOLLBRIDGE_SHUTDOWN_GRACE_S": "1"}
    endless = chat(stream=True, fake={"tokens": 10_000, "event_delay_ms": 20})
    async with running(tmp_path, environ=environ) as (gateway, _), gateway.client() as client:
        with contextlib.suppress(httpx2.TransportError):
            async with client.stream("POST", "/v1/chat/completions", json=endless) as reply:
                async for _ in reply.aiter_raw():
                    break
                status = await asyncio.to_thread(gateway.stop)
        assert status == 0
        await asyncio.to_thread(gateway.start)
        await asyncio.to_thread(gateway.verify)
        row = gateway.rows("SELECT end_state, charge FROM usage")[0]
        # The customer has read a part of the answer, so it is not for nothing.
        assert row["end_state"] in {"partial", "client_gone", "reclaimed"}
        assert row["charge"] > 0


async def test_a_call_that_is_on_its_way_when_the_process_ends_is_served(tmp_path):
    body = json.dumps(chat()).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    async with running(tmp_path) as (gateway, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        # A first call, so that the key and the way to the vendor are known.
        writer.write(head + body)
        first = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", first)
        await reader.readexactly(int(length[1]))
        writer.write(head + body[:10])
        await writer.drain()
        # Nobody tells that half a call was read; a busy machine takes its time.
        await asyncio.sleep(1)
        gateway.process.send_signal(signal.SIGTERM)
        while "Shutting down" not in gateway.log.read_text():
            await asyncio.sleep(0.02)
        writer.write(body[10:])
        last = await reader.read()
        assert last.startswith(b"HTTP/1.1 200"), last[:200]
        writer.close()
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0
        await asyncio.to_thread(gateway.start)


async def test_a_second_interrupt_does_not_wait_for_calls(tmp_path):
    endless = chat(stream=True, fake={"tokens": 10_000, "event_delay_ms": 20})
    async with running(tmp_path) as (gateway, _), gateway.client() as client:
        process = gateway.process
        with contextlib.suppress(httpx2.TransportError):
            async with client.stream("POST", "/v1/chat/completions", json=endless) as reply:
                pieces = reply.aiter_raw()
                await anext(pieces)
                process.send_signal(signal.SIGINT)
                while "Waiting for" not in gateway.log.read_text():
                    await asyncio.sleep(0.02)
                process.send_signal(signal.SIGINT)
                assert await asyncio.to_thread(process.wait, 30) == 0
        await asyncio.to_thread(gateway.start)
        await asyncio.to_thread(gateway.verify)


def test_port_zero_is_told_as_the_port_it_became(tmp_path):
    words = ("serve", "--port", "0", "--database", f"sqlite:///{tmp_path}/data/t.db")
    with subprocess.Popen(
        [sys.executable, "-m", "tollbridge.cli", *words], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            line = next(line for line in process.stderr if "serves at" in line)
            url = line.rpartition(" ")[2].strip()
            assert not url.endswith(":0")
            assert httpx2.get(f"{url}/healthz", trust_env=False).status_code == 200
        finally:
            process.terminate()
            process.stderr.read()
        assert process.wait(30) == 0
