"""Owns which application a request of the API is for, by the beginning of its path.

Those of the control plane are loaded when somebody first asks one: a gateway that only relays does
without them. Must not know what they answer.
"""

from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ADMIN: Final = "/api/admin"
OWN: Final = "/api/user"
_PRIVATE = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class Divided:
    """Sends what is under the prefix of an application to it, and all the rest to another.

    Nobody on the way keeps an answer of the control plane.
    """

    def __init__(self, planes: Mapping[str, ASGIApp], others: ASGIApp) -> None:
        self._planes = planes
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        prefix = "/".join(scope.get("path", "").split("/", 3)[:3])
        plane = self._planes.get(prefix)
        if plane is None:
            await self._others(scope, receive, send)
        else:
            await plane(scope, receive, _private(send))


def _private(send: Send) -> Send:
    async def private(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_PRIVATE]}
        await send(message)

    return private
