"""Owns what every call reads and nobody writes but the composition root."""

from collections.abc import Callable

from tollbridge.catalog.snapshot import Snapshot
from tollbridge.notify.kinds import Kind
from tollbridge.relay.bound import Bound
from tollbridge.relay.tokens import Tokens


class World:
    """The present: the catalogue's snapshot, swapped whole, and whether the process is ending.

    `bound` knows who made which stored response at which account; `tokens` has what accounts that
    sign in are sent. `alarm` tells operators of a kind
    of trouble, its subject and detail, without waiting.
    """

    __slots__ = ("alarm", "bound", "draining", "snapshot", "tokens")

    def __init__(self) -> None:
        self.snapshot: Snapshot
        self.bound: Bound
        self.tokens: Tokens
        self.draining = False
        self.alarm: Callable[[Kind, str, str], None] = _nobody


def _nobody(kind: Kind, subject: str, detail: str) -> None:
    """Tell nobody: operators are told once a process is put together."""
