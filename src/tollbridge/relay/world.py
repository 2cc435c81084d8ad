"""Owns what every call reads and nobody writes but the composition root: snapshot and draining."""

from tollbridge.catalog.snapshot import Snapshot


class World:
    """The present: the catalogue's snapshot, swapped whole, and whether the process is ending."""

    __slots__ = ("draining", "snapshot")

    def __init__(self) -> None:
        self.snapshot: Snapshot
        self.draining = False
