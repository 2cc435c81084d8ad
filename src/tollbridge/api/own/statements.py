"""Owns /api/user/statements/{month}: one's own month as JSON, CSV, HTML or PDF."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.statements import FORMS, StatementQuery
from tollbridge.api.admin.statistics import refused
from tollbridge.api.answers import services_of
from tollbridge.api.own.services import account_of
from tollbridge.api.statements import written
from tollbridge.billing.statements import read_statement
from tollbridge.billing.statistics import Unanswerable
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.storage.unit_of_work import reading

router = APIRouter(prefix="/statements", tags=["wallet"])


@router.get("/{month}", responses=FORMS)
async def show_statement(
    request: Request,
    month: Annotated[str, Path(max_length=7, description="Like 2026-03.")],
    asked: Annotated[StatementQuery, Query()],
    principal: Annotated[Principal, require(Scope.OWN_READ)],
) -> Response:
    """Show a month of one's wallet: what came and went, and what was left."""
    try:
        async with reading(services_of(request).engine) as connection:
            account = await account_of(connection, principal)
            found = await read_statement(connection, account, month, asked.zone, now_ms())
    except Unanswerable as error:
        raise refused(error, "path" if error.field == "month" else "query") from None
    return await written(found, asked.format)
