"""Owns reading one table of the configuration file: each field typed, each fault with its line.

Reasons name fields, never values: a value may be a secret. Pure.
"""

from calendar import timegm
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from tollbridge.catalog.lines import Lines, Path
from tollbridge.core.money import Multiplier, parse_usd
from tollbridge.core.phrase import phrase, reason_of

_INT64_MAX = 2**63 - 1


class FileError(ValueError):
    """The configuration file is wrong: nothing of it is applied. Says line and reason.

    `field` is the one to blame within its table, such as "peak.from"; "" is the table as a whole.
    """

    def __init__(self, line: int, reason: str, field: str = "") -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason
        self.field = field


class Fields:
    """One table of the file and the fields that may stand in it."""

    def __init__(
        self, table: Any, path: Path, lines: Lines, known: Collection[str], *, what: str
    ) -> None:
        """Refuse anything but a table, and fields that are not `known`; `what` names it in reasons."""
        self._path = path
        self._lines = lines
        self._what = what
        if not isinstance(table, dict):
            raise self.error("", phrase("%(what)s must be a table", what=what))
        self._table: dict[str, Any] = table
        for name in table:
            if name not in known:
                raise self.error(name, _unknown(what, name, known))

    @property
    def line(self) -> int:
        """Where the table begins."""
        return self._lines.of(self._path)

    def __contains__(self, name: str) -> bool:
        """Tell whether the field is given."""
        return name in self._table

    def error(self, name: str, reason: str) -> FileError:
        """Return the error that blames a field (or "" for the whole table) for a reason."""
        path = (*self._path, name) if name else self._path
        return FileError(self._lines.of(path), reason, ".".join(map(str, path)))

    def _value(self, name: str, kind: type, expected: str) -> Any:
        value = self._table.get(name)
        if value is None:
            raise self.error("", phrase("%(what)s needs %(name)s", what=self._what, name=name))
        # In Python a boolean is an integer; in the file it is not.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(name, phrase("%(name)s must be %(kind)s", name=name, kind=expected))
        return value

    def text(self, name: str, default: str | None = None, *, longest: int = 256) -> str:
        """Return a non-empty printable string; required when there is no default."""
        if name not in self and default is not None:
            return default
        value: str = self._value(name, str, phrase('a string in "quotes"'))
        if not value.strip() or value != value.strip():
            reason = phrase("%(name)s must not be empty nor begin or end with a blank", name=name)
            raise self.error(name, reason)
        if len(value) > longest or not value.isprintable():
            raise self.error(name, not_printable(name, longest))
        return value

    def choice(self, name: str, options: Sequence[str], default: str | None = None) -> str:
        """Return one of the options."""
        value = self.text(name, default)
        if value not in options:
            raise self.error(name, none_of(name, options))
        return value

    def boolean(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        return bool(self._value(name, bool, phrase("true or false"))) if name in self else default

    def integer(self, name: str, default: int | None, lowest: int, highest: int) -> int:
        """Return a whole number within bounds; required when there is no default."""
        if name not in self and default is not None:
            return default
        value: int = self._value(name, int, phrase("a whole number"))
        if not lowest <= value <= highest:
            bounds = {"lowest": lowest, "highest": highest}
            reason = phrase("%(name)s must be from %(lowest)s to %(highest)s", name=name, **bounds)
            raise self.error(name, reason)
        return value

    def money(self, name: str, highest: int = _INT64_MAX) -> int | None:
        """Return nano-dollars, exactly what the decimal string says; None when not given."""
        if name not in self:
            return None
        text = self._value(name, str, phrase('a decimal string like "2.50"'))
        try:
            amount = parse_usd(text)
        except ValueError as error:
            raise self.error(name, _spelled(name, error)) from None
        if amount > highest:
            raise self.error(name, phrase("%(name)s is more than any sane amount", name=name))
        return amount

    def multiplier(self, name: str, default: str, *, lowest: int, highest: int) -> Multiplier:
        """Return an exact factor from `lowest` (0: zero is allowed, 1: above zero) to `highest`."""
        if name not in self:
            return Multiplier.parse(default)
        text = self._value(name, str, phrase('a decimal string like "0.15"'))
        try:
            factor = Multiplier.parse(text)
        except ValueError as error:
            raise self.error(name, _spelled(name, error)) from None
        if factor.num < lowest or factor.num > highest * factor.den:
            pattern = (
                phrase("must be above 0 and at most %(highest)s", highest=highest)
                if lowest
                else phrase("must be at least 0 and at most %(highest)s", highest=highest)
            )
            raise self.error(name, phrase("%(name)s %(fault)s", name=name, fault=pattern))
        return factor

    def factor(self, name: str, default: str, *, highest: int) -> Multiplier:
        """Return an exact factor above zero with at most three decimals."""
        factor = self.multiplier(name, default, lowest=1, highest=highest)
        if 1_000 % factor.den:
            raise self.error(name, phrase("%(name)s may have three decimals", name=name))
        return factor

    def moment(self, name: str) -> int:
        """Return a moment in milliseconds since 1970: a TOML date-time with its offset, or a string."""
        given = self._table.get(name)
        if given is None:
            raise self.error("", phrase("%(what)s needs %(name)s", what=self._what, name=name))
        try:
            moment = datetime.fromisoformat(given) if isinstance(given, str) else given
        except ValueError:
            moment = None
        at_ms = _in_utc(moment) if isinstance(moment, datetime) else None
        if at_ms is None:
            raise self.error(name, no_moment(name))
        return at_ms

    def texts(self, name: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return a list of different non-empty strings; required when there is no default."""
        if name not in self and default is not None:
            return tuple(default)
        values: list[Any] = self._value(name, list, phrase("a list of strings"))
        for value in values:
            if not isinstance(value, str) or not value.strip() or not value.isprintable():
                raise self.error(
                    name, phrase("%(name)s must be a list of non-empty strings", name=name)
                )
        if len(set(values)) != len(values):
            raise self.error(name, phrase("%(name)s names something twice", name=name))
        return tuple(values)

    def tables(self, name: str, known: Collection[str], *, what: str) -> list["Fields"]:
        """Return the tables of an array of tables; none when not given."""
        if name not in self:
            return []
        rows: list[Any] = self._value(
            name, list, phrase("an array of tables: [[%(name)s]]", name=name)
        )
        return [
            Fields(row, (*self._path, name, index), self._lines, known, what=what)
            for index, row in enumerate(rows)
        ]

    def table(self, name: str, known: Collection[str], *, what: str) -> "Fields | None":
        """Return the table of a name; None when not given."""
        if name not in self:
            return None
        return Fields(self._table[name], (*self._path, name), self._lines, known, what=what)

    def raw(self, name: str) -> Any:
        """Return the value as TOML gave it, None when not given."""
        return self._table.get(name)

    def later(self, neutral: Mapping[str, object], reason: str) -> None:
        """Refuse fields that this version does not honour, unless they ask for nothing."""
        for name, nothing in neutral.items():
            value = self._table.get(name, nothing)
            if value != nothing or type(value) is not type(nothing):
                raise self.error(name, phrase("%(name)s: %(fault)s", name=name, fault=reason))


def _in_utc(moment: datetime) -> int | None:
    """Return milliseconds since 1970; None without an offset, or where it leads out of all years."""
    if moment.tzinfo is None:
        return None
    try:
        return timegm(moment.utctimetuple()) * 1000 + moment.microsecond // 1000
    except OverflowError:
        return None


def none_of(name: str, options: Sequence[str]) -> str:
    """Return the reason against a field that is none of what it may be."""
    return phrase("%(name)s must be one of %(options)s", name=name, options=", ".join(options))


def may_hold(name: str, options: Sequence[str]) -> str:
    """Return the reason against a list that holds what it may not."""
    return phrase("%(name)s may hold %(options)s", name=name, options=", ".join(options))


def not_printable(name: str, longest: int) -> str:
    """Return the reason against a text that is too long, or has what cannot be printed."""
    return phrase(
        "%(name)s must be printable, at most %(longest)s characters", name=name, longest=longest
    )


def no_moment(name: str) -> str:
    """Return the reason against a field that is no moment."""
    return phrase(
        "%(name)s must be a date-time with an offset, like 2030-01-31T00:00:00Z", name=name
    )


def _spelled(name: str, error: ValueError) -> str:
    return phrase("%(name)s %(fault)s", name=name, fault=reason_of(error))


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, n=1)
    named = {"what": what, "name": repr(name)}
    if close:
        return phrase(
            "%(what)s has no field %(name)s; did you mean %(close)s?", **named, close=close[0]
        )
    listed = ", ".join(sorted(known))
    return phrase("%(what)s has no field %(name)s; it may have %(known)s", **named, known=listed)
