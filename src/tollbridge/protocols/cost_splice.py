"""Owns `usage.cost`: the wish for it in a request, and the one member that it adds to an answer.

The wish is our own top-level field, `usage: {"include": true}`, and never reaches an upstream. The
cost is spliced into the usage that the answer has; taking the member out again gives back the bytes
there were. Pure. Must not know where a cost comes from, accounts or sockets.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from tollbridge.protocols import chat_usage, gemini_usage, messages_usage, responses_usage
from tollbridge.protocols.json_peek import FieldError, PeekError, TopLevel, peek
from tollbridge.protocols.sse import Framer, data_of
from tollbridge.protocols.usage import Usage

WISH: Final = "usage"
"""The request's field; no protocol that is told a cost has one of this name."""

_COST: Final = "cost"
_OBJECT: Final = 0x7B
_DATA_LINE: Final = re.compile(rb"(?<![^\r\n])(data: ?)([^\r\n]*)")
# What all chunks of a chat stream bear, the frame that only tells the usage included.
_HEAD: Final = ("id", "object", "created", "model")


class Place(NamedTuple):
    """Where a protocol tells what a call used.

    `name` is the field; in the frames of a stream it stands in the object `inside`, if any. `fields`
    makes it where an answer has none; in a stream it joins the last frame that bears `bearer`, and
    where there is no such thing it gets a frame of its own.
    """

    name: str
    fields: Callable[[Usage], dict[str, Any]]
    inside: str | None = None
    bearer: bytes | None = None


def _embedding_fields(usage: Usage) -> dict[str, Any]:
    sent = usage.tokens_in()
    return {"prompt_tokens": sent, "total_tokens": sent}


CHAT: Final = Place("usage", chat_usage.usage_fields)
EMBEDDINGS: Final = Place("usage", _embedding_fields)
GEMINI: Final = Place("usageMetadata", gemini_usage.usage_fields, bearer=b'"candidates"')
MESSAGES: Final = Place("usage", messages_usage.usage_fields, bearer=b'"message_delta"')
RESPONSES: Final = Place("usage", responses_usage.usage_fields, "response", b'"response"')


def wished(top: TopLevel) -> bool:
    """Say whether a request asks for its cost; FieldError where the wish cannot be read."""
    kind = top.kind(WISH)
    if kind is None:
        return False
    if kind != _OBJECT:
        raise FieldError(WISH, 'an object like {"include": true}')
    try:
        return peek(top.raw(WISH) or b"{}").boolean("include") or False
    except FieldError:
        raise FieldError(f"{WISH}.include", "true or false") from None
    except PeekError:
        raise FieldError(WISH, "an object that names each field once") from None


def in_body(body: bytes, place: Place, cost: str, used: Usage) -> bytes:
    """Return a whole answer that tells its cost, in dollars; as it is where it is no JSON object.

    A cost that the upstream told there gives way to ours.
    """
    try:
        top = peek(body)
        return top.replaced({place.name: _costed(top, place, cost.encode(), used)})
    except PeekError:
        return body


def in_frames(frames: bytes, place: Place, cost: str, used: Usage) -> bytes:
    """Return the last frames of a stream, the one with the usage telling the cost too.

    As they are where no frame can bear it.
    """
    framer = Framer()
    cut = framer.feed(frames)
    rest = framer.rest()
    if rest:
        cut.append(rest)
    for make in (_with_usage, _bearing):
        for at in reversed(range(len(cut))):
            shown = make(cut[at], place, cost.encode(), used)
            if shown is not None:
                cut[at] = shown
                return b"".join(cut)
    if place.bearer is None:
        _insert(cut, place, cost.encode(), used)
    return b"".join(cut)


def _costed(top: TopLevel, place: Place, cost: bytes, used: Usage) -> bytes:
    """Return the value of the usage field with the cost in it."""
    if top.kind(place.name) == _OBJECT:
        return peek(top.raw(place.name) or b"{}").replaced({_COST: cost})
    return msgspec.json.encode({**place.fields(used), _COST: msgspec.Raw(cost)})


def _with_usage(frame: bytes, place: Place, cost: bytes, used: Usage) -> bytes | None:
    if b'"%b"' % place.name.encode() not in frame:
        return None
    found = _objects(frame, place)
    if found is None or found[-1].kind(place.name) != _OBJECT:
        return None
    return _changed(frame, found, place, _costed(found[-1], place, cost, used))


def _bearing(frame: bytes, place: Place, cost: bytes, used: Usage) -> bytes | None:
    if place.bearer is None or place.bearer not in frame:
        return None
    found = _objects(frame, place)
    if found is None:
        return None
    return _changed(frame, found, place, _costed(found[-1], place, cost, used))


def _objects(frame: bytes, place: Place) -> list[TopLevel] | None:
    """Return the frame's object and the one within it that the usage stands in; None without."""
    try:
        found = [peek(data_of(frame) or b"")]
        if place.inside is not None:
            found.append(peek(found[0].raw(place.inside) or b""))
    except PeekError:
        return None
    return found


def _changed(frame: bytes, found: list[TopLevel], place: Place, value: bytes) -> bytes:
    data = found[-1].replaced({place.name: value})
    if place.inside is not None:
        data = found[0].replaced({place.inside: data})
    # What is put in has no line feed, so an event of several data lines keeps as many.
    lines: Iterator[bytes] = iter(data.split(b"\n"))
    return _DATA_LINE.sub(lambda line: line[1] + next(lines, b""), frame)


def _insert(cut: list[bytes], place: Place, cost: bytes, used: Usage) -> None:
    """Put in the frame that chat tells the usage with, after the last chunk that has choices."""
    for at in reversed(range(len(cut))):
        found = _objects(cut[at], place) if b'"choices"' in cut[at] else None
        if found is None:
            continue
        head = [(name, found[0].raw(name)) for name in _HEAD]
        chunk: dict[str, Any] = {name: msgspec.Raw(value) for name, value in head if value}
        figures = {**place.fields(used), _COST: msgspec.Raw(cost)}
        encoded = msgspec.json.encode({**chunk, "choices": [], place.name: figures})
        cut.insert(at + 1, b"data: " + encoded + b"\n\n")
        return
