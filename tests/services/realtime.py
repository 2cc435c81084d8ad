"""Owns a pretend realtime vendor for tests: a real WebSocket server that plays a few roles.

It answers `response.create` as its `roles` say, one after the other, the last for ever, and keeps
what it was sent.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.services.gateway import KEY, Gateway

MODEL = "gpt-realtime-test"
# Audio out is the dearest; a million text tokens in cost $4.
CATALOGUE = """
[site]
allow_private_upstreams = true

[[model]]
name = "gpt-realtime-test"
context = 32000
max_output = 4096
input = "4.00"
cache_read = "0.40"
output = "16.00"
audio_input = "32.00"
audio_output = "64.00"
image_input = "5.00"

[[channel]]
name = "voice"
platform = "openai"
models = ["gpt-realtime-test"]
multiplier = "0.5"
{limits}

[[channel.account]]
name = "one"
base_url = "{vendor}"
secret = "vendor-secret"

[[channel]]
name = "other"
platform = "openai"
surfaces = ["chat"]
models = ["gpt-realtime-test"]
[[channel.account]]
name = "two"
base_url = "{vendor}"
secret = "vendor-secret"

[[user]]
email = "user@example.com"
credit = "{credit}"

[[user.key]]
name = "key"
secret = "{key}"
channel = "voice"

