"""Owns /api/admin/accounts: how accounts are in every process, and what operators do about it.

Never a secret, a token or a whole address. Must not know how states come about.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.api.admin.fields import Answer, Body, Id, Moment, PathId, PlainText
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.principal import Principal, actor_of, require
from tollbridge.api.admin.problems import Problem, conflict, invalid, not_found
from tollbridge.api.answers import services_of
from tollbridge.catalog.account_editing import sign_account_in
from tollbridge.catalog.edits import NoSuchRow
from tollbridge.catalog.finding import ProbeRuns
from tollbridge.catalog.oauth_fields import OAuthError
from tollbridge.catalog.plan import OAuthPlan
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.people.account_acts import note_account
from tollbridge.people.edits import note_edit
from tollbridge.storage import account_states
from tollbridge.storage.account_states import REASON_MAX, State
from tollbridge.storage.account_troubles import Shown, troubles_of
from tollbridge.storage.standing import Standing, standing
from tollbridge.storage.unit_of_work import reading, working, writing

router = APIRouter(prefix="/accounts", tags=["accounts"])

_WHAT = "account with this id"
_RECENT_MS = 15 * 60_000
_MODEL_MAX = 256
_URL_MAX, _TEXT_MAX, _SECRET_MAX = 2_048, 1_024, 16_384
Reads = Annotated[Principal, require(Scope.ACCOUNTS_READ)]
Writes = Annotated[Principal, require(Scope.ACCOUNTS_WRITE)]


class Limits(Answer):
    """What the account may be asked at most; 0 = no limit."""

    rpm: int
    tpm: int
    concurrency: int


class Held(Answer):
    """What one node holds against the account, or against one model of it where `model` is named.

    A breaker (`failing`) whose time is over waits for the call that it lets through.
    """

    node_id: Id
    node: str
    trouble: str
    model: str | None
    reason: str
    since: Moment
    until: Moment


class SignIn(Answer):
    """The state of the token of an account that signs in; null moments are none."""

    expires: Moment | None
    quarantined_until: Moment | None
    failure: str | None


class Recent(Answer):
    """How the account's channel did with one model in the last 15 minutes, all accounts together.

    `answered` of the `counted` calls; milliseconds to the first token, null without one.
    """

    model: str
    calls: int
    answered: int
    counted: int
    first_token_p50_ms: int | None
    first_token_p95_ms: int | None


class Account(Answer):
    """One account. `host` is where it is reached, without anything that could be a credential."""

    id: Id
    name: str
    channel_id: Id
    channel: str
    platform: str
    host: str
    weight: int
    priority: int
    limits: Limits
    auth: Literal["secret", "oauth"]
    state: State
    enabled: bool = Field(description="As the configuration says.")
    disabled_reason: str | None = Field(description="Why it was taken out of use since.")
    recovered_at: Moment | None
    sign_in: SignIn | None
    troubles: list[Held]


class OneAccount(Account):
    """One account, and how its channel has been doing."""

    recent: list[Recent]


class AccountFilter(Paging):
    """Which accounts."""

    channel: PlainText | None = Field(None, max_length=64, description="A channel's name.")
    state: State | None = None


class Reason(Body):
    """Why an account is taken out of use."""

    reason: PlainText = Field(min_length=1, max_length=REASON_MAX)


class Asked(Body):
    """What to test; without a model the cheapest that the channel sells."""

    model: PlainText | None = Field(None, min_length=1, max_length=_MODEL_MAX)


class GivenSignIn(Body):
    """How an account signs in from now on. Secrets are stored sealed and never shown again."""

    token_url: PlainText = Field(max_length=_URL_MAX)
    client_id: PlainText = Field(max_length=_TEXT_MAX)
    client_secret: str = Field("", max_length=_SECRET_MAX, repr=False)
    refresh_token: str = Field(min_length=1, max_length=_SECRET_MAX, repr=False)
    scope: PlainText = Field("", max_length=_TEXT_MAX)
    style: Literal["form", "json"] = "form"


class Tested(Answer):
    """What a test call came to. A success has recovered the account, a failure changed nothing.

    `trouble`, `scope` and `for_s` say what the same failure of a call would hold against it; without
    `for_s` it would count as one failure. `said` is the upstream's message, cleaned.
    """

    ok: bool
    outcome: str
    status: int | None
    took_ms: int
    path: str
    model: str | None
    model_sent: str | None
    trouble: str | None
    scope: str | None
    for_s: float | None
    said: str | None


@router.get("")
async def accounts(
    request: Request, asked: Annotated[AccountFilter, Query()], _principal: Reads
) -> Page[Account]:
    """List accounts by id, with what any process holds against them."""
    async with reading(services_of(request).engine) as connection:
        rows = await account_states.some_accounts(
            connection,
            channel=asked.channel,
            state=asked.state,
            after_id=asked.after_id() or 0,
            limit=asked.limit + 1,
        )
        troubles = await troubles_of(connection, [row["id"] for row in rows])
    shown = [Account(**_fields(row, troubles.get(row["id"], ()))) for row in rows]
    return page(request, asked, shown)


@router.get("/{account_id}")
async def account(request: Request, account_id: PathId, _principal: Reads) -> OneAccount:
    """Show one account."""
    return await shown_account(services_of(request).engine, account_id)


@router.post("/{account_id}/recover")
async def recover(request: Request, account_id: PathId, principal: Writes) -> OneAccount:
    """Forget all that is held against an account, in every process and within a second."""
    async with writing(services_of(request).engine) as connection:
        await _there(connection, await account_states.recover(connection, account_id))
        await note_account(
            connection, actor_of(request, principal), "recover", account_id, now_ms()
        )
    return await shown_account(services_of(request).engine, account_id)


@router.post("/{account_id}/disable")
async def disable(
    request: Request, account_id: PathId, given: Reason, principal: Writes
) -> OneAccount:
    """Take an account out of use until it is enabled."""
    async with writing(services_of(request).engine) as connection:
        try:
            done = await account_states.disable(connection, account_id, given.reason)
        except ValueError as error:
            raise invalid("body.reason", f"{error}.".capitalize()) from None
        await _there(connection, done)
        actor, reason = actor_of(request, principal), given.reason.strip()
        await note_account(connection, actor, "disable", account_id, now_ms(), reason=reason)
    return await shown_account(services_of(request).engine, account_id)


@router.post("/{account_id}/enable")
async def enable(request: Request, account_id: PathId, principal: Writes) -> OneAccount:
    """Bring an account back that was taken out of use, with nothing held against it."""
    async with writing(services_of(request).engine) as connection:
        await _there(connection, await account_states.enable(connection, account_id))
        await note_account(connection, actor_of(request, principal), "enable", account_id, now_ms())
    return await shown_account(services_of(request).engine, account_id)


@router.put("/{account_id}/oauth")
async def sign_in(
    request: Request, account_id: PathId, given: GivenSignIn, principal: Writes
) -> OneAccount:
    """Let an account sign in with a refresh token instead of a key."""
    services = services_of(request)
    plan = OAuthPlan(**given.model_dump())
    async with writing(services.engine) as connection:
        try:
            at_ms = now_ms()
            edit = await sign_account_in(connection, services.secrets, account_id, plan, at_ms)
            await note_edit(connection, actor_of(request, principal), edit, at_ms)
        except NoSuchRow:
            await _there(connection, None)
        except OAuthError as error:
            await connection.rollback()
            raise invalid(f"body.{error.field}", f"{error}.".capitalize()) from None
    return await shown_account(services.engine, account_id)


@router.post("/{account_id}/test")
async def try_out(
    request: Request, account_id: PathId, principal: Writes, given: Asked | None = None
) -> Tested:
    """Make the smallest real call to an account now. It costs us, and is charged to nobody."""
    run = services_of(request).test_account
    if run is None:
        raise Problem(503, "no-tests", "This process makes no calls.")
    model = given.model if given else None
    async with working(services_of(request).engine) as connection:
        actor = actor_of(request, principal)
        await note_account(connection, actor, "test", account_id, now_ms(), model=model or "")
    try:
        finding = await run(account_id, model)
    except ProbeRuns:
        raise conflict("A test of this account runs; wait for it.") from None
    except ValueError as error:
        raise invalid("body.model", f"{error}.".capitalize()) from None
    if finding is None:
        async with reading(services_of(request).engine) as connection:
            await _there(connection, await account_states.one_account(connection, account_id))
        raise conflict("This account has no credential to be tested with.")
    return Tested(
        ok=finding.ok,
        outcome=finding.outcome,
        status=finding.status,
        took_ms=finding.took_ms,
        path=finding.path,
        model=finding.model or None,
        model_sent=finding.model_sent or None,
        trouble=finding.trouble or None,
        scope=finding.scope or None,
        for_s=finding.for_s,
        said=finding.said or None,
    )


async def _there(connection: AsyncConnection, found: object) -> None:
    """Raise Problem 404 and keep nothing when there is no such account."""
    if not found:
        await connection.rollback()
        raise not_found(_WHAT)


async def shown_account(engine: AsyncEngine, account_id: int) -> OneAccount:
    """Return an account as it is shown; Problem 404 when there is none."""
    async with reading(engine) as connection:
        row = await account_states.one_account(connection, account_id)
        await _there(connection, row is not None)
        assert row is not None
        troubles = await troubles_of(connection, [account_id])
    until_ms = now_ms()
    lately = await standing(engine, until_ms - _RECENT_MS, until_ms)
    recent = [_recent(one) for one in lately if one.channel_id == row["channel_id"]]
    return OneAccount(**_fields(row, troubles.get(account_id, ())), recent=recent)


def _fields(row: RowMapping, troubles: Sequence[Shown]) -> dict[str, Any]:
    same = ("id", "name", "channel_id", "channel", "platform", "weight", "priority", "auth")
    signs_in = row["auth"] == "oauth" and row["expires_ms"] is not None
    return {
        **{name: row[name] for name in (*same, "state", "enabled")},
        "host": urlsplit(row["base_url"]).hostname or "",
        "limits": Limits(rpm=row["rpm"], tpm=row["tpm"], concurrency=row["concurrency"]),
        "disabled_reason": row["disabled_reason"] or None,
        "recovered_at": row["recovered_ms"] or None,
        "sign_in": _sign_in(row) if signs_in else None,
        "troubles": [_held(one) for one in troubles],
    }


def _sign_in(row: RowMapping) -> SignIn:
    return SignIn(
        expires=row["expires_ms"] or None,
        quarantined_until=row["quarantined_until_ms"] or None,
        failure=row["failure"] or None,
    )


def _held(one: Shown) -> Held:
    return Held(
        node_id=one.node_id,
        node=one.node,
        trouble=one.trouble,
        model=one.model or None,
        reason=one.reason,
        since=one.since_ms,
        until=one.until_ms,
    )


def _recent(one: Standing) -> Recent:
    return Recent(
        model=one.model,
        calls=one.calls,
        answered=one.answered,
        counted=one.counted,
        first_token_p50_ms=one.first_token_p50_ms,
        first_token_p95_ms=one.first_token_p95_ms,
    )
