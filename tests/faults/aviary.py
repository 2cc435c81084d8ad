"""Owns a gateway whose every file lies in one folder, and the bodies that are full of canaries."""

import json
import os
import textwrap
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.edge.lane import Answer
from tests.faults.scanner import (
    Needles,
    digests,
    escaped,
    found_in,
    in_files,
    in_tables,
    new_canary,
    percented,
    spellings,
    written_elsewhere,
)
from tests.faults.till import CHAT, Till, request
from tests.services.gateway import KEY, Gateway, catalogue
from tollbridge.demo.fake_reply import Recording, recording
from tollbridge.demo.fake_upstream import FakeUpstream

_LEVEL = {"TOLLBRIDGE_LOG_LEVEL": "debug", "PYTHONASYNCIODEBUG": "1"}
SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}
_HEAD = {"object": "chat.completion.chunk", "created": 1, "model": "gpt-test"}
_USAGE = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}


@dataclass(repr=False)
class Aviary(Till):
    """A till that is watched for canaries: all are alike, so that one search finds any."""

    key: str = ""
    first: str = field(default_factory=new_canary)
    needles: Needles = field(default_factory=dict)
    tids: list[str] = field(default_factory=list)

    def canary(self) -> str:
        """Return a new canary."""
        return new_canary(self.first)

    async def call(self, body: bytes | Mapping[str, Any], *lines: str, path: str = CHAT) -> Answer:
        """Make a call with the key that is a canary itself."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await self.ask(request(path, raw, f"authorization: Bearer {self.key}", *lines))
        if tid := answer.headers.get("x-request-id"):
            self.tids.append(tid)
        return answer

    async def read(self, path: str, *, status: int = 200) -> Answer:
        """Read a page of the API."""
        line = f"authorization: Bearer {self.key}"
        answer = await self.ask(request(path, b"", line, method="GET"))
        assert answer.status == status, path
        return answer

    def assert_no_trace_on_disk(self) -> None:
        """Fail when a file or a table has a canary, or a file lies where nobody looks."""
        folder = self.gateway.folder
        assert in_files(folder, self.needles) == []
        assert in_tables(self.gateway.database, self.needles) == []
        if self.gateway.process is not None:
            assert written_elsewhere(self.gateway.process.pid, folder) == []

    async def assert_no_trace(self) -> None:
        """Fail when anything that outlives a call, or that operators are shown, has a canary."""
        self.assert_no_trace_on_disk()
        for path in ("/metrics", "/healthz", "/readyz", "/v1/balance", "/v1/models"):
            await self._assert_clean(path)
        settled = {row["tid"] for row in self.gateway.rows("SELECT tid FROM usage")}
        for tid in settled.intersection(self.tids):
            await self._assert_clean(f"/v1/receipts/{tid}")
        self.tids.clear()
        assert "debug" in self.gateway.log.read_text(), "the log must be at its most talkative"

    async def _assert_clean(self, path: str) -> None:
        answer = await self.read(path)
        shown = json.dumps(answer.headers).encode() + answer.body
        assert found_in(shown, self.needles) == [], path


@asynccontextmanager
async def open_aviary(folder: Path, start_up: str = "", **settings: str) -> AsyncIterator[Aviary]:
    """Run a gateway in a folder; `start_up` is what its process does before anything else."""
    places = {name: folder / name for name in ("tmp", "home", "start")}
    for place in places.values():
        place.mkdir(parents=True)
    paths = [str(places["start"]), os.environ.get("PYTHONPATH", "")]
    if start_up:
        (places["start"] / "sitecustomize.py").write_text(textwrap.dedent(start_up))
    environ = {
        **_LEVEL,
        **{f"TOLLBRIDGE_{name.upper()}": value for name, value in settings.items()},
        "TOLLBRIDGE_RESERVE_FILE_BYTES": "65536",
        "TMPDIR": str(places["tmp"]),
        "HOME": str(places["home"]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    fake = FakeUpstream()
    vendor = await fake.start()
    one = Aviary(Gateway(folder, environ), fake)
    secret = one.canary()
    one.key = f"sk-{one.canary()}-{'0' * 24}"
    one.needles = spellings(one.first) | digests(one.key) | digests(secret)
    text = catalogue(vendor, credit="500.00").replace(KEY, one.key)
    try:
        one.gateway.apply(text.replace("vendor-secret", secret))
        # It holds the secrets, as it must.
        (folder / "config.toml").unlink()
        one.gateway.start()
        yield one
    finally:
        one.cut()
        one.gateway.stop()
        await fake.stop()
    one.assert_no_trace_on_disk()


def prompt(canary: str, **fields: Any) -> dict[str, Any]:
    """Return a call that has a canary wherever a call can have one."""
    data = f"data:application/pdf;base64,{quote(canary)}"
    parts = [
        {"type": "text", "text": canary},
        {"type": "file", "file": {"filename": f"{canary}.pdf", "file_data": data}},
        {"type": "image_url", "image_url": {"url": f"https://example.com/{canary}?q={canary}"}},
    ]
    call = {"id": canary, "type": "function"}
    call["function"] = {"name": canary, "arguments": json.dumps({canary: canary})}  # type: ignore[assignment]
    schema = {"type": "object", "properties": {canary: {"type": "string", "enum": [canary]}}}
    tool = {"name": canary, "description": canary, "parameters": schema}
    return {
        "model": "gpt-test",
        "messages": [
            {"role": "system", "content": canary},
            {"role": "user", "name": canary, "content": parts},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": canary, "content": canary},
        ],
        "tools": [{"type": "function", "function": tool}],
        "metadata": {canary: canary},
        "stop": [canary],
        **dict.fromkeys(("user", "safety_identifier", "prompt_cache_key", canary), canary),
        **fields,
    }


def spelt(body: Mapping[str, Any], canary: str) -> dict[str, bytes]:
    """Return a body with its canaries in every spelling that a client may use."""
    raw = json.dumps(body)
    base64 = canary.encode("utf-16").hex()
    return {
        "plain": raw.encode(),
        "escaped": raw.replace(canary, escaped(canary)).encode(),
        "ESCAPED": raw.replace(canary, escaped(canary, upper=True)).encode(),
        "percented": raw.replace(canary, percented(canary)).encode(),
        "hexadecimal": raw.replace(canary, base64).encode(),
    }


def frame(value: Any, event: str = "") -> bytes:
    """Return one event of a stream."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {value if isinstance(value, str) else json.dumps(value)}\n\n".encode()


