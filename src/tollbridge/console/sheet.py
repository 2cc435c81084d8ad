"""Owns a file of figures for a spreadsheet: CSV (RFC 4180) in UTF-8 with its mark, a line at a time.

Texts of others are never formulas. Must not know what is in it.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from starlette.responses import Response, StreamingResponse

from tollbridge.core.spreadsheet import plain

Row = Sequence[str | int | None]

_BOM: Final = "\ufeff"
_MEDIA_TYPE: Final = "text/csv; charset=utf-8; header=present"


def sheet(name: str, header: Row, rows: Iterable[Row]) -> Response:
    """Return a file that is there as a whole."""
    content = _BOM + lines([header, *rows])
    return Response(_bytes(content), media_type=_MEDIA_TYPE, headers=_headers(name))


def long_sheet(name: str, header: Row, chunks: AsyncIterator[Sequence[Row]]) -> Response:
    """Return a file whose rows are read while it is sent."""

    async def content() -> AsyncIterator[bytes]:
        yield _bytes(_BOM + lines([header]))
        async for rows in chunks:
            yield _bytes(lines(rows))

    return StreamingResponse(content(), media_type=_MEDIA_TYPE, headers=_headers(name))


def lines(rows: Iterable[Row]) -> str:
    """Return rows as lines; a text that a spreadsheet would compute gets an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for row in rows:
        writer.writerow([plain(cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue()


def _headers(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
