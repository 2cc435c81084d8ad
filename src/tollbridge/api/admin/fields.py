"""Owns the forms of single values in the control plane's JSON: ids, money, moments.

Ids are strings because they exceed what a JavaScript number keeps; money is an exact decimal string
in dollars; moments are ISO 8601 in UTC. Must not know which fields have them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
)

from tollbridge.billing.receipt_fields import time_text
from tollbridge.core.money import format_usd, parse_usd
from tollbridge.core.storable import INT64_MAX, id_in, storable

ID_PATTERN = r"^[0-9]{1,19}$"
TID_PATTERN = r"^[0-9a-f]{32}$"
_EARLIEST_MS, _LATEST_MS = 946_684_800_000, 4_102_444_800_000

_ID_SCHEMA = WithJsonSchema({"type": "string", "pattern": ID_PATTERN, "examples": ["1234567890"]})
_MONEY_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2,9}$", "description": "US dollars, exact."}
)
_GIVEN_MONEY_SCHEMA = WithJsonSchema(
    {
        "type": "string",
        "pattern": r"^[0-9]{1,9}(\.[0-9]{1,9})?$",
        "description": "US dollars, exact.",
        "examples": ["12.50"],
    }
)
_SIGNED_MONEY_SCHEMA = WithJsonSchema(
    {
        "type": "string",
        "pattern": r"^-?[0-9]{1,7}(\.[0-9]{1,9})?$",
        "description": "US dollars, exact; below zero to take.",
        "examples": ["12.50", "-3.00"],
    }
)
_MOMENT_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})


def id_of(value: object) -> int:
    """Return the number of an id as it travels; ValueError when it is none."""
    number = id_in(value) if isinstance(value, str) else None
    if number is None:
        raise ValueError("An id is a string of at most 19 digits.")
    return number


def moment_of(value: object) -> int:
    """Return milliseconds since 1970 of an ISO 8601 text with its offset; ValueError when it is none."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("A moment is ISO 8601 with Z or an offset, like 2026-01-01T00:00:00Z.")
    at_ms = int(moment.timestamp()) * 1000 + moment.microsecond // 1000
    if not _EARLIEST_MS <= at_ms <= _LATEST_MS:
        raise ValueError("A moment lies between the years 2000 and 2100.")
    return at_ms


def nano_of(value: object) -> int:
    """Return nano-dollars of a decimal string of dollars without a sign; ValueError for anything else."""
    if isinstance(value, str):
        return parse_usd(value)
    raise ValueError("An amount is a string of decimal digits, like 12.50.")


def signed_nano_of(value: object) -> int:
    """Return nano-dollars as `nano_of` does, below zero where a minus stands before them."""
    if isinstance(value, str) and value.startswith("-"):
        return -parse_usd(value[1:])
    return nano_of(value)


def kept_of(value: object) -> object:
    """Return what was given, texts and numbers alike; ValueError where no database can hold it."""
    if isinstance(value, str) and not storable(value):
        raise ValueError("U+0000 and half characters are not allowed.")
    if isinstance(value, int) and not -INT64_MAX <= value <= INT64_MAX:
        raise ValueError("A number has at most 63 bits.")
    if isinstance(value, Mapping):
        kept_of([*value, *value.values()])
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            kept_of(one)
    return value


def _without_control(text: str) -> str:
    if not text.isprintable():
        raise ValueError("Control characters are not allowed.")
    return text


Id = Annotated[int, PlainSerializer(str), _ID_SCHEMA]
"""An id in an answer: made of a number, written as a string."""

GivenId = Annotated[int, BeforeValidator(id_of), _ID_SCHEMA]
"""An id in a request: a string, read as a number."""

PathId = Annotated[GivenId, Path()]

Usd = Annotated[int, PlainSerializer(format_usd), _MONEY_SCHEMA]
"""Nano-dollars, written as dollars."""

OwnCost = Annotated[
    Usd | None, Field(description="What the operator pays; null to all but admins.")
]
Margin = Annotated[Usd | None, Field(description="charge - own_cost; null to all but admins.")]

GivenUsd = Annotated[int, BeforeValidator(nano_of), _GIVEN_MONEY_SCHEMA]
"""Dollars, read as nano-dollars."""

GivenSignedUsd = Annotated[int, BeforeValidator(signed_nano_of), _SIGNED_MONEY_SCHEMA]
"""Dollars that may be below zero, read as nano-dollars."""

Moment = Annotated[int, PlainSerializer(time_text), _MOMENT_SCHEMA]
"""Milliseconds since 1970, written as ISO 8601."""

GivenMoment = Annotated[int, BeforeValidator(moment_of), _MOMENT_SCHEMA]
"""ISO 8601, read as milliseconds since 1970."""

PlainText = Annotated[str, AfterValidator(_without_control)]


class Answer(BaseModel):
    """What an answer is made of; the names of its fields are the API."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Parameters(BaseModel):
    """The query of a request: exactly the named parameters, with nothing that cannot be kept."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    _kept = field_validator("*")(kept_of)


class Body(Parameters):
    """What a request may have: exactly the named fields, of exactly the named types."""

    model_config = ConfigDict(strict=True)
