"""Proof that a CSV can be read back to what it was, and that no cell of it is a formula."""

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from tollbridge.cli import usage_files
from tollbridge.cli.usage_files import CsvFile, ParquetFile
from tollbridge.storage.usage_export import FIELDS, NULLABLE, Form

_VALUES = {
    Form.TEXT: st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    Form.INT: st.integers(-(2**63), 2**63 - 1),
    Form.BOOL: st.booleans(),
    Form.MONEY: st.integers(0, 2**63 - 1),
    Form.TIME: st.integers(0, 253_402_300_799_999),
}


def _of(field):
    values = _VALUES[field.form]
    return st.none() | values if field.name in NULLABLE else values


ROWS = st.lists(st.tuples(*map(_of, FIELDS)), max_size=4)


def written(rows) -> str:
    out = io.BytesIO()
    file = CsvFile(out)
    file.add(rows)
    file.end()
    return out.getvalue().decode()


@given(ROWS)
def test_a_csv_has_every_value_exactly(rows):
    names, *lines = csv.reader(io.StringIO(written(rows), newline=""))
    assert names == [field.name for field in FIELDS]
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        for field, cell, value in zip(FIELDS, line, row, strict=True):
            match field.form:
                case _ if value is None:
                    assert cell == ""
                case Form.TEXT:
                    assert cell.removeprefix("'") == value
                    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
                case Form.MONEY:
                    assert Decimal(cell) * 10**9 == value
                case Form.INT:
                    assert int(cell) == value


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "'"]
)
def test_what_a_spreadsheet_would_run_is_marked(text: str):
    row = [text if field.name == "key_name" else _plain(field) for field in FIELDS]
    (_, line) = csv.reader(io.StringIO(written([row]), newline=""))
    assert line[[field.name for field in FIELDS].index("key_name")] == "'" + text


def _plain(field):
    return {Form.TEXT: "x", Form.BOOL: False}.get(field.form, 1)


def test_lines_end_as_the_standard_has_it():
    assert written([]) == ",".join(field.name for field in FIELDS) + "\r\n"


def test_parquet_comes_in_groups_and_is_whole_at_the_end(monkeypatch):
    monkeypatch.setattr(usage_files, "_ROW_GROUP", 4)
    out = io.BytesIO()
    file = ParquetFile(out)
    for size in (3, 3, 1):
        file.add([[_plain(field) for field in FIELDS]] * size)
    file.end()
    found = parquet.ParquetFile(io.BytesIO(out.getvalue()))
    assert [found.metadata.row_group(n).num_rows for n in range(found.num_row_groups)] == [6, 1]
    schema = found.schema_arrow
    assert str(schema.field("charge_usd").type) == "decimal128(38, 9)"
    assert str(schema.field("started_at").type) == "timestamp[ms, tz=UTC]"
    assert [of.name for of in schema if of.nullable] == [
        f.name for f in FIELDS if f.name in NULLABLE
    ]


def test_an_empty_parquet_has_its_columns():
    out = io.BytesIO()
    ParquetFile(out).end()
    assert parquet.read_table(io.BytesIO(out.getvalue())).column_names == [f.name for f in FIELDS]
