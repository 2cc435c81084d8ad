"""Owns the pauses of the worker's loops: they end early when there is something to do, or the end."""

import asyncio
import contextlib


class Bell:
    """Ends pauses: `ring` the one that runs or the next one, `close` all of them for good."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.closed = False

    def ring(self) -> None:
        """There is something to do now."""
        self._event.set()

    def close(self) -> None:
        """The loop shall end."""
        self.closed = True
        self._event.set()

    async def pause(self, seconds: float | None) -> bool:
        """Wait for so long (None: until it rings); return whether the loop goes on."""
        if not self.closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._event.wait()
            self._event.clear()
        return not self.closed