def chunk(delta: Mapping[str, Any], finish: str | None = None, **fields: Any) -> bytes:
    """Return one chunk of a stream of chat."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return frame({"id": "chatcmpl-1", **_HEAD, "choices": [choice], **fields})


def streamed(canary: str) -> Recording:
    """Return a stream that has a canary wherever an answer can have one."""
    function = {"name": canary, "arguments": json.dumps({canary: canary})}
    calls = [{"index": 0, "id": canary, "type": "function", "function": function}]
    chunks = [
        chunk({"role": "assistant", "content": ""}, id=canary, system_fingerprint=canary),
        chunk({"reasoning_content": canary}),
        chunk({"content": canary, "annotations": [{"file": canary}]}),
        chunk({"content": "plain"}),
        chunk({"tool_calls": calls}),
        chunk({}, "tool_calls"),
        frame({"id": canary, **_HEAD, "choices": [], "usage": _USAGE}),
        frame("[DONE]"),
    ]
    return recording(200, {**SSE, "x-echo": canary}, chunks)


def whole(canary: str) -> Recording:
    """Return the same as a whole answer."""
    function = {"name": canary, "arguments": json.dumps({canary: canary})}
    message = {"role": "assistant", "content": canary, "reasoning_content": canary}
    message["tool_calls"] = [{"id": canary, "type": "function", "function": function}]  # type: ignore[assignment]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    body = {"id": canary, **_HEAD, "system_fingerprint": canary, "choices": [choice]}
    return recording(
        200, {**JSON, "x-echo": canary}, [json.dumps({**body, "usage": _USAGE}).encode()]
    )
