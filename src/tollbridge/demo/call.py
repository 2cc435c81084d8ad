"""Owns the demonstration's calls: what is sent, how answers and receipts are read.

It sees the gateway as a customer does, over HTTP alone. It must not know of processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx2
import msgspec

from tollbridge.core.money import parse_usd
from tollbridge.demo.scene import MODEL, SMALL_MODEL

_DATA = b"data: "
_DONE = b"[DONE]"
_UNITS = {"per_million_tokens": "a million", "each": "each"}


class CallFailed(RuntimeError):
    """The gateway did not answer as it should; the text has status and error message."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One call to make."""

    title: str
    path: str
    body: Mapping[str, object]

    @property
    def streamed(self) -> bool:
        """Whether the answer comes as a stream."""
        return bool(self.body.get("stream"))


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
    """Return one unary and one streamed call for each surface that this version serves."""
    question = [{"role": "user", "content": "Who are you, and what does this cost me?"}]
    chat = {"model": MODEL, "messages": question}
    legacy = {"model": SMALL_MODEL, "prompt": "Once upon a time", "max_tokens": 40}
    return (
        Sample("Chat Completions", "/v1/chat/completions", chat),
        Sample("Chat Completions, streamed", "/v1/chat/completions", {**chat, "stream": True}),
        Sample("Completions", "/v1/completions", legacy),
        Sample("Completions, streamed", "/v1/completions", {**legacy, "stream": True}),
    )


async def make(client: httpx2.AsyncClient, sample: Sample) -> Outcome:
    """Make a call and read its answer to the end; CallFailed when it is not a whole 200."""
    async with client.stream("POST", sample.path, json=dict(sample.body)) as reply:
        body = await reply.aread()
    if reply.status_code != httpx2.codes.OK:
        raise CallFailed(f"{sample.title}: {_error(reply.status_code, body)}")
    text, events = _streamed(body) if sample.streamed else (_text(body), 1)
    tid = reply.headers.get("x-request-id", "")
    cost = reply.headers.get("x-tollbridge-cost")
    return Outcome(text, tid, None if cost is None else parse_usd(cost), events)


async def balance(client: httpx2.AsyncClient) -> int:
    """Return what is in the wallet in nano-dollars, calls still running not yet subtracted."""
    return read_balance(await _fetch(client, "/v1/balance"))


async def receipt(client: httpx2.AsyncClient, tid: str) -> Receipt:
    """Return the receipt of a call; CallFailed when there is none."""
    return read_receipt(await _fetch(client, f"/v1/receipts/{tid}"))


async def _fetch(client: httpx2.AsyncClient, path: str) -> bytes:
    reply = await client.get(path)
    if reply.status_code != httpx2.codes.OK:
        raise CallFailed(f"GET {path}: {_error(reply.status_code, reply.content)}")
    return reply.content


def _streamed(body: bytes) -> tuple[str, int]:
    """Return the text and the number of events of a stream; CallFailed when its end is missing."""
    lines = [line for line in body.split(b"\n") if line.startswith(_DATA)]
    datas = [line.removeprefix(_DATA) for line in lines]
    if not datas or datas[-1] != _DONE:
        raise CallFailed("the stream has no end")
    return "".join(_text(data) for data in datas[:-1]), len(datas)


class _Part(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Part = msgspec.field(default_factory=_Part)
    delta: _Part = msgspec.field(default_factory=_Part)
    text: str = ""


class _Answer(msgspec.Struct):
    choices: list[_Choice] = []


def _text(data: bytes) -> str:
    try:
        choices = msgspec.json.decode(data, type=_Answer).choices
    except msgspec.MsgspecError as error:
        raise CallFailed(f"the answer cannot be read: {error}") from None
    return "".join((one.message.content or one.delta.content or one.text) for one in choices)


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
