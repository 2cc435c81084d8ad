"""Owns /api/admin/users: users found, shown, changed, kept out, credited. Must not know the rules.

Whatever is done has its line in the audit log.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.api.admin.fields import (
    Answer,
    Body,
    GivenSignedUsd,
    Id,
    Moment,
    PathId,
    PlainText,
    Usd,
)
from tollbridge.api.admin.idempotency import HEADER, MustName, once, reference
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.principal import Principal, actor_of, require
from tollbridge.api.admin.problems import Problem, conflict, invalid, not_found
from tollbridge.api.answers import services_of
from tollbridge.billing.adjustments import NotEnough, ReferenceTaken, TooMuch
from tollbridge.core.clock import now_ms
from tollbridge.core.money import format_usd
from tollbridge.identity.scopes import Scope
from tollbridge.people.credit import REASON_MAX, adjust
from tollbridge.people.dossier import Dossier, read_dossier
from tollbridge.people.suspension import NotOneself, sign_out_everywhere, suspend, unsuspend
from tollbridge.people.user_changes import (
    CONCURRENCY_MAX,
    GROUP_MAX,
    RPM_MAX,
    TPM_MAX,
    LastAdmin,
    Limits,
    NoSuchUser,
    change_group,
    change_limits,
    change_role,
    locked_user,
)
from tollbridge.people.user_search import FoundUser, WantedUsers, find_users
from tollbridge.storage.unit_of_work import reading, working, writing

router = APIRouter(prefix="/users", tags=["users"])

Reads = Annotated[Principal, require(Scope.USERS_READ)]
Writes = Annotated[Principal, require(Scope.USERS_WRITE)]
Role = Literal["user", "staff", "admin"]
_TEXT_MAX: Final = 320
_LIMITS: Final = ("rpm", "tpm", "concurrency")
_SAME: Final = ("id", "email", "role", "wallet_id")


class User(Answer):
    """A user in a list."""

    id: Id
    email: str
    role: str
    group: str
    status: str = Field(description="active, suspended or deleted.")
    wallet_id: Id
    balance: Usd
    reserved: Usd
    created_at: Moment
    verified_at: Moment | None
    deleted_at: Moment | None


class UserKey(Answer):
    """A key of a user, of whose secret the last six characters are known."""

    id: Id
    name: str
    last6: str
    enabled: bool
    limit: Usd | None
    created_at: Moment
    expires_at: Moment | None


class OneUser(User):
    """A user with all that operators are shown. 0 is no limit; `spent` is of the last 30 days."""

    status_reason: str | None
    rpm: int
    tpm: int
    concurrency: int
    spent: Usd
    sessions: int
    has_second_factor: bool
    keys: list[UserKey]


class UserQuery(Paging):
    """Which users; all filters hold together."""

    text: PlainText = Field(
        "", max_length=_TEXT_MAX, description="A part of the address, or an id."
    )
    role: Role | None = None
    status: Literal["active", "suspended", "deleted"] | None = None
    group: PlainText = Field("", max_length=GROUP_MAX)


class UserChange(Body):
    """What is to be changed; what is left out stays. Limits of 0 are none."""

    role: Role = "user"
    group: PlainText = Field("default", min_length=1, max_length=GROUP_MAX, pattern=r"^\S(.*\S)?$")
    rpm: int = Field(0, ge=0, le=RPM_MAX)
    tpm: int = Field(0, ge=0, le=TPM_MAX)
    concurrency: int = Field(0, ge=0, le=CONCURRENCY_MAX)


class Why(Body):
    """Why; it goes to the audit log, and to the user where one is kept out."""

    reason: PlainText = Field(min_length=1, max_length=REASON_MAX, pattern=r"\S")


class Credit(Why):
    """What is given, or taken where it is below zero, and why."""

    amount: GivenSignedUsd


class Credited(Answer):
    """What was given or taken, and the balance since; `repeated`: it had been done before."""

    user_id: Id
    amount: Usd
    balance: Usd
    repeated: bool


class Ended(Answer):
    """How many sessions there were."""

    ended: int


@router.get("")
async def users(
    request: Request, asked: Annotated[UserQuery, Query()], _principal: Reads
) -> Page[User]:
    """List users, the newest first."""
    wanted = WantedUsers(
        text=asked.text,
        role=asked.role or "",
        status=asked.status or "",
        group=asked.group,
        before=asked.after_id(),
        limit=asked.limit + 1,
    )
    async with reading(services_of(request).engine) as connection:
        found = await find_users(connection, wanted)
    return page(request, asked, [_user(one) for one in found])


@router.get("/{user_id}")
async def user(request: Request, user_id: PathId, _principal: Reads) -> OneUser:
    """Show one user."""
    return await _shown(services_of(request).engine, user_id)


@router.patch("/{user_id}")
async def change(request: Request, user_id: PathId, body: UserChange, principal: Writes) -> OneUser:
    """Change role, group and limits; calls and tokens feel it in less than a second."""
    services, actor, given = (
        services_of(request),
        actor_of(request, principal),
        body.model_fields_set,
    )
    async with _refusals(), writing(services.engine) as connection:
        at_ms, changed = now_ms(), False
        if "role" in given:
            changed |= await change_role(connection, actor, user_id, body.role, at_ms)
        row = await locked_user(connection, user_id)
        if "group" in given:
            changed |= await change_group(connection, actor, user_id, body.group, at_ms)
        if given & set(_LIMITS):
            wished = {n: getattr(body, n) if n in given else row[n] for n in _LIMITS}
            limits = Limits(**wished)
            changed |= await change_limits(connection, actor, user_id, limits, at_ms)
        if not changed:
            await connection.rollback()
    # Other processes hear of it within a second; this one need not wait.
    services.access_tokens.clear()
    return await _shown(services.engine, user_id)


@router.post("/{user_id}/suspend")
async def keep_out(request: Request, user_id: PathId, body: Why, principal: Writes) -> OneUser:
    """Keep a user out: keys, sessions and tokens are refused. The user is told by mail why."""
    services, actor = services_of(request), actor_of(request, principal)
    site_name = services.snapshot().site.name
    async with _refusals(), writing(services.engine) as connection:
        if not await suspend(
            connection, actor, user_id, body.reason, now_ms(), site_name=site_name
        ):
            await connection.rollback()
    services.access_tokens.clear()
    return await _shown(services.engine, user_id)


@router.post("/{user_id}/unsuspend")
async def let_in(request: Request, user_id: PathId, body: Why, principal: Writes) -> OneUser:
    """Let a user in again."""
    services, actor = services_of(request), actor_of(request, principal)
    async with _refusals(), writing(services.engine) as connection:
        if not await unsuspend(connection, actor, user_id, body.reason, now_ms()):
            await connection.rollback()
    services.access_tokens.clear()
    return await _shown(services.engine, user_id)


@router.post("/{user_id}/credit", response_model=Credited)
async def credit(
    request: Request, user_id: PathId, body: Credit, principal: Writes, name: MustName
) -> Response:
    """Give a user credit, or take some, once for each name; what calls hold cannot be taken."""
    actor, ref = actor_of(request, principal), reference(request, principal, name)

    async def work(connection: AsyncConnection) -> Credited:
        done = await adjust(connection, actor, user_id, body.amount, body.reason, ref, now_ms())
        return Credited(
            user_id=user_id, amount=done.amount, balance=done.available, repeated=done.repeated
        )

    async with _refusals():
        return await once(request, principal, name, body, working, work)


@router.delete("/{user_id}/sessions")
async def sign_out(request: Request, user_id: PathId, principal: Writes) -> Ended:
    """End all sessions of a user. Access tokens go on."""
    actor = actor_of(request, principal)
    async with _refusals(), working(services_of(request).engine) as connection:
        return Ended(ended=await sign_out_everywhere(connection, actor, user_id, now_ms()))


@asynccontextmanager
async def _refusals() -> AsyncIterator[None]:
    """Say as problems what the use cases refuse."""
    try:
        yield
    except NoSuchUser:
        raise not_found("such user") from None
    except LastAdmin:
        raise conflict("Nobody would be left who may do everything.") from None
    except NotOneself:
        raise conflict("Nobody suspends the own account.") from None
    except NotEnough as error:
        raise conflict(f"Only {format_usd(error.free)} can be taken.") from None
    except TooMuch:
        raise conflict("The wallet would have more than can be counted.") from None
    except ReferenceTaken:
        words = f"This {HEADER} stands for another request; take a new one."
        raise Problem(422, "idempotency-key-reused", words) from None
    except ValueError:
        raise invalid("body.amount", "An amount is not zero and at most 10,000,000.00.") from None


async def _shown(engine: AsyncEngine, user_id: int) -> OneUser:
    async with reading(engine) as connection:
        found = await read_dossier(connection, user_id, now_ms())
    if found is None:
        raise not_found("such user")
    return _one(found)


def _user(one: FoundUser) -> User:
    row = one.row
    return User(
        **{name: row[name] for name in _SAME},
        group=row["group_name"],
        status=one.status,
        balance=one.available,
        reserved=one.held,
        created_at=row["created_ms"],
        verified_at=row["verified_ms"],
        deleted_at=row["deleted_ms"],
    )


def _one(found: Dossier) -> OneUser:
    row = found.row
    plain: dict[str, Any] = {name: row[name] for name in (*_SAME, *_LIMITS)}
    return OneUser(
        **plain,
        group=row["group_name"],
        status="deleted" if found.deleted else row["status"],
        status_reason=row["status_reason"] or None,
        balance=found.available,
        reserved=found.held,
        created_at=row["created_ms"],
        verified_at=row["verified_ms"],
        deleted_at=row["deleted_ms"],
        spent=found.spent,
        sessions=found.sessions,
        has_second_factor=row["totp_secret"] is not None,
        keys=[
            UserKey(
                id=key["id"],
                name=key["name"],
                last6=key["last6"],
                enabled=key["enabled"],
                limit=key["limit_nano"],
                created_at=key["created_ms"],
                expires_at=key["expires_ms"],
            )
            for key in found.keys
        ],
    )
