"""Owns /api/admin/users/{id}/statements/{month}: a user's month, as the user sees it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.admin.fields import PathId, PlainText
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import not_found
from tollbridge.api.admin.statistics import refused
from tollbridge.api.answers import services_of
from tollbridge.api.statements import written
from tollbridge.billing.statements import find_account, read_statement
from tollbridge.billing.statistics import Unanswerable
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.storage.unit_of_work import reading

router = APIRouter(prefix="/users", tags=["statistics"])


class StatementQuery(BaseModel):
    """In which form."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    format: Literal["json", "csv", "html", "pdf"] = "json"
    zone: PlainText = Field("UTC", max_length=64, description="Whose days and month: an IANA name.")


@router.get("/{user_id}/statements/{month}", response_class=Response)
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
