"""Owns the answer of the ASGI half to HTTP/1.0, which knows no chunks: its end is the close.

Must not know what is answered.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


def close_delimited(cycle: RequestResponseCycle, app: Any) -> Any:
    """Wrap an ASGI app so that an answer without content-length is not sent in chunks."""

    async def run(scope: Any, receive: Any, send: Any) -> None:
        unsized = False

        async def plain(message: Any) -> None:
            nonlocal unsized
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message.get("headers", ())}
                unsized = b"content-length" not in names
                if unsized:
                    cycle.chunked_encoding = False
            elif unsized:
                # The cycle checks what it counts; without an announced length any is right.
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, plain)

    return run
