"""Owns in which formats a statement is handed out, and what a browser must know of each.

Must not know who asks, nor by which address.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from tollbridge.billing import statement_csv, statement_html, statement_pdf
from tollbridge.billing.statement_lines import statement_fields
from tollbridge.billing.statements import Statement

_SAFE = re.compile(r"[^0-9A-Za-z.\-]+", re.ASCII)


class StatementFile(NamedTuple):
    """A statement as bytes, and the headers that they are sent with."""

    body: bytes
    headers: Mapping[str, str]


class _Format(NamedTuple):
    media_type: str
    write: Callable[[Statement], bytes]


async def statement_file(one: Statement, name: str) -> StatementFile:
    """Return a statement in a format of FORMATS, made in a thread."""
    form = FORMATS[name]
    body = await asyncio.to_thread(form.write, one)
    zone = _SAFE.sub("-", one.zone)
    headers = {
        "content-type": form.media_type,
        "content-disposition": f'inline; filename="statement-{one.month}-{zone}.{name}"',
        "content-security-policy": statement_html.POLICY,
    }
    return StatementFile(body, headers)


def _json(one: Statement) -> bytes:
    return msgspec.json.encode(statement_fields(one))


FORMATS: Final[Mapping[str, _Format]] = MappingProxyType(
    {
        "json": _Format("application/json", _json),
        "csv": _Format(statement_csv.MEDIA_TYPE, statement_csv.statement_csv),
        "html": _Format(statement_html.MEDIA_TYPE, statement_html.statement_html),
        "pdf": _Format(statement_pdf.MEDIA_TYPE, statement_pdf.statement_pdf),
    }
)
"""What a statement is written in."""
