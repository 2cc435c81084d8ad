"""Owns a statement as CSV (RFC 4180), safe to open in a spreadsheet."""

import csv
import io

from tollbridge.billing.statement_lines import COLUMNS, head, lines
from tollbridge.billing.statements import Statement
from tollbridge.core.spreadsheet import plain

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"


def statement_csv(one: Statement) -> bytes:
    """Return the statement: one table, the section in the first column."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(("section", *COLUMNS))
    for name, value in head(one):
        writer.writerow(("Statement", "", name, plain(value), "", ""))
    for line in lines(one):
        # Counts and amounts are numbers of ours, and stay numbers.
        words = (plain(cell) for cell in (line.when, line.what, line.detail))
        writer.writerow((line.section, *words, line.calls, line.amount))
    return text.getvalue().encode("utf-8", "backslashreplace")
