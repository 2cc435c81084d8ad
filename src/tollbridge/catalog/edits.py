"""Owns what an edit of the catalogue changed, as the audit log tells it: names, before, after.

Of sealed columns it is told whether they hold anything, and never what.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tollbridge.catalog.lines import Lines
from tollbridge.catalog.sealed import SEALED_COLUMNS

NOWHERE: Final = Lines("")
"""The lines of a table that stands in no file."""

_SEALED: Final = frozenset(name for names in SEALED_COLUMNS.values() for name in names)
_UNTOLD: Final = frozenset({"id", "created_ms", "channel_id"})


class NoSuchRow(LookupError):
    """There is no such channel, account or model."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing that was made or changed. `action` is noun.verb; nothing differs if `after` is empty."""

    action: str
    kind: str
    id: int
    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def edit_of(
    action: str,
    kind: str,
    row: Mapping[Any, Any] | None,
    row_id: int,
    name: str,
    changes: Mapping[str, Any],
) -> Edit:
    """Return the edit that wrote these columns over `row`, over nothing where it is None."""
    told = [column for column in changes if column not in _UNTOLD]
    return Edit(
        action,
        kind,
        row_id,
        name,
        {column: _told(column, row[column]) for column in told} if row is not None else {},
        {column: _told(column, changes[column]) for column in told},
    )


def _told(column: str, value: object) -> object:
    if column in _SEALED:
        return "set" if value else "none"
    return value
