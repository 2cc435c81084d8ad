"""Owns the files that usage is exported to: CSV and Parquet, written as the rows come.

Must not know where the rows come from. What a file has in it: docs/export.md.
"""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from importlib import import_module
from typing import Any, BinaryIO, Protocol

from tollbridge.core.money import format_usd
from tollbridge.storage.usage_export import FIELDS, NULLABLE, Form, Row, moment

_ROW_GROUP = 50_000
# A spreadsheet takes what begins so for a formula. The mark itself is marked too, so that whoever
# takes one away from every cell that begins with it has the text as it was.
_ACTIVE = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_MARK = "'"


class NoParquet(Exception):
    """Parquet needs a package that is not installed; the text says which."""

    def __init__(self) -> None:
        super().__init__(
            "Parquet needs pyarrow, which is not installed: pip install 'tollbridge[parquet]'"
        )


class UsageFile(Protocol):
    """A file that rows can be added to; without `end` it is not whole."""

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows, each with the values of FIELDS."""

    def end(self) -> None:
        """Write what is still kept back; the file under it stays open."""


class CsvFile:
    """CSV in UTF-8 as RFC 4180 has it; the first line has the names."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._write([field.name for field in FIELDS])

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows at once."""
        self._write(*map(_cells, rows))

    def end(self) -> None:
        """Nothing is kept back."""

    def _write(self, *lines: Sequence[str]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(lines)
        self._out.write(text.getvalue().encode())


class ParquetFile:
    """Parquet with decimal128(38, 9) dollars and UTC timestamps, in groups of 50,000 rows."""

    def __init__(self, out: BinaryIO) -> None:
        """Begin the file; NoParquet without the extra `parquet`."""
        try:
            self._arrow: Any = import_module("pyarrow")
            parquet: Any = import_module("pyarrow.parquet")
        except ImportError:
            raise NoParquet from None
        types = {
            Form.TEXT: self._arrow.string(),
            Form.INT: self._arrow.int64(),
            Form.BOOL: self._arrow.bool_(),
            Form.MONEY: self._arrow.decimal128(38, 9),
            Form.TIME: self._arrow.timestamp("ms", tz="UTC"),
        }
        self._schema = self._arrow.schema(
            self._arrow.field(field.name, types[field.form], nullable=field.name in NULLABLE)
            for field in FIELDS
        )
        self._writer = parquet.ParquetWriter(out, self._schema, compression="zstd")
        self._batches: list[Any] = []
        self._kept = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Keep rows until they make a group."""
        arrays = [
            self._arrow.array([_arrow_value(field.form, value) for value in column], of.type)
            for field, column, of in zip(FIELDS, zip(*rows, strict=True), self._schema, strict=True)
        ]
        self._batches.append(self._arrow.record_batch(arrays, schema=self._schema))
        self._kept += len(rows)
        if self._kept >= _ROW_GROUP:
            self._flush()

    def end(self) -> None:
        """Write the last group and the directory of the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._batches:
            table = self._arrow.Table.from_batches(self._batches, self._schema)
            self._writer.write_table(table, row_group_size=self._kept)
        self._batches, self._kept = [], 0


def _cells(row: Row) -> list[str]:
    return [_cell(field.form, value) for field, value in zip(FIELDS, row, strict=True)]


def _cell(form: Form, value: Any) -> str:
    if value is None:
        return ""
    match form:
        case Form.TEXT:
            return f"{_MARK}{value}" if value.startswith(_ACTIVE) else str(value)
        case Form.MONEY:
            return format_usd(value)
        case Form.TIME:
            return moment(value)
        case Form.BOOL:
            return "true" if value else "false"
        case Form.INT:
            return str(value)


def _arrow_value(form: Form, value: Any) -> Any:
    # An amount has at most 19 digits, so that no context of decimals rounds it.
    return Decimal(format_usd(value)) if form is Form.MONEY else value
