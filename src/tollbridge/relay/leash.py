"""Owns how long a unary call may go on after its client has left."""

import asyncio


class Leash:
    """Watches the client of a unary call for the task that makes it.

    The upstream of a unary call bills in full, so the call is drained to its end, but not for
    longer than `cap_s` (money.md, end table): then the task is cancelled and `pulled` is set.
    """

    __slots__ = ("_cap_s", "_loop", "_task", "_timer", "pulled")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[None] | None, cap_s: float
    ) -> None:
        self._loop = loop
        self._cap_s = cap_s
        self._task = task
        self._timer: asyncio.TimerHandle | None = None
        self.pulled = False

    def client_gone(self) -> None:
        """Start to count."""
        if self._timer is None and self._task is not None:
            self._timer = self._loop.call_later(self._cap_s, self._pull)

    def client_slow(self) -> None:
        """Nothing is sent before the end."""

    def client_ready(self) -> None:
        """Nothing is sent before the end."""

    def loosen(self) -> None:
        """Stop counting: the call has its answer."""
        if self._timer is not None:
            self._timer.cancel()
        self._task = None

    def _pull(self) -> None:
        self.pulled = True
        if self._task is not None:
            self._task.cancel()
