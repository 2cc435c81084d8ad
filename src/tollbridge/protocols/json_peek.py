"""Owns the look at the top level of a JSON body: which fields are there and which bytes they are.

Nothing nested is ever built: a value stays the slice of the body that it is, so that single
fields can be read and replaced while every other byte survives. Must not know any protocol.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache

import msgspec

NESTING_MAX = 128
"""Levels of arrays and objects that a body may have, the outermost object counted."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)

# From the end of one member (or the opening brace) to the start of the next value.
_KEY = re.compile(
    rb'[ \t\n\r]*[{,][ \t\n\r]*"([^"\\]*(?:\\.[^"\\]*)*)"[ \t\n\r]*:[ \t\n\r]*', re.DOTALL
).match
_OPEN = re.compile(rb"[ \t\n\r]*\{[ \t\n\r]*")
_COMMA = re.compile(rb"[ \t\n\r]*,")
_CLOSE = re.compile(rb"[ \t\n\r]*\{?[ \t\n\r]*\}[ \t\n\r]*").fullmatch
_INTEGER = re.compile(rb"-?[0-9]{1,1000}")
_ONE_BRACKET_KIND = bytes.maketrans(b"{}", b"[]")
_ARRAY = 0x5B
_SPACE = 0x20
_USUAL_NAME_MAX = 64
_BEFORE_NAME = frozenset((b"{", b",", b", "))
_CONTAINERS = b"[{"
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))


class Refusal(StrEnum):
    """Why a body cannot be peeked into."""

    EMPTY = "empty"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_OBJECT = "not_object"
    DUPLICATE_KEY = "duplicate_key"
    TOO_DEEP = "too_deep"


class PeekError(ValueError):
    """The body is refused; `name` is the field where one is to blame."""

    def __init__(self, reason: Refusal, name: str | None = None) -> None:
        super().__init__(reason.value if name is None else f"{reason.value}: {name}")
        self.reason = reason
        self.name = name


class FieldError(ValueError):
    """A field is missing or of the wrong type; `expected` completes "must be ..."."""

    def __init__(self, name: str, expected: str) -> None:
        super().__init__(f"{name} must be {expected}")
        self.name = name
        self.expected = expected


class RangeError(FieldError):
    """A number is outside its range; both ends are allowed values, None means no upper end."""

    def __init__(self, name: str, low: int, high: int | None) -> None:
        super().__init__(name, f"at least {low}" if high is None else f"between {low} and {high}")
        self.low = low
        self.high = high


class TopLevel:
    """The fields of a JSON object in their order, as spans of its bytes. A null counts as absent."""

    __slots__ = ("_spans", "body")

    def __init__(self, body: bytes, spans: dict[str, tuple[int, int]]) -> None:
        self.body = body
        self._spans = spans

    def names(self) -> tuple[str, ...]:
        """Return the field names in the order of the body, nulls included."""
        return tuple(self._spans)

    def span(self, name: str) -> tuple[int, int] | None:
        """Return where the field's value starts and ends in the body, also for a null."""
        return self._spans.get(name)

    def raw(self, name: str) -> bytes | None:
        """Return the value's own bytes, None when the field is absent or null."""
        span = self._spans.get(name)
        if span is None:
            return None
        value = self.body[span[0] : span[1]]
        return None if value == b"null" else value

    def kind(self, name: str) -> int | None:
        """Return the value's first byte (`[`, `{`, `"`, ...) without copying it; None as in `raw`."""
        span = self._spans.get(name)
        if span is None:
            return None
        first = self.body[span[0]]
        return None if first == 0x6E else first

    def text(self, name: str) -> str | None:
        """Return a string field; FieldError when it is of another type."""
        value = self.raw(name)
        if value is None:
            return None
        if value[0] != 0x22:
            raise FieldError(name, "a string")
        if b"\\" not in value:
            return value[1:-1].decode()
        try:
            return _TEXT.decode(value)
        except msgspec.DecodeError:
            raise FieldError(name, "a valid string") from None

    def integer(self, name: str) -> int | None:
        """Return an integer field exactly; FieldError for others, among them 5.0, 5e1 and true."""
        value = self.raw(name)
        if value is None:
            return None
        if _INTEGER.fullmatch(value) is None:
            raise FieldError(name, "an integer")
        return int(value)

    def boolean(self, name: str) -> bool | None:
        """Return a boolean field; FieldError when it is of another type."""
        value = self.raw(name)
        if value is None:
            return None
        if value == b"true":
            return True
        if value == b"false":
            return False
        raise FieldError(name, "true or false")

    def replaced(self, edits: Mapping[str, bytes]) -> bytes:
        """Return the body with these fields set to these JSON values.

        A field that is there (also as null) changes in place; a new one is inserted as the
        first. Every other byte stays as it was. Without edits it is the body itself.
        """
        if not edits:
            return self.body
        changes: list[tuple[int, int, bytes]] = []
        fresh: list[bytes] = []
        for name, value in edits.items():
            span = self._spans.get(name)
            if span is None:
                fresh.append(msgspec.json.encode(name) + b":" + value)
            else:
                changes.append((span[0], span[1], value))
        if fresh:
            opened = _OPEN.match(self.body)
            at = opened.end() if opened else 0
            changes.append((at, at, b",".join(fresh) + (b"," if self._spans else b"")))
        return _spliced(self.body, changes)

    def removed(self, name: str) -> bytes:
        """Return the body without a field and one comma beside it; the rest byte for byte."""
        if name not in self._spans:
            return self.body
        names = list(self._spans)
        at = names.index(name)
        # What goes is the stretch between two neighbours' ends, so exactly one comma goes along.
        if at:
            start, end = self._spans[names[at - 1]][1], self._spans[name][1]
        else:
            opened = _OPEN.match(self.body)
            start, end = opened.end() if opened else 0, self._spans[name][1]
            if len(names) > 1:
                comma = _COMMA.match(self.body, end)
                end = comma.end() if comma else end
        return self.body[:start] + self.body[end:]


