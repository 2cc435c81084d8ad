"""Owns putting an application off until somebody asks it: a gateway that only relays loads no pages.

They take a tenth of the memory of an idle process. Must not know which pages there are.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

SEGMENTS: Final = frozenset(
    {"", "backoffice", "console", "docs", "legal", "prove", "reset", "setup", "sign-in"}
    | {"sign-out", "sign-up", "static", "status", "status.json", "verify"}
)
"""What the paths of pages begin with; a test holds it against the pages."""


class LazyApp:
    """An application that is made when the first request comes.

    `load` imports what it needs and returns what makes it. That runs on the loop: a framework that
    makes routes switches the warnings of the whole process off and on, which no thread may do.
    """

    def __init__(self, load: Callable[[], Callable[[], ASGIApp]]) -> None:
        self._load = load
        self._built: ASGIApp | None = None
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._built is None:
            async with self._turn:
                if self._built is None:
                    # Most of the time goes into imports; calls that run meanwhile do not wait for it.
                    make = await asyncio.to_thread(self._load)
                    self._built = make()
        await self._built(scope, receive, send)
