"""Proof that the CSV reads back as it was, and that no spreadsheet computes anything of it."""

import csv
import io

import pytest

from tests.billing.months import STRANGE, statement, strange
from tollbridge.billing.statement_csv import statement_csv
from tollbridge.billing.statement_lines import lines


def read(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode(), newline=""), strict=True))


def test_it_reads_back():
    rows = read(statement_csv(statement()))
    assert [tuple(row.values()) for row in rows if row["section"] != "Statement"] == [
        tuple(line) for line in lines(statement())
    ]
    assert {row["what"] for row in rows if row["section"] == "Statement"} >= {"Account", "Period"}


@pytest.mark.parametrize("name", STRANGE)
def test_names_are_never_formulas(name: str):
    rows = read(statement_csv(strange(name)))
    assert len(rows) == len(read(statement_csv(statement())))
    for row in rows:
        for cell in ("section", "when", "what", "detail"):
            assert row[cell].lstrip(" \xa0")[:1] not in set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
