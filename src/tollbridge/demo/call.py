"""Owns the demonstration's calls: what is sent, how balances and receipts are read.

It sees the gateway as a customer does, over HTTP alone. It must not know of processes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx2
import msgspec

from tollbridge.core.money import parse_usd
from tollbridge.demo import said
from tollbridge.demo.said import Said, Unreadable
from tollbridge.demo.scene import CLAUDE, EMBEDDING, GEMINI, IMAGE, MODEL, SMALL_MODEL, VOICE

_UNITS = {"per_million_tokens": "a million", "each": "each"}
_BEARER, _ANTHROPIC, _GOOGLE = "authorization", "x-api-key", "x-goog-api-key"
_CHAT, _RESPONSES, _MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
_QUESTION = "Who are you, and what does this cost me?"


class CallFailed(RuntimeError):
    """The gateway did not answer as it should; the text has status and error message."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One call to make. `read` reads its answer; `place` is the header that its SDK puts a key in."""

    title: str
    path: str
    body: Mapping[str, object]
    read: Callable[[bytes], Said]
    place: str = _BEARER


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back; `cost` in nano-dollars as the reply's header tells it, None on streams."""

    text: str
    tid: str
    cost: int | None
    events: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one call cost in nano-dollars, and the arithmetic as lines to read."""

    charge: int
    lines: tuple[str, ...]


def samples() -> tuple[Sample, ...]:
    """Return a call for each surface, and two whose account speaks another protocol."""
    return (*_openai(), *_others(), *_crossing(), *_media())


def _openai() -> tuple[Sample, ...]:
    chat = {"model": MODEL, "messages": _asking()}
    responses = {"model": MODEL, "input": _QUESTION}
    legacy = {"model": SMALL_MODEL, "prompt": "Once upon a time", "max_tokens": 40}
    return (
        Sample("Chat Completions", _CHAT, chat, said.chat),
        Sample("Chat Completions, streamed", _CHAT, {**chat, "stream": True}, said.chat_stream),
        Sample("Responses", _RESPONSES, responses, said.response),
        Sample(
            "Responses, streamed", _RESPONSES, {**responses, "stream": True}, said.response_stream
        ),
        Sample("Completions", "/v1/completions", legacy, said.completion),
    )


def _others() -> tuple[Sample, ...]:
    message = {"model": CLAUDE, "max_tokens": 200, "messages": _asking()}
    gemini = {"contents": [{"role": "user", "parts": [{"text": _QUESTION}]}]}
    path = f"/v1beta/models/{GEMINI}"
    return (
        Sample("Messages", _MESSAGES, message, said.message, _ANTHROPIC),
        Sample(
            "Messages, streamed",
            _MESSAGES,
            {**message, "stream": True},
            said.message_stream,
            _ANTHROPIC,
        ),
        Sample("Gemini", f"{path}:generateContent", gemini, said.gemini, _GOOGLE),
        Sample(
            "Gemini, streamed",
            f"{path}:streamGenerateContent?alt=sse",
            gemini,
            said.gemini_stream,
            _GOOGLE,
        ),
    )


def _crossing() -> tuple[Sample, ...]:
    chat = {"model": CLAUDE, "messages": _asking(), "stream": True}
    message = {"model": MODEL, "max_tokens": 200, "messages": _asking()}
    return (
        Sample("Chat Completions at Anthropic, streamed", _CHAT, chat, said.chat_stream),
        Sample("Messages at OpenAI", _MESSAGES, message, said.message, _ANTHROPIC),
    )


def _media() -> tuple[Sample, ...]:
    spoken = {"model": VOICE, "voice": "alloy", "input": "Every word here has its price."}
    drawn = {"model": IMAGE, "prompt": "A toll bridge at dawn", "response_format": "b64_json"}
    return (
        Sample(
            "Embeddings", "/v1/embeddings", {"model": EMBEDDING, "input": _QUESTION}, said.vector
        ),
        Sample("Images", "/v1/images/generations", drawn, said.image),
        Sample("Speech", "/v1/audio/speech", spoken, said.sound),
    )


def _asking() -> list[dict[str, str]]:
    return [{"role": "user", "content": _QUESTION}]


async def make(client: httpx2.AsyncClient, sample: Sample, secret: str) -> Outcome:
    """Make a call and read its answer to the end; CallFailed when it is not a whole 200."""
    headers = _headers(sample.place, secret)
    async with client.stream("POST", sample.path, json=dict(sample.body), headers=headers) as reply:
        body = await reply.aread()
    if reply.status_code != httpx2.codes.OK:
        raise CallFailed(f"{sample.title}: {_error(reply.status_code, body)}")
    try:
        text, events = sample.read(body)
    except Unreadable as error:
        raise CallFailed(f"{sample.title}: {error}") from None
    tid = reply.headers.get("x-request-id", "")
    cost = reply.headers.get("x-tollbridge-cost")
    return Outcome(text, tid, None if cost is None else parse_usd(cost), events)


async def balance(client: httpx2.AsyncClient, secret: str) -> int:
    """Return what is in the wallet in nano-dollars, calls still running not yet subtracted."""
    return read_balance(await _fetch(client, "/v1/balance", secret))


async def receipt(client: httpx2.AsyncClient, tid: str, secret: str) -> Receipt:
    """Return the receipt of a call; CallFailed when there is none."""
    return read_receipt(await _fetch(client, f"/v1/receipts/{tid}", secret))


def _headers(place: str, secret: str) -> dict[str, str]:
    """Return the headers with which the surface's own SDK says who asks."""
    if place == _BEARER:
        return {place: f"Bearer {secret}"}
    return {place: secret} | ({"anthropic-version": "2023-06-01"} if place == _ANTHROPIC else {})


