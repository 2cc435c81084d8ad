"""Owns reading multipart/form-data where it lies: which parts are there and which bytes they are.

No file is ever copied: a part is a span of the body, which goes on as it came but for one value
spliced in (docs/decisions/0022-multipart-stays-in-memory.md). Whatever two readers could
understand differently is refused, because what is priced here must be what runs upstream. Must not
know any endpoint.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from tollbridge.protocols.json_peek import FieldError

PARTS_MAX: Final = 256
"""Parts of a form; more than any client of these endpoints sends."""

HEADERS_MAX_BYTES: Final = 8 * 1024
"""Bytes of one part's headers."""

NAME_MAX_BYTES: Final = 256

CONTROL_FIELDS: Final = frozenset(
    {
        "background",
        "model",
        "n",
        "output_format",
        "partial_images",
        "prompt",
        "quality",
        "response_format",
        "size",
        "stream",
    }
)
"""Fields that decide what a call does or costs: each may be there once, as plain text."""

_PARAMETER = re.compile(
    rb'[ \t]*;[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\\r\n\x00]|\\[^\r\n\x00])*)"'
    rb"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))"
)
_FORM_TYPE = re.compile(rb"multipart/form-data(?=[ \t]*;)", re.IGNORECASE)
_DISPOSITION = re.compile(rb"form-data(?=[ \t]*;)", re.IGNORECASE)
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\x00-\x08\x0a-\x1f\x7f]*)\r\n")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_CHARSET = re.compile(rb"charset[ \t]*=[ \t]*\"?([^\s\";]*)", re.IGNORECASE)
_READABLE_CHARSETS = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_ASCII_CHARSETS = re.compile(rb"iso-8859-[0-9]{1,2}|latin1|windows-125[0-8]")
_PLAIN_ENCODINGS = frozenset({b"binary", b"8bit", b"7bit"})
_EPILOGUES = (b"", b"\r\n")
_INTEGER = re.compile(r"-?[0-9]{1,100}", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_ELEMENT = re.compile(r"\[[0-9]*\]", re.ASCII)


class FormRefusal(StrEnum):
    """Why a form cannot be read."""

    NOT_FORM = "not_form"
    BOUNDARY = "boundary"
    FRAMING = "framing"
    TOO_MANY_PARTS = "too_many_parts"
    HEADERS = "headers"
    DUPLICATE_FIELD = "duplicate_field"
    CONTROL_FIELD = "control_field"


class FormError(ValueError):
    """The form is refused; `name` is the field where one is to blame."""

    def __init__(self, reason: FormRefusal, name: str | None = None) -> None:
        super().__init__(reason.value if name is None else f"{reason.value}: {name}")
        self.reason = reason
        self.name = name


class Part(msgspec.Struct, frozen=True, gc=False):
    """One part: its value is `body[start:end]`.

    `filename` is None for a text field. `length_at` is where its own Content-Length stands, if it
    has one: some clients write it.
    """

    name: str
    start: int
    end: int
    filename: str | None = None
    content_type: bytes = b""
    length_at: tuple[int, int] | None = None

    @property
    def size(self) -> int:
        """The value's bytes."""
        return self.end - self.start


class Form:
    """The parts of a form in their order. An empty text counts as absent, as a null does in JSON."""

    __slots__ = ("_boundary", "_texts", "body", "parts")

    def __init__(self, body: bytes, parts: tuple[Part, ...], boundary: bytes) -> None:
        self.body = body
        self.parts = parts
        self._boundary = boundary
        self._texts = {part.name: part for part in parts if part.filename is None}

    def names(self) -> tuple[str, ...]:
        """Return the names of all parts in the order of the body."""
        return tuple(part.name for part in self.parts)

    def text(self, name: str) -> str | None:
        """Return a text field, None when absent or empty; FieldError when it is not UTF-8 text.

        Of a field that may be repeated it is the last one.
        """
        part = self._texts.get(name)
        if part is None or not part.size:
            return None
        try:
            return self.body[part.start : part.end].decode()
        except UnicodeDecodeError:
            raise FieldError(name, "UTF-8 text") from None

    def integer(self, name: str) -> int | None:
        """Return an integer field exactly; FieldError for anything else."""
        value = self.text(name)
        if value is None:
            return None
        if _INTEGER.fullmatch(value) is None:
            raise FieldError(name, "an integer")
        return int(value)

    def boolean(self, name: str) -> bool | None:
        """Return a boolean field; FieldError for anything but true, false, 1 and 0."""
        value = self.text(name)
        if value is None:
            return None
        if value.lower() not in _BOOLEANS:
            raise FieldError(name, "true or false")
        return _BOOLEANS[value.lower()]

    def files(self, name: str) -> tuple[Part, ...]:
        """Return the files of a field, also of `name[]` and `name[0]`, in the order of the body."""
        return tuple(
            part for part in self.parts if part.filename is not None and _base(part.name) == name
        )

    def view(self, part: Part) -> memoryview:
        """Return a part's value without copying it."""
        return memoryview(self.body)[part.start : part.end]

    def replaced(self, edits: Mapping[str, bytes]) -> bytes:
        """Return the body with these text fields set to these values, every other byte as it was.

        A part's own Content-Length is corrected with it. Without a change it is the body itself.
        KeyError for a field that is not there, ValueError for a value that would end its part.
        """
        changes: list[tuple[int, int, bytes]] = []
        for name, value in edits.items():
            part = self._texts[name]
            if self._boundary in value:
                raise ValueError("a value must not contain the form's boundary")
            if self.body[part.start : part.end] == value:
                continue
            changes.append((part.start, part.end, value))
            if part.length_at is not None:
                changes.append((*part.length_at, b"%d" % len(value)))
        if not changes:
            return self.body
        whole = memoryview(self.body)
        pieces: list[bytes | memoryview] = []
        at = 0
        for start, end, value in sorted(changes):
            pieces += (whole[at:start], value)
            at = end
        pieces.append(whole[at:])
        return b"".join(pieces)


def is_form(content_type: bytes) -> bool:
    """Say whether a request's Content-Type announces a form, readable or not."""
    return content_type.lstrip(b" \t").lower().startswith(b"multipart/form-data")


def read_form(body: bytes, content_type: bytes) -> Form:
    """Return the parts of a form; FormError when it must be refused. Linear in the body's length.

    Refused are text before the first and after the last boundary, line ends other than CRLF, and a
    boundary anywhere but on a line of its own.
    """
    delimiter = b"\r\n--" + _boundary_of(content_type)
    parts: list[Part] = []
    if not body.startswith(delimiter[2:]):
        raise FormError(FormRefusal.FRAMING)
    at = len(delimiter) - 2
    while body[at : at + 2] == b"\r\n":
        if len(parts) == PARTS_MAX:
            raise FormError(FormRefusal.TOO_MANY_PARTS)
        end = body.find(delimiter, at)
        if end < 0:
            raise FormError(FormRefusal.FRAMING)
        parts.append(_part(body, at + 2, end))
        at = end + len(delimiter)
    if body[at : at + 2] != b"--" or body[at + 2 : at + 5] not in _EPILOGUES:
        raise FormError(FormRefusal.FRAMING)
    # Some readers take a boundary after a bare line feed, and would see other parts.
    if body.count(delimiter[2:]) != len(parts) + 1:
        raise FormError(FormRefusal.FRAMING)
    _check_names(parts)
    return Form(body, tuple(parts), delimiter[2:])


def _boundary_of(content_type: bytes) -> bytes:
    content_type = content_type.strip(b" \t")
    match = _FORM_TYPE.match(content_type)
    if match is None:
        if is_form(content_type):
            raise FormError(FormRefusal.BOUNDARY)
        raise FormError(FormRefusal.NOT_FORM)
    parameters = _parameters(content_type, match.end())
    if parameters is None or any(name.startswith(b"boundary*") for name in parameters):
        raise FormError(FormRefusal.BOUNDARY)
    boundary = parameters.get(b"boundary", b"")
    if _BOUNDARY.fullmatch(boundary) is None:
        raise FormError(FormRefusal.BOUNDARY)
    return boundary


def _parameters(value: bytes, at: int) -> dict[bytes, bytes] | None:
    """Read `; name=value` up to the end; None when it is not that or a name occurs twice."""
    found: dict[bytes, bytes] = {}
    while at < len(value):
        match = _PARAMETER.match(value, at)
        if match is None:
            return None if value[at:].strip(b" \t;") else found
        name = match[1].lower()
        if name in found:
            return None
        found[name] = match[3] if match[2] is None else _ESCAPED.sub(rb"\1", match[2])
        at = match.end()
    return found


def _part(body: bytes, start: int, end: int) -> Part:
    """Read the part whose headers begin at `start` and whose value ends at `end`."""
    # The blank line may overlap neither the boundary nor its own part's end.
    blank = body.find(b"\r\n\r\n", start, min(end, start + HEADERS_MAX_BYTES))
    if blank < 0:
        raise FormError(FormRefusal.HEADERS)
    headers: dict[bytes, tuple[bytes, tuple[int, int]]] = {}
    at = start
    while at < blank:
        match = _HEADER.match(body, at, blank + 2)
        if match is None:
            raise FormError(FormRefusal.HEADERS)
        name = match[1].lower()
        if name in headers:
            raise FormError(FormRefusal.HEADERS)
        value = match[2].strip(b" \t")
        value_at = match.end(2) - len(match[2].lstrip(b" \t"))
        headers[name] = (value, (value_at, value_at + len(value)))
        at = match.end()
    return _described(body, headers, blank + 4, end)


def _described(
    body: bytes, headers: dict[bytes, tuple[bytes, tuple[int, int]]], start: int, end: int
) -> Part:
    disposition = headers.get(b"content-disposition", (b"", (0, 0)))[0]
    match = _DISPOSITION.match(disposition)
    parameters = None if match is None else _parameters(disposition, match.end())
    if parameters is None or b"name*" in parameters:
        raise FormError(FormRefusal.HEADERS)
    name = _decoded_name(parameters.get(b"name", b""))
    is_file = b"filename" in parameters or b"filename*" in parameters
    encoding = headers.get(b"content-transfer-encoding", (b"binary", (0, 0)))[0]
    length, length_at = headers.get(b"content-length", (None, None))
    if encoding.lower() not in _PLAIN_ENCODINGS or length not in {None, b"%d" % (end - start)}:
        raise FormError(FormRefusal.HEADERS, name)
    content_type = headers.get(b"content-type", (b"", (0, 0)))[0]
    if not is_file and not _is_readable(content_type, body, start, end):
        raise FormError(FormRefusal.HEADERS, name)
    filename = parameters.get(b"filename", b"").decode(errors="replace") if is_file else None
    return Part(name, start, end, filename, content_type, length_at)


def _is_readable(content_type: bytes, body: bytes, start: int, end: int) -> bool:
    """Say whether a text is the same in UTF-8 as in the charset that its part names."""
    charset = _CHARSET.search(content_type)
    if charset is None or charset[1].lower() in _READABLE_CHARSETS:
        return True
    return _ASCII_CHARSETS.fullmatch(charset[1].lower()) is not None and body[start:end].isascii()


def _decoded_name(name: bytes) -> str:
    if not name or len(name) > NAME_MAX_BYTES:
        raise FormError(FormRefusal.HEADERS)
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise FormError(FormRefusal.HEADERS) from None


def _check_names(parts: list[Part]) -> None:
    """Refuse control fields that another reader could read another value for."""
    seen: set[str] = set()
    for part in parts:
        base = part.name.partition("[")[0].strip().lower()
        if base not in CONTROL_FIELDS:
            continue
        if base != part.name or part.filename is not None:
            raise FormError(FormRefusal.CONTROL_FIELD, base)
        if base in seen:
            raise FormError(FormRefusal.DUPLICATE_FIELD, base)
        seen.add(base)


def _base(name: str) -> str:
    return _ELEMENT.sub("", name)
