"""Owns which account has what a call made at its vendor, for as long as somebody may go on from it.

A mark stands for the thing and its owner and tells nothing of either. What is not known here is
nobody's. Must not know what is bound. This store is one process's own; `bindings_redis` shares.
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Protocol

KEEP_S = 3_600
"""How long a binding outlives its last use."""
_MOST = 100_000


class Bindings(Protocol):
    """A store of bindings. None of its methods ever fails: what cannot be asked is not known."""

    async def account(self, mark: bytes) -> int | None:
        """Return the account behind a mark and keep the binding for longer; None when unknown."""

    async def bind(self, mark: bytes, account_id: int) -> None:
        """Remember an account."""

    async def release(self, mark: bytes) -> None:
        """Forget a binding."""

    async def stop(self) -> None:
        """Let go of everything."""


class MemoryBindings:
    """Bindings of this process; of too many, those go that were not used for the longest time."""

    def __init__(
        self, most: int = _MOST, keep_s: float = KEEP_S, clock: Callable[[], float] = monotonic
    ) -> None:
        """`clock` returns seconds."""
        self._most = most
        self._keep_s = keep_s
        self._clock = clock
        # In the order of their last use, which is that of their ends too.
        self._bound: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    async def account(self, mark: bytes) -> int | None:
        """Return the account behind a mark; None when it is unknown or was not used for too long."""
        found = self._bound.get(mark)
        if found is None:
            return None
        account_id, until = found
        if until <= self._clock():
            del self._bound[mark]
            return None
        self._keep(mark, account_id)
        return account_id

    async def bind(self, mark: bytes, account_id: int) -> None:
        """Remember an account."""
        self._keep(mark, account_id)

    async def release(self, mark: bytes) -> None:
        """Forget a binding."""
        self._bound.pop(mark, None)

    async def stop(self) -> None:
        """Forget everything."""
        self._bound.clear()

    def _keep(self, mark: bytes, account_id: int) -> None:
        now, bound = self._clock(), self._bound
        bound[mark] = account_id, now + self._keep_s
        bound.move_to_end(mark)
        while len(bound) > self._most or next(iter(bound.values()))[1] <= now:
            bound.popitem(last=False)
