"""Owns GET /v1/statements/{month}: a user's month as JSON, CSV, HTML or PDF."""

from typing import Final

from fastapi import APIRouter, Request, Response

from tollbridge.api.answers import PRIVATE, services_of
from tollbridge.api.caller import Caller
from tollbridge.api.database import asking
from tollbridge.api.statistics import refused
from tollbridge.billing.statement_files import FORMATS, statement_file
from tollbridge.billing.statements import Statement, find_account, read_statement
from tollbridge.billing.statistics import Unanswerable
from tollbridge.core.clock import now_ms
from tollbridge.core.errors import ApiError, Kind

router = APIRouter()

_PARAMETERS: Final = frozenset({"format", "zone", "key"})


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
    """Return a statement in a format; it may say besides that nobody keeps it."""
    file = await statement_file(one, name)
    return Response(file.body, headers=dict(file.headers))