def _spliced(body: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for start, end, value in sorted(changes):
        parts.append(body[at:start])
        parts.append(value)
        at = end
    parts.append(body[at:])
    return b"".join(parts)


def peek(body: bytes) -> TopLevel:
    """Return the top level of a JSON object; PeekError when the body must be refused.

    Refused are also a name that occurs twice (two parsers could read two different values) and
    more than NESTING_MAX levels. Linear in the body's length.
    """
    try:
        if not body.isascii():
            body.decode()
        values = _FIELDS.decode(body)
    except UnicodeDecodeError:
        raise PeekError(Refusal.NOT_UTF8) from None
    except RecursionError:
        raise PeekError(Refusal.TOO_DEEP) from None
    except msgspec.ValidationError:
        raise PeekError(Refusal.NOT_OBJECT) from None
    except msgspec.DecodeError:
        raise PeekError(Refusal.NOT_JSON if body.strip(b" \t\n\r") else Refusal.EMPTY) from None
    spans = _walk(body, values)
    if not _at_most(body, NESTING_MAX) and any(
        _too_deep(body[a:b], NESTING_MAX - 1) for a, b in spans.values()
    ):
        raise PeekError(Refusal.TOO_DEEP)
    return TopLevel(body, spans)


def _walk(body: bytes, values: Mapping[str, msgspec.Raw]) -> dict[str, tuple[int, int]]:
    """Find each member's value in the body; the decoder has already proved the body to be JSON.

    The decoder keeps the last of equal names, at the place of the first. So where a name occurs
    twice, the body has more members than there are values, and the two cannot be walked
    through side by side to the closing brace.
    """
    spans: dict[str, tuple[int, int]] = {}
    end = 0
    find, starts = body.find, body.startswith
    for name, raw in values.items():
        if len(name) > _USUAL_NAME_MAX:
            return _walk_any(body, values)
        key = _as_usual(name)
        # As programs write it: one comma or brace before the name, a space there and after at most.
        at = find(key, end, end + len(key) + 2)
        if at < 0 or body[end:at] not in _BEFORE_NAME:
            return _walk_any(body, values)
        at += len(key)
        if body[at] == _SPACE:
            at += 1
        value = memoryview(raw)
        if not starts(value, at):
            return _walk_any(body, values)
        end = at + len(value)
        spans[name] = (at, end)
    return spans if body[end:] == b"}" else _walk_any(body, values)


def _walk_any(body: bytes, values: Mapping[str, msgspec.Raw]) -> dict[str, tuple[int, int]]:
    """Do the same for bodies with any space and with escapes in names, or refuse them."""
    spans: dict[str, tuple[int, int]] = {}
    end = 0
    for name, raw in values.items():
        match = _KEY(body, end)
        if match is None or (match[1] != name.encode() and _unescaped(match[1]) != name):
            raise PeekError(Refusal.DUPLICATE_KEY, name)
        at = match.end()
        value = memoryview(raw)
        if not body.startswith(value, at):
            raise PeekError(Refusal.DUPLICATE_KEY, name)
        end = at + len(value)
        spans[name] = (at, end)
    if not _CLOSE(body, end):
        again = _KEY(body, end)
        raise PeekError(Refusal.DUPLICATE_KEY, _unescaped(again[1]) if again else None)
    return spans


@lru_cache(1_000)
def _as_usual(name: str) -> bytes:
    return b'"' + name.encode() + b'":'


def _unescaped(key: bytes) -> str:
    return _TEXT.decode(b'"' + key + b'"')


def _at_most(body: bytes, brackets: int) -> bool:
    """Say whether the body opens at most so many brackets, those in strings included (cheap)."""
    if len(body) < 20_000:
        # Taking them out is several times as quick as counting them.
        without = len(body.replace(b"[", b"")) + len(body.replace(b"{", b""))
        return 2 * len(body) - without <= brackets
    for opening in (b"[", b"{"):
        at = body.find(opening)
        while at >= 0:
            brackets -= 1
            if brackets < 0:
                return False
            at = body.find(opening, at + 1)
    return True


def _too_deep(value: bytes, allowed: int, steps: int = 6) -> bool:
    """Say whether a valid JSON value nests deeper than allowed.

    It is first taken apart, because most parts (messages, tools, texts) are seen at a glance
    not to be deep; only what is left after a few steps is measured character by character.
    """
    if value[0] not in _CONTAINERS or _at_most(value, allowed):
        return False
    if not steps:
        return _deeper(value, allowed)
    if value[0] == _ARRAY:
        parts = [bytes(item) for item in _ITEMS.decode(value)]
    else:
        try:
            spans = _walk(value, _FIELDS.decode(value))
        except PeekError:
            # Names may repeat further down; then the decoder does not show every part.
            return _deeper(value, allowed)
        parts = [value[start:end] for start, end in spans.values()]
    return any(_too_deep(part, allowed - 1, steps - 1) for part in parts)


def _deeper(value: bytes, allowed: int) -> bool:
    """Measure the nesting: drop the strings, then strip the innermost pairs level by level."""
    if b"\\" in value:
        value = value.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(value.translate(_ONE_BRACKET_KIND, _NOT_STRUCTURE).split(b'"')[::2])
    for _ in range(allowed):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
