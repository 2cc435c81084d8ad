"""Owns reading a form: its bounds, its fields by kind, and a fault by the name of each field.

A reader returns a value that can be used, or a harmless one and notes the fault. Messages are msgids
(English); the page translates them. Must not know what a form is for.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from tollbridge.core.faults import NOT_OFFERED as NOT_OFFERED  # noqa: PLC0414 -- pages say them too
from tollbridge.core.faults import OUT_OF_RANGE as OUT_OF_RANGE  # noqa: PLC0414
from tollbridge.core.language import N_ as N_  # noqa: PLC0414 -- pages mark their texts by it too
from tollbridge.core.money import parse_usd
from tollbridge.core.storable import storable

BODY_MAX: Final = 262_144
_FIELDS_MAX = 500
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FORM_TYPE = "application/x-www-form-urlencoded"


REQUIRED: Final = N_("Please fill in this field.")
TOO_LONG: Final = N_("This is too long.")
NOT_A_NUMBER: Final = N_("Enter a whole number.")
NOT_AN_AMOUNT: Final = N_("Enter an amount in dollars, such as 5 or 2.50.")
UNREADABLE: Final = N_("This text has characters that cannot be used.")


class Form:
    """The fields of one form. `errors` has a msgid for each field at fault."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields
        self.errors: dict[str, str] = {
            name: UNREADABLE
            for name, values in fields.items()
            if not all(storable(value) for value in values)
        }

    @property
    def ok(self) -> bool:
        """Whether no fault was found so far."""
        return not self.errors

    def fault(self, name: str, message: str) -> None:
        """Note what is wrong with a field; the first fault of a field stays."""
        self.errors.setdefault(name, message)

    def raw(self, name: str) -> str:
        """Return what was sent, to be shown again; "" when nothing was."""
        return self._fields.get(name, [""])[0]

    def given(self) -> dict[str, str]:
        """Return every field as it was sent, the first of repeated ones. It may hold passwords."""
        return {name: values[0] for name, values in self._fields.items()}

    def text(self, name: str, *, most: int = 200, need: bool = True) -> str:
        """Return one line of text without blanks around it."""
        value = self.raw(name).strip()
        if not value and need:
            self.fault(name, REQUIRED)
        elif len(value) > most:
            self.fault(name, TOO_LONG)
        elif _CONTROL.search(value) or "\n" in value or not value.isprintable():
            self.fault(name, UNREADABLE)
        else:
            return value
        return ""

    def block(self, name: str, *, most: int, need: bool = False) -> str:
        """Return text of several lines, line ends as \\n."""
        value = self.raw(name).replace("\r\n", "\n").replace("\r", "\n").strip()
        if not value and need:
            self.fault(name, REQUIRED)
        elif len(value) > most:
            self.fault(name, TOO_LONG)
        elif _CONTROL.search(value):
            self.fault(name, UNREADABLE)
        else:
            return value
        return ""

    def secret(self, name: str, *, most: int = 1000) -> str:
        """Return a password as it was typed, blanks included."""
        value = self.raw(name)
        if not value:
            self.fault(name, REQUIRED)
        elif len(value) > most:
            self.fault(name, TOO_LONG)
        else:
            return value
        return ""

    def integer(self, name: str, *, least: int = 0, most: int = 2**53, blank: int = 0) -> int:
        """Return a whole number; `blank` when nothing was typed."""
        text = self.raw(name).strip()
        if not text:
            return blank
        if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
            self.fault(name, NOT_A_NUMBER)
        elif not least <= int(text) <= most:
            self.fault(name, OUT_OF_RANGE)
        else:
            return int(text)
        return blank

    def amount(self, name: str, *, need: bool = True, signed: bool = False) -> int | None:
        """Return nano-dollars from dollars as people write them; None when nothing was typed."""
        text = self.raw(name).strip().removeprefix("$").strip()
        if not text:
            if need:
                self.fault(name, REQUIRED)
            return None
        minus = signed and text.startswith("-")
        try:
            nano = parse_usd(text.removeprefix("-") if minus else text)
        except ValueError:
            self.fault(name, NOT_AN_AMOUNT)
            return None
        return -nano if minus else nano

    def choice(self, name: str, options: Iterable[str], *, blank: str | None = None) -> str:
        """Return one of the options; `blank` when nothing was sent and that is allowed."""
        value = self.raw(name)
        if not value and blank is not None:
            return blank
        known = list(options)
        if value in known:
            return value
        self.fault(name, NOT_OFFERED)
        return known[0] if known else ""

    def many(self, name: str, options: Iterable[str] | None = None) -> list[str]:
        """Return all values of a field that may be sent several times, each once."""
        values = list(dict.fromkeys(value.strip() for value in self._fields.get(name, ())))
        values = [value for value in values if value]
        if options is not None and not set(values) <= set(options):
            self.fault(name, NOT_OFFERED)
            return []
        return values

    def lines(self, name: str, *, most: int = 200) -> list[str]:
        """Return the entries of a list typed with commas or line ends between them, each once."""
        parts = re.split(r"[,\n]", self.block(name, most=most * 320))
        entries = list(dict.fromkeys(part.strip() for part in parts if part.strip()))
        if len(entries) > most:
            self.fault(name, TOO_LONG)
            return []
        return entries

    def flag(self, name: str) -> bool:
        """Return whether a box was ticked."""
        return self.raw(name) not in ("", "0", "off", "false")


async def read_form(request: Request) -> Form:
    """Read the body of a form; HTTPException 415, 413 or 400 when it is none, too large or damaged."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
        raise HTTPException(415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX:
            raise HTTPException(413)
    return parse_form(bytes(body))


def parse_form(body: bytes) -> Form:
    """Return the form in a body; HTTPException 400 for what no browser sends."""
    fields: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_FIELDS_MAX,
        )
    except ValueError:
        raise HTTPException(400) from None
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Form(fields)
