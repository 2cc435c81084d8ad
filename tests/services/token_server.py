"""Owns a pretend token endpoint on loopback: real HTTP, rotating tokens, told how to fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl

import msgspec


class TokenServer:
    """Gives access tokens `access-N`, or so `named`, for the refresh token that is valid now, which it rotates.

    `asked` has the fields of each request. `answers` are used up first: (status, body) or, for None,
    a closed connection. While `gate` is clear nothing is answered.
    """

    def __init__(self, refresh: str = "refresh-0", *, named: str = "access") -> None:
        self.valid = refresh
        self.named = named
        self.lifetime_s = 3600
        self.asked: list[dict[str, str]] = []
        self.heads: list[str] = []
        self.answers: list[tuple[int, Any] | None] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.port = 0

    @property
    def url(self) -> str:
        """The token endpoint."""
        return f"http://127.0.0.1:{self.port}/oauth/token"

    @property
    def count(self) -> int:
        """How many refreshes were asked for."""
        return len(self.asked)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(
                line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
            )
            body = await reader.readexactly(int(headers["content-length"]))
            is_json = headers["content-type"] == "application/json"
            fields = msgspec.json.decode(body) if is_json else dict(parse_qsl(body.decode()))
            self.heads.append(head)
            self.asked.append(fields)
            await self.gate.wait()
            answer = self.answers.pop(0) if self.answers else self._answer(fields)
            if answer is not None:
                status, said = answer
                text = said if isinstance(said, bytes) else msgspec.json.encode(said)
                lines = f"HTTP/1.1 {status} It\r\ncontent-length: {len(text)}\r\n\r\n"
                writer.write(lines.encode() + text)
                await writer.drain()
        writer.close()

    def _answer(self, fields: dict[str, str]) -> tuple[int, Any]:
        if fields.get("refresh_token") != self.valid:
            return 400, {"error": "invalid_grant", "error_description": "CANARY"}
        said: dict[str, Any] = {
            "access_token": f"{self.named}-{self.count}",
            "expires_in": self.lifetime_s,
        }
        self.valid = said["refresh_token"] = f"refresh-{self.count}"
        return 200, said


@asynccontextmanager
async def token_server(refresh: str = "refresh-0", **values: Any) -> AsyncIterator[TokenServer]:
    """Yield a token endpoint that listens."""
    served = TokenServer(refresh, **values)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        served.gate.set()
        server.close()
        await server.wait_closed()
