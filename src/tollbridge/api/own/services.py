"""Owns what /api/user needs besides the wiring of all: doors, and who asks as the books know them."""

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.api.admin.principal import Principal
from tollbridge.api.admin.problems import not_found
from tollbridge.billing.statements import Account, find_account
from tollbridge.core.clock import now_ms
from tollbridge.identity.doors import Door, Doors


async def knock(request: Request, door: Door, who: str) -> None:
    """Count a try at a door; DoorShut when there were too many."""
    doors: Doors = request.app.state.doors
    await doors.knock(door, who, now_ms())


async def account_of(connection: AsyncConnection, principal: Principal) -> Account:
    """Return the account of who asks; Problem 404 when it was deleted meanwhile."""
    account = await find_account(connection, principal.user_id)
    if account is None:
        raise not_found("such user")
    return account
