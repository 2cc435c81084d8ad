"""Owns the arguments of a call that come in pieces: each says where in the object its value stands.

Only streams have them, and only for clients that ask. Nothing here raises, whatever an upstream
writes. Must not know events.
"""

import re
from itertools import pairwise
from typing import Any, Final

import msgspec

from tollbridge.protocols.conversation import Json
from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.gemini_parts import objects

_STEP: Final = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,6})\]|\[(?:'([^']*)'|"([^"]*)")\]""")
_VALUES: Final = ("stringValue", "numberValue", "boolValue")
_DEPTH_MAX: Final = 64
_GAP_MAX: Final = 1024
"""Places of an array that may be skipped; more is nonsense and must not take memory."""


class PieceArguments:
    """Builds the arguments of one call."""

    def __init__(self) -> None:
        self._root: Json = {}
        self._open: set[str] = set()

    def add(self, call: Json) -> None:
        """Take what one part says: whole arguments, pieces of them, or nothing."""
        whole = call.get("args")
        if isinstance(whole, dict):
            self._root.update(whole)
        for given in objects(call.get("partialArgs")):
            piece = spelled(given)
            path = piece.get("jsonPath")
            if isinstance(path, str):
                self._put(path, piece)

    def text(self) -> str:
        """Return the arguments so far as JSON."""
        return msgspec.json.encode(self._root).decode()

    def _put(self, path: str, piece: Json) -> None:
        value: Any = next((piece[name] for name in _VALUES if name in piece), None)
        steps: list[str | int] = [
            int(match[2]) if match[2] else match[1] or match[3] or match[4] or ""
            for match in _STEP.finditer(path)
        ]
        if not steps or len(steps) > _DEPTH_MAX:
            return
        holder: Any = self._root
        for step, following in pairwise(steps):
            holder = _entered(holder, step, [] if isinstance(following, int) else {})
            if holder is None:
                return
        goes_on = path in self._open
        self._open.discard(path)
        if piece.get("willContinue") is True:
            self._open.add(path)
        before = _at(holder, steps[-1])
        if goes_on and isinstance(before, str) and isinstance(value, (str, type(None))):
            value = before + (value or "")
        _set(holder, steps[-1], value)


def _entered(holder: Any, step: str | int, fresh: Any) -> Any:
    """Return what stands at a step, made where nothing stands there; None where it cannot be."""
    inner = _at(holder, step)
    if type(inner) is type(fresh):
        return inner
    return fresh if _set(holder, step, fresh) else None


def _at(holder: Any, step: str | int) -> Any:
    if isinstance(holder, dict):
        return holder.get(step)
    if isinstance(holder, list) and isinstance(step, int) and step < len(holder):
        return holder[step]
    return None


def _set(holder: Any, step: str | int, value: Any) -> bool:
    if isinstance(holder, dict) and isinstance(step, str):
        holder[step] = value
        return True
    if isinstance(holder, list) and isinstance(step, int) and step <= len(holder) + _GAP_MAX:
        holder.extend([None] * (step + 1 - len(holder)))
        holder[step] = value
        return True
    return False
