"""Owns what every call reads and nobody writes but the composition root."""

from collections.abc import Callable

from tollbridge.catalog.snapshot import Snapshot
from tollbridge.notify.kinds import Kind


class World:
    """The present: the catalogue's snapshot, swapped whole, and whether the process is ending.

    `alarm` tells operators of a kind of trouble, its subject and detail, without waiting.
    """

    __slots__ = ("alarm", "draining", "snapshot")

    def __init__(self) -> None:
        self.snapshot: Snapshot
        self.draining = False
        self.alarm: Callable[[Kind, str, str], None] = _nobody


def _nobody(kind: Kind, subject: str, detail: str) -> None:
    """Tell nobody: operators are told once a process is put together."""
