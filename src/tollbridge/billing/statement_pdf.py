"""Owns a statement as PDF: the same bytes for the same statement.

The fonts that every reader has know Latin letters alone: others are written as their code points.
Takes tenths of a second of CPU, so it belongs in a thread.
"""

from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from tollbridge.billing.statement_lines import COLUMNS, head, lines, title
from tollbridge.billing.statements import Statement

if TYPE_CHECKING:
    from fpdf import FPDF

MEDIA_TYPE = "application/pdf"

_FONT = "helvetica"
_SIZE, _HEAD_SIZE, _TITLE_SIZE = 8, 11, 16
_LINE_MM = 4.5
_WIDTHS_MM = (44, 52, 48, 16, 30)
_ALIGN = ("LEFT", "LEFT", "LEFT", "RIGHT", "RIGHT")
_CELL_MAX = 300


def statement_pdf(one: Statement) -> bytes:
    """Return the statement on as many pages as it takes."""
    # It takes a while to import, and most processes never need it.
    from fpdf import FPDF  # noqa: PLC0415

    pdf = FPDF(format="A4")
    pdf.set_margins(10, 12)
    pdf.set_creation_date(datetime.fromtimestamp(one.span.end_ms // 1000, UTC))
    pdf.set_title(latin(title(one)))
    pdf.add_page()
    pdf.set_font(_FONT, "B", _TITLE_SIZE)
    pdf.cell(0, 10, latin(title(one)), new_x="LMARGIN", new_y="NEXT")
    pdf.set_font(_FONT, "", _SIZE)
    for name, value in head(one):
        pdf.multi_cell(0, _LINE_MM, latin(f"{name}: {value}"), new_x="LMARGIN", new_y="NEXT")
    for name, group in groupby(lines(one), lambda line: line.section):
        _section(pdf, name, [line[1:] for line in group])
    return bytes(pdf.output())


def _section(pdf: "FPDF", name: str, rows: list[tuple[str, ...]]) -> None:
    pdf.ln(3)
    pdf.set_font(_FONT, "B", _HEAD_SIZE)
    pdf.cell(0, 8, latin(name), new_x="LMARGIN", new_y="NEXT")
    pdf.set_font(_FONT, "", _SIZE)
    with pdf.table(
        col_widths=_WIDTHS_MM,
        text_align=_ALIGN,
        line_height=_LINE_MM,
        borders_layout="HORIZONTAL_LINES",
    ) as table:
        for cells in (tuple(column.capitalize() for column in COLUMNS), *rows):
            shown = table.row()
            for cell in cells:
                shown.cell(latin(cell))


def latin(text: str) -> str:
    """Return a text in letters that the fonts have: others as code points, control characters too."""
    clipped = text if len(text) <= _CELL_MAX else f"{text[:_CELL_MAX]}..."
    shown = "".join(
        letter if letter.isprintable() or letter == " " else ascii(letter)[1:-1]
        for letter in clipped
    )
    return shown.encode("latin-1", "backslashreplace").decode("latin-1")