async def _fetch(client: httpx2.AsyncClient, path: str, secret: str) -> bytes:
    reply = await client.get(path, headers=_headers(_BEARER, secret))
    if reply.status_code != httpx2.codes.OK:
        raise CallFailed(f"GET {path}: {_error(reply.status_code, reply.content)}")
    return reply.content


class _ErrorText(msgspec.Struct):
    message: str


class _ErrorBody(msgspec.Struct):
    error: _ErrorText


def _error(status: int, body: bytes) -> str:
    try:
        return f"{status} {msgspec.json.decode(body, type=_ErrorBody).error.message}"
    except msgspec.MsgspecError:
        return f"{status} without a readable error"


class _Balance(msgspec.Struct):
    balance: str


class _Line(msgspec.Struct):
    item: str
    count: int
    rate: str
    unit: str
    amount: str


class _Adjustment(msgspec.Struct):
    item: str
    amount: str


class _ReceiptBody(msgspec.Struct):
    charge: str
    lines: list[_Line]
    subtotal: str
    multiplier: str
    cost: str
    adjustments: list[_Adjustment] = []


def read_balance(body: bytes) -> int:
    """Return the balance in nano-dollars; CallFailed when it is not there."""
    try:
        return parse_usd(msgspec.json.decode(body, type=_Balance).balance)
    except (msgspec.MsgspecError, ValueError) as error:
        raise CallFailed(f"the balance cannot be read: {error}") from None


def read_receipt(body: bytes) -> Receipt:
    """Return charge and arithmetic of a receipt; CallFailed when they are not there."""
    try:
        found = msgspec.json.decode(body, type=_ReceiptBody)
        charge = parse_usd(found.charge)
    except (msgspec.MsgspecError, ValueError) as error:
        raise CallFailed(f"the receipt cannot be read: {error}") from None
    lines = [
        f"{line.count} {line.item} x ${line.rate} {_UNITS.get(line.unit, '')} = ${line.amount}"
        for line in found.lines
    ]
    lines.append(f"${found.subtotal} x {found.multiplier} (multiplier) = ${found.cost}, rounded up")
    lines += [f"{each.item} ${each.amount}" for each in found.adjustments]
    return Receipt(charge, tuple(lines))
