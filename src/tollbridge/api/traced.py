"""Owns the trace id of a request: made before anything else, on every answer as x-request-id.

Must not know what is asked or answered.
"""

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tollbridge.core.clock import new_tid

_HEADER = b"x-request-id"


class Traced:
    """Wraps an application so that `request.state.tid` exists and every answer carries it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        tid = new_tid()
        state: dict[str, Any] = scope.setdefault("state", {})
        state["tid"] = tid
        await self._app(scope, receive, _marking(send, tid))


def _marking(send: Send, tid: str) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [pair for pair in message.get("headers", ()) if pair[0] != _HEADER]
            message = {**message, "headers": [*headers, (_HEADER, tid.encode())]}
        await send(message)

    return marked
