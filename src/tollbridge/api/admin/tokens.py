"""Owns /api/admin/tokens: access tokens listed, made and revoked.

Admins see everybody's, others their own. A token never makes one that is good for more or lives
longer than itself.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from tollbridge.api.admin.fields import (
    Answer,
    Body,
    GivenId,
    GivenMoment,
    Id,
    Moment,
    PathId,
    PlainText,
)
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.principal import Principal, actor_of, require
from tollbridge.api.admin.problems import Problem, invalid, not_found
from tollbridge.api.answers import services_of
from tollbridge.core.clock import now_ms
from tollbridge.identity.access_tokens import (
    NAME_MAX,
    AccessToken,
    add_token,
    find_token,
    list_tokens,
    revoke_token,
)
from tollbridge.identity.scopes import Scope
from tollbridge.people.token_acts import note_made, note_revoked
from tollbridge.storage.unit_of_work import reading, writing

router = APIRouter(prefix="/tokens", tags=["tokens"])


class Token(Answer):
    """An access token, of which only the last six characters are known."""

    id: Id
    user_id: Id
    email: str
    name: str
    last6: str
    scopes: list[str]
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    used_at: Moment | None = Field(description="Known to the minute.")


class MadeToken(Token):
    """A new access token, shown this once."""

    token: str


class NewToken(Body):
    """What a new access token is to be."""

    name: PlainText = Field(min_length=1, max_length=NAME_MAX)
    scopes: list[Annotated[Scope, Field(strict=False)]] = Field(min_length=1, max_length=50)
    expires_at: GivenMoment | None = None


class TokenQuery(Paging):
    """Which tokens."""

    user: GivenId | None = Field(None, description="Only this user's.")


@router.get("")
async def tokens(
    request: Request,
    asked: Annotated[TokenQuery, Query()],
    principal: Annotated[Principal, require(Scope.TOKENS_READ)],
) -> Page[Token]:
    """List tokens, revoked ones included."""
    if not principal.is_admin and asked.user not in {None, principal.user_id}:
        raise Problem(403, "role-forbidden", "Only admins see other users' tokens.")
    async with reading(services_of(request).engine) as connection:
        found = await list_tokens(
            connection,
            user_id=asked.user if principal.is_admin else principal.user_id,
            after=asked.after_id(),
            limit=asked.limit + 1,
        )
    return page(request, asked, [Token(**_fields(one)) for one in found])


@router.post("", status_code=201)
async def make_token(
    request: Request,
    body: NewToken,
    principal: Annotated[Principal, require(Scope.TOKENS_WRITE)],
) -> MadeToken:
    """Make a token for the user who asks. The answer is the only one that shows it."""
    at_ms = now_ms()
    _check_scopes(principal, body.scopes)
    _check_expiry(principal.token.expires_ms, body.expires_at, at_ms)
    services = services_of(request)
    async with writing(services.engine) as connection:
        token_id, token = await add_token(
            connection,
            services.secrets,
            principal.user_id,
            body.name,
            set(body.scopes),
            at_ms=at_ms,
            expires_ms=body.expires_at,
        )
        made = await find_token(connection, token_id)
        assert made is not None
        await note_made(connection, actor_of(request, principal), made, at_ms)
    return MadeToken(**_fields(made), token=token)


@router.delete("/{token_id}", status_code=204)
async def revoke(
    request: Request,
    token_id: PathId,
    principal: Annotated[Principal, require(Scope.TOKENS_WRITE)],
) -> None:
    """Revoke a token for ever; one that was revoked before stays so."""
    services = services_of(request)
    async with writing(services.engine) as connection:
        found = await find_token(connection, token_id)
        if found is None or not (principal.is_admin or found.user_id == principal.user_id):
            raise not_found("such token")
        at_ms = now_ms()
        if await revoke_token(connection, token_id, at_ms):
            await note_revoked(connection, actor_of(request, principal), found, at_ms)
        else:
            await connection.rollback()
    # Other processes hear of it within a second; this one need not wait.
    services.access_tokens.clear()


def _check_scopes(principal: Principal, scopes: Sequence[Scope]) -> None:
    everything = principal.is_admin and Scope.ALL in principal.token.scopes
    allowed = principal.scopes | ({Scope.ALL} if everything else set())
    beyond = sorted(set(scopes) - allowed)
    if beyond:
        words = ", ".join(beyond)
        raise Problem(403, "scope-beyond", f"This access token is not good for {words} itself.")


def _check_expiry(own_ms: int | None, asked_ms: int | None, at_ms: int) -> None:
    if asked_ms is not None and asked_ms <= at_ms:
        raise invalid("body.expires_at", "This moment is over.")
    if own_ms is not None and (asked_ms is None or asked_ms > own_ms):
        raise invalid(
            "body.expires_at", "The access token that asks expires, and the new one not later."
        )


def _fields(one: AccessToken) -> dict[str, Any]:
    return {
        "id": one.id,
        "user_id": one.user_id,
        "email": one.email,
        "name": one.name,
        "last6": one.last6,
        "scopes": list(one.scopes),
        "created_at": one.created_ms,
        "expires_at": one.expires_ms,
        "revoked_at": one.revoked_ms,
        "used_at": one.used_ms,
    }
