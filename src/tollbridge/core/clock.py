"""Owns time and ids. Must not know what they are used for.

Two kinds of ids: `new_id` for entities (users, keys, channels: a 63-bit integer, time-sortable, so
it fits a BIGINT and an index appends) and `new_tid` for calls (32 hex characters in UUIDv7
layout: sortable as text, so a month of usage is a range of tids).
"""

import os
import random
import re
import threading
import time

# Entity ids count milliseconds from 2025-01-01 so that 41 bits last until 2094.
_ID_EPOCH_MS = 1_735_689_600_000
_ID_RANDOM_BITS = 22
_POOL_BYTES = 4096
_TID_RANDOM_HEX = 19
_TID = re.compile(r"[0-9a-f]{32}", re.ASCII)


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970 (for rows people read, never for safety)."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Return a clock in milliseconds that never steps back (for durations and deadlines)."""
    return time.monotonic_ns() // 1_000_000


class _IdSource:
    """Makes ids that only grow within one process, random in their low bits between processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        # Seeded by the system once; asking it each time costs a system call on the money path.
        self._random = random.Random()

    def next(self) -> int:
        stamp = now_ms() - _ID_EPOCH_MS << _ID_RANDOM_BITS
        fresh = stamp | self._random.getrandbits(_ID_RANDOM_BITS)
        with self._lock:
            self._last = fresh if fresh > self._last else self._last + 1
            return self._last


class _HexPool:
    """Hands out random hex digits from a block, because one `os.urandom` a call costs 1 µs."""

    def __init__(self) -> None:
        self._hex = ""
        self._at = 0

    def take(self, digits: int) -> str:
        at = self._at
        if at + digits > len(self._hex):
            self._hex = os.urandom(_POOL_BYTES).hex()
            at = 0
        self._at = at + digits
        return self._hex[at : at + digits]


_ids = _IdSource()
_pool = _HexPool()


def _renew() -> None:
    """Forget what a forked process has in common with its siblings: they would make the same ids."""
    global _ids, _pool
    _ids, _pool = _IdSource(), _HexPool()


os.register_at_fork(after_in_child=_renew)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def new_id() -> int:
    """Return a new entity id: 41 bits of milliseconds, 22 random bits; unique and growing here."""
    return _ids.next()


def id_ms(number: int) -> int:
    """Return the millisecond at which an entity id was made."""
    return (number >> _ID_RANDOM_BITS) + _ID_EPOCH_MS


def first_id(at_ms: int) -> int:
    """Return the smallest entity id of a millisecond: older ids are below it, later ones not."""
    return at_ms - _ID_EPOCH_MS << _ID_RANDOM_BITS


def new_tid() -> str:
    """Return a new trace id: 12 hex of milliseconds, then 74 random bits in UUIDv7 layout.

    Call it from one thread (the event loop): its pool of randomness has no lock.
    """
    random = _pool.take(_TID_RANDOM_HEX)
    return f"{now_ms():012x}7{random[:3]}{_VARIANT[random[3]]}{random[4:]}"


def is_tid(text: str) -> bool:
    """Tell whether a text is written as a trace id is."""
    return _TID.fullmatch(text) is not None


def tid_ms(tid: str) -> int:
    """Return the millisecond at which a tid was made; ValueError when it is not a tid."""
    return int(tid[:12], 16)