[[user.key]]
name = "elsewhere"
secret = "{elsewhere}"
channel = "other"
"""
ELSEWHERE = "sk-elsewhere-0123456789-0123456789-01234"


def catalogue(vendor: str, *, credit: str = "20.00", limits: str = "") -> str:
    """Return a configuration that sells realtime sessions at half the list price."""
    return CATALOGUE.format(
        vendor=vendor, credit=credit, limits=limits, key=KEY, elsewhere=ELSEWHERE
    )


def usage(number: int) -> dict[str, Any]:
    """Return the usage of the response of that number, every kind of token in it."""
    text, audio, image, cached_text, cached_audio = 100 + number, 200 + number, 10, 50, 60
    out_text, out_audio = 20 + number, 300 + number
    return {
        "total_tokens": text + audio + image + out_text + out_audio,
        "input_tokens": text + audio + image,
        "output_tokens": out_text + out_audio,
        "input_token_details": {
            "text_tokens": text,
            "audio_tokens": audio,
            "image_tokens": image,
            "cached_tokens": cached_text + cached_audio,
            "cached_tokens_details": {
                "text_tokens": cached_text,
                "audio_tokens": cached_audio,
                "image_tokens": 0,
            },
        },
        "output_token_details": {"text_tokens": out_text, "audio_tokens": out_audio},
    }


TRANSCRIPTION = {
    "type": "tokens",
    "total_tokens": 17,
    "input_tokens": 14,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
    "output_tokens": 3,
}


def buckets(responses: int, transcriptions: int = 0) -> dict[str, int]:
    """Return what the first so many responses and transcriptions come to, bucket by bucket."""
    numbers = range(responses)
    return {
        "input": sum(50 + n for n in numbers) + 4 * transcriptions,
        "cache_read": 110 * responses,
        "audio_input": sum(140 + n for n in numbers) + 10 * transcriptions,
        "image_input": 10 * responses,
        "output": sum(20 + n for n in numbers) + 3 * transcriptions,
        "audio_output": sum(300 + n for n in numbers),
    }


def price_of(counts: Mapping[str, int]) -> int:
    """Return the charge for counts in nano-dollars, worked out apart from the product: half of
    thousandths of a dollar a thousand tokens, rounded up."""
    tenths = {
        "input": 40,
        "cache_read": 4,
        "output": 160,
        "audio_input": 320,
        "audio_output": 640,
        "image_input": 50,
    }
    # $1 a million tokens is 1,000 nano-dollars a token; a tenth of that is 100; the half is 50.
    return sum(count * tenths[name] for name, count in counts.items()) * 50


class FakeRealtime:
    """The vendor. `roles`: whole, held, mute, cut_before, cut_within, close, no_usage, transcribed."""

    def __init__(self) -> None:
        self._server: Server | None = None
        self.forget()

    def forget(self) -> None:
        """Begin anew: whole responses, counted from the first."""
        self.roles: list[str] = ["whole"]
        self.refuse: tuple[int, bytes] | None = None
        self.requests: list[Request] = []
        self.heard: list[dict[str, Any]] = []
        self.closed: list[int | None] = []
        self.deltas = 3
        self._number = 0

    async def start(self) -> str:
        """Listen and return the base URL."""
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._judge,
            compression=None,
            max_size=1 << 25,
        )
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Close every connection."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _judge(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        if self.refuse is None:
            return None
        status, body = self.refuse
        return connection.respond(status, body.decode())

    async def _serve(self, connection: ServerConnection) -> None:
        running: list[str] = []
        await _tell(connection, type="session.created", session={"model": MODEL})
        try:
            async for message in connection:
                event = json.loads(message)
                self.heard.append(event)
                if event["type"] == "response.create":
                    await self._respond(connection, running)
                elif event["type"] == "response.cancel":
                    await self._cancel(connection, running, event)
                else:
                    await _tell(connection, type="echo", of=event)
        except ConnectionClosed:
            pass
        self.closed.append(connection.close_code)

    async def _respond(self, connection: ServerConnection, running: list[str]) -> None:
        role = self.roles.pop(0) if len(self.roles) > 1 else self.roles[0]
        if role == "cut_before":
            connection.transport.abort()
            return
        number, self._number = self._number, self._number + 1
        name = f"resp_{number}"
        await _tell(connection, type="response.created", response={"id": name})
        for _ in range(self.deltas):
            await _tell(connection, type="response.output_audio.delta", delta="A" * 400)
        if role == "cut_within":
            connection.transport.abort()
        elif role == "held":
            running.append(name)
        elif role == "close":
            await connection.close(4001, "gone home")
        elif role != "mute":
            if role == "transcribed":
                await _transcription(connection, number)
            await _done(connection, name, None if role == "no_usage" else usage(number))

    async def _cancel(
        self, connection: ServerConnection, running: list[str], event: dict[str, Any]
    ) -> None:
        name = event.get("response_id") or (running[0] if running else "")
        if name in running:
            running.remove(name)
            await _done(connection, name, usage(int(name[5:])), status="cancelled")
        else:
            error = {
                "type": "invalid_request_error",
                "code": "response_cancel_not_active",
                "message": "none",
                "event_id": event.get("event_id"),
            }
            await _tell(connection, type="error", error=error)


async def _tell(connection: ServerConnection, **event: Any) -> None:
    with contextlib.suppress(ConnectionClosed):
        await connection.send(json.dumps({"event_id": "event_1", **event}))


async def _done(
    connection: ServerConnection, name: str, used: Any, *, status: str = "completed"
) -> None:
    words = [{"type": "message", "content": [{"type": "output_audio", "transcript": "a" * 40}]}]
    response = {"id": name, "status": status, "usage": used, "output": words}
    await _tell(connection, type="response.done", response=response)


async def _transcription(connection: ServerConnection, number: int) -> None:
    await _tell(
        connection,
        type="conversation.item.input_audio_transcription.completed",
        item_id=f"item_{number}",
        content_index=0,
        transcript="hi",
        usage=TRANSCRIPTION,
    )


@asynccontextmanager
async def talking(
    folder: Path, *, credit: str = "20.00", limits: str = "", **environ: str
) -> AsyncIterator[tuple[Gateway, FakeRealtime]]:
    """Yield a serving gateway that sells sessions of a pretend vendor; its books must be right."""
    fake = FakeRealtime()
    vendor = await fake.start()
    gateway = Gateway(folder, environ)
    try:
        text = catalogue(vendor, credit=credit, limits=limits)
        await asyncio.to_thread(gateway.apply, text)
        await asyncio.to_thread(gateway.start)
        yield gateway, fake
        await asyncio.to_thread(gateway.stop)
        await asyncio.to_thread(gateway.verify)
    finally:
        await asyncio.to_thread(gateway.stop)
        await fake.stop()
