"""Owns GET /v1/statements/{month}: a user's month as JSON, CSV, HTML or PDF."""

import asyncio
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec
from fastapi import APIRouter, Request, Response

from tollbridge.api import statement_csv, statement_html, statement_pdf
from tollbridge.api.answers import PRIVATE, services_of
from tollbridge.api.caller import Caller
from tollbridge.api.database import asking
from tollbridge.api.statement_lines import statement_fields
from tollbridge.api.statistics import refused
from tollbridge.billing.statements import Statement, find_account, read_statement
from tollbridge.billing.statistics import Unanswerable
from tollbridge.core.clock import now_ms
from tollbridge.core.errors import ApiError, Kind

router = APIRouter()

_PARAMETERS = frozenset({"format", "zone", "key"})
_SAFE = re.compile(r"[^0-9A-Za-z.\-]+", re.ASCII)


class _Format(NamedTuple):
    media_type: str
    write: Callable[[Statement], bytes]


@router.api_route("/v1/statements/{month}", methods=["GET", "HEAD"])
async def statement(request: Request, month: str, key: Caller) -> Response:
    """Show a month of the user's wallet; a key with nothing left to spend may ask."""
    asked = request.query_params
    try:
        if asked.keys() - _PARAMETERS:
            raise Unanswerable("query", "there are no other parameters than format and zone")
        wanted = format_of(asked.get("format", "json"))
        async with asking(services_of(request).engine) as connection:
            account = await find_account(connection, key.user_id)
            if account is None:
                raise ApiError(Kind.NOT_FOUND, "There is no such user.")
            found = await read_statement(
                connection, account, month, asked.get("zone", "UTC"), now_ms()
            )
    except Unanswerable as error:
        raise refused(error) from None
    response = await written(found, wanted)
    response.headers.update(PRIVATE)
    return response


def format_of(name: str) -> str:
    """Return the name of a format; Unanswerable for what is none."""
    if name not in FORMATS:
        raise Unanswerable("format", "must be json, csv, html or pdf")
    return name


async def written(one: Statement, name: str) -> Response:
    """Return a statement in a format, made in a thread; it may say besides that nobody keeps it."""
    form = FORMATS[name]
    body = await asyncio.to_thread(form.write, one)
    zone = _SAFE.sub("-", one.zone)
    headers = {
        "content-type": form.media_type,
        "content-disposition": f'inline; filename="statement-{one.month}-{zone}.{name}"',
        "content-security-policy": statement_html.POLICY,
    }
    return Response(body, headers=headers)


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
