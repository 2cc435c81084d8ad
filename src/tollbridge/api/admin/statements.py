"""Owns /api/admin/users/{id}/statements/{month}: a user's month, as the user sees it."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from tollbridge.api.admin.fields import Answer, Parameters, PathId, PlainText
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import not_found
from tollbridge.api.admin.statistics import Named, refused
from tollbridge.api.answers import services_of
from tollbridge.api.statements import written
from tollbridge.billing.statements import find_account, read_statement
from tollbridge.billing.statistics import Unanswerable
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.storage.unit_of_work import reading

router = APIRouter(prefix="/users", tags=["statistics"])


class StatementQuery(Parameters):
    """In which form."""

    format: Literal["json", "csv", "html", "pdf"] = "json"
    zone: PlainText = Field("UTC", max_length=64, description="Whose days and month: an IANA name.")


class StatementEntry(Answer):
    """What came (above zero) or went besides charges of calls."""

    time: str
    kind: str
    ref: str
    amount: str


class StatementDay(Answer):
    """What the calls of a day were charged, before anything was given back."""

    day: str
    calls: int
    charge: str


class StatementModel(Answer):
    """What the month's calls to a model through a channel were charged, likewise."""

    model: str
    channel: Named
    calls: int
    charge: str


class StatementAnswer(Answer):
    """A month: opening + credits - debits - charges = closing. Amounts are exact decimals in dollars."""

    object: Literal["statement"]
    month: str
    zone: str
    from_: str = Field(alias="from")
    to: str
    email: str
    currency: str
    is_final: bool = Field(description="Whether nothing of it can change any more.")
    complete_until: str | None
    opening: str
    credits: str
    debits: str
    charges: str
    closing: str
    entries: list[StatementEntry]
    days: list[StatementDay]
    models: list[StatementModel]


FORMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "model": StatementAnswer,
        "description": "JSON, or the form asked for.",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "text/html": {"schema": {"type": "string"}},
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
"""What a route of statements answers."""


@router.get("/{user_id}/statements/{month}", responses=FORMS)
async def show_statement(
    request: Request,
    user_id: PathId,
    month: Annotated[str, Path(max_length=7, description="Like 2026-03.")],
    asked: Annotated[StatementQuery, Query()],
    _principal: Annotated[Principal, require(Scope.STATISTICS_READ)],
) -> Response:
    """Show a month of a user's wallet: what came and went, and what was left."""
    try:
        async with reading(services_of(request).engine) as connection:
            account = await find_account(connection, user_id)
            if account is None:
                raise not_found("such user")
            found = await read_statement(connection, account, month, asked.zone, now_ms())
    except Unanswerable as error:
        raise refused(error, "path" if error.field == "month" else "query") from None
    return await written(found, asked.format)
