"""Owns GET /api/admin/me: whose token asks, and what it is good for."""

from typing import Annotated

from fastapi import APIRouter

from tollbridge.api.admin.fields import Answer, Id, Moment
from tollbridge.api.admin.principal import Principal, require
from tollbridge.identity.scopes import Scope

router = APIRouter(prefix="/me", tags=["me"])


class Me(Answer):
    """The user and the token that ask. `scopes` are those that hold now, for the user's role."""

    user_id: Id
    email: str
    role: str
    token_id: Id
    token_name: str
    token_last6: str
    scopes: list[Scope]
    expires_at: Moment | None


@router.get("")
async def me(principal: Annotated[Principal, require(None)]) -> Me:
    """Show who asks. Any live token of an operator will do."""
    token = principal.token
    return Me(
        user_id=token.user_id,
        email=token.email,
        role=token.role,
        token_id=token.id,
        token_name=token.name,
        token_last6=token.last6,
        scopes=sorted(principal.scopes),
        expires_at=token.expires_ms,
    )
