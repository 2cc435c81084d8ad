"""A gateway that is nothing but its cash desk: fixed answers, and balances as a test sets them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"text":"hi"}]}\n\n'
_WHOLE = {"choices": [{"index": 0, "message": {"content": "hi"}, "text": "hi"}]}

_LINE = {"item": "input", "count": 4, "unit": "per_million_tokens", "rate": "2500.00"}
_RECEIPT = {
    "lines": [{**_LINE, "amount": "0.01"}],
    "subtotal": "0.01",
    "multiplier": "1.0",
    "cost": "0.01",
    "adjustments": [{"item": "not_charged", "amount": "-0.00"}],
}


@dataclass
class Till:
    """`balances` are told one after the other; all receipts say `charge`, all replies `cost`."""

    balances: list[str]
    charge: str = "0.01"
    cost: str = "0.01"
    url: str = ""
    paths: list[str] = field(default_factory=list)

    def answer(self, path: str, body: bytes) -> bytes:
        """Return the body for a path."""
        self.paths.append(path)
        if path == "/v1/balance":
            return json.dumps({"balance": self.balances.pop(0)}).encode()
        if path.startswith("/v1/receipts/"):
            return json.dumps({**_RECEIPT, "charge": self.charge}).encode()
        if json.loads(body).get("stream"):
            return _CHUNK + b"data: [DONE]\n\n"
        return json.dumps(_WHOLE).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one call and close."""
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode().lower().splitlines()
        lengths = [int(line[15:]) for line in lines if line.startswith("content-length:")]
        sent = await reader.readexactly(sum(lengths))
        body = self.answer(head.decode().split(" ")[1], sent)
        cost = "" if b'"stream"' in sent else f"x-tollbridge-cost: {self.cost}\r\n"
        reply = f"HTTP/1.1 200 OK\r\nconnection: close\r\nx-request-id: t1\r\n{cost}"
        writer.write(f"{reply}content-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def serving(till: Till) -> AsyncIterator[Till]:
    """Serve a till on a free port."""
    server = await asyncio.start_server(till.serve, "127.0.0.1", 0)
    till.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield till
    finally:
        server.close()
        await server.wait_closed()
