"""Owns a small real HTTP server on loopback that takes inserts as ClickHouse does, and can fail.

It knows the table of docs/export.md alone: what has another type there is refused, as a row of a
deduplicated batch is dropped. `Fate` says what becomes of the next inserts.
"""

import asyncio
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

PAGE = Path(__file__).resolve().parents[2] / "docs" / "export.md"
_COLUMN = re.compile(r"^    (\w+) ((?:Nullable\()?[A-Z]\w*)", re.MULTILINE)
_TOKENS_KEPT = 1000


class Fate(Enum):
    """What becomes of an insert."""

    STORED = auto()
    REFUSED = auto()  # an error before anything is stored
    LOST_BEFORE = auto()  # the connection breaks before
    LOST_AFTER = auto()  # the rows are stored and the answer is lost
    FAILED_AFTER = auto()  # the rows are stored and the answer is an error
    SILENT_BEFORE = auto()  # no answer until the client leaves
    SILENT_AFTER = auto()


_BEFORE = {Fate.REFUSED, Fate.LOST_BEFORE, Fate.SILENT_BEFORE}


def columns() -> dict[str, str]:
    """Return names and types of the documented table, Nullable( in front where there may be none."""
    (statement,) = re.findall(r"CREATE TABLE usage \((.*?)\n\)", PAGE.read_text(), re.DOTALL)
    return dict(_COLUMN.findall(statement))


@dataclass
class ClickHouse:
    """The table as it is stored, what was asked, and what becomes of the next inserts."""

    fates: list[Fate] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    password: str = "pass word"
    port: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://gate:pass%20word@127.0.0.1:{self.port}/?database=house"

    def final(self) -> dict[str, dict[str, Any]]:
        """Return what SELECT … FINAL gives: of each call the row of the highest version."""
        newest: dict[str, dict[str, Any]] = {}
        for row in self.rows:
            old = newest.get(row["tid"])
            if old is None or row["version"] >= old["version"]:
                newest[row["tid"]] = row
        return newest

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._exchange(reader, writer)
        finally:
            writer.transport.abort()
            # The loop closes the socket in its next turn.
            await asyncio.sleep(0)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(re.findall(r"(?i)content-length: (\d+)", head)[0])
        body = await reader.readexactly(length)
        self.heads.append(head)
        self.reached.set()
        fate = self.fates.pop(0) if self.fates else Fate.STORED
        status, code = (500, 241) if fate is Fate.REFUSED else (200, 0)
        if fate not in _BEFORE:
            status, code = self._insert(head, body)
        if fate is Fate.FAILED_AFTER:
            status, code = 500, 159
        if fate in {Fate.LOST_BEFORE, Fate.LOST_AFTER}:
            return
        if fate in {Fate.SILENT_BEFORE, Fate.SILENT_AFTER}:
            await reader.read()
            return
        extra = f"X-ClickHouse-Exception-Code: {code}\r\n" if code else ""
        text = b"Code: CANARY of the rows" if code else b""
        writer.write(
            f"HTTP/1.1 {status} Status\r\n{extra}content-length: {len(text)}\r\n\r\n".encode()
            + text
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def _insert(self, head: str, body: bytes) -> tuple[int, int]:
        pair = b64encode(f"gate:{self.password}".encode()).decode()
        if f"authorization: Basic {pair}".lower() not in head.lower():
            return 403, 516
        asked = parse_qs(head.split(" ")[1].partition("?")[2])
        self.queries.append(asked)
        if asked["query"] != ["INSERT INTO usage FORMAT JSONEachRow"]:
            return 404, 60
        rows = [json.loads(line) for line in body.splitlines()]
        types = columns()
        for row in rows:
            if not all(_fits(types.get(name, ""), value) for name, value in row.items()):
                return 400, 53
        (token,) = asked["insert_deduplication_token"]
        if token not in self.tokens[-_TOKENS_KEPT:]:
            self.tokens.append(token)
            self.rows += rows
        return 200, 0


def _fits(type_: str, value: Any) -> bool:
    if value is None:
        return type_.startswith("Nullable(")
    match type_.removeprefix("Nullable("):
        case "Int64" | "Int32" | "UInt64":
            return type(value) is int
        case "Bool":
            return type(value) is bool
        case "Decimal":
            return Decimal(value).as_tuple().exponent >= -9 and isinstance(value, str)
        case "DateTime64":
            return datetime.fromisoformat(value).utcoffset() is not None
        case "String" | "FixedString" | "LowCardinality":
            return isinstance(value, str)
    return False


class Running:
    """The server's door, which can be shut and opened again on the same port."""

    def __init__(self, house: ClickHouse) -> None:
        self.house = house
        self._exchanges: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; on the port of before when there was one."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.house.port)
        self.house.port = self._listener.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Die: nobody listens, and what runs breaks off."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for exchange in self._exchanges:
            exchange.cancel()
        await asyncio.gather(*self._exchanges, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = asyncio.current_task()
        assert exchange is not None
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)
        await self.house.serve(reader, writer)


@asynccontextmanager
async def clickhouse(**behaviour: Any) -> AsyncIterator[Running]:
    """Run one on a free port; every exchange is over when this is left."""
    running = Running(ClickHouse(**behaviour))
    await running.open()
    try:
        yield running
    finally:
        await running.shut()
