"""Owns what operators see of accounts and change in their states: recover, disable, enable.

Each change is a few values of one row, so it goes beside a running gateway; the caller's transaction
has to be one of the control plane, for gateways to notice. Must not know credentials.
"""

from collections.abc import Sequence
from typing import Final, Literal

from sqlalchemy import ColumnElement, RowMapping, Select, and_, case, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.account_tables import account_tokens, account_trouble
from tollbridge.storage.account_troubles import forget_account, in_force
from tollbridge.storage.database_clock import clock_of
from tollbridge.storage.tables import accounts, channels

State = Literal["active", "parked", "disabled", "no_credential"]
REASON_MAX: Final = 200
_OAUTH: Final = "oauth"
_BY_KEY: Final = "secret"

_SEEN = (
    *(accounts.c[name] for name in (
        "id", "channel_id", "name", "base_url", "weight", "priority", "rpm", "tpm", "concurrency",
        "auth", "enabled", "disabled_reason", "recovered_ms", "created_ms",
    )),
    channels.c.name.label("channel"),
    channels.c.platform,
    account_tokens.c.expires_ms,
    account_tokens.c.quarantined_until_ms,
    account_tokens.c.failure,
)  # fmt: skip


async def find_account(connection: AsyncConnection, channel: str, name: str) -> int | None:
    """Return the id of an account by its channel's name and its own, None when there is none."""
    query = (
        select(accounts.c.id)
        .join(channels, channels.c.id == accounts.c.channel_id)
        .where(channels.c.name == channel, accounts.c.name == name)
    )
    found: int | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def one_account(connection: AsyncConnection, account_id: int) -> RowMapping | None:
    """Return an account as operators see it, None when there is none."""
    query = _seen(connection).where(accounts.c.id == account_id)
    return (await connection.execute(query)).mappings().one_or_none()


async def some_accounts(
    connection: AsyncConnection,
    *,
    channel: str | None = None,
    state: State | None = None,
    after_id: int = 0,
    limit: int = 1_000_000,
) -> Sequence[RowMapping]:
    """Return accounts as operators see them, by id, which is the order in which they were made.

    Their `state` is as far as living nodes have told.
    """
    query = _seen(connection).where(accounts.c.id > after_id)
    if channel is not None:
        query = query.where(channels.c.name == channel)
    if state is not None:
        query = query.where(_state(connection) == state)
    query = query.order_by(accounts.c.id).limit(limit)
    return (await connection.execute(query)).mappings().all()


async def recover(connection: AsyncConnection, account_id: int) -> bool:
    """Void all that is held against an account, in every process; return whether there is one.

    Its token may be fetched again at once. What took it out of use stays: `enable` ends that.
    """
    now_ms = clock_of(connection)
    before = accounts.c.recovered_ms
    # It has to move, whatever the clock says.
    later = case((before >= now_ms, before + 1), else_=now_ms)
    done = await connection.execute(
        update(accounts).where(accounts.c.id == account_id).values(recovered_ms=later)
    )
    await connection.execute(
        update(account_tokens)
        .where(account_tokens.c.account_id == account_id)
        .values(quarantined_until_ms=0, failure="")
    )
    await forget_account(connection, account_id)
    return done.rowcount == 1


async def disable(connection: AsyncConnection, account_id: int, reason: str) -> bool:
    """Take an account out of use until somebody enables it; return whether there is one.

    ValueError for no reason, or one that is too long.
    """
    reason = reason.strip()
    if not 0 < len(reason) <= REASON_MAX:
        raise ValueError(f"a reason has 1 to {REASON_MAX} characters")
    done = await connection.execute(
        update(accounts).where(accounts.c.id == account_id).values(disabled_reason=reason)
    )
    await forget_account(connection, account_id)
    return done.rowcount == 1


async def enable(connection: AsyncConnection, account_id: int) -> bool:
    """Bring an account back that was taken out of use, with nothing held against it.

    Return whether there is one. One that the configuration switches off stays off.
    """
    await connection.execute(
        update(accounts).where(accounts.c.id == account_id).values(disabled_reason="")
    )
    return await recover(connection, account_id)


def _seen(connection: AsyncConnection) -> Select[tuple[object, ...]]:
    return (
        select(*_SEEN, _state(connection).label("state"))
        .select_from(accounts)
        .join(channels, channels.c.id == accounts.c.channel_id)
        .join(account_tokens, account_tokens.c.account_id == accounts.c.id, isouter=True)
    )


def _state(connection: AsyncConnection) -> ColumnElement[str]:
    """Return what an account is now, the state that is hardest to leave first."""
    parked = (
        select(account_trouble.c.account_id)
        .where(account_trouble.c.account_id == accounts.c.id, in_force(connection))
        .correlate(accounts)
        .exists()
    )
    held_back = account_tokens.c.quarantined_until_ms > clock_of(connection)
    bare = or_(
        and_(accounts.c.auth == _BY_KEY, accounts.c.secret == ""),
        and_(accounts.c.auth == _OAUTH, account_tokens.c.account_id.is_(None)),
    )
    return case(
        (or_(~accounts.c.enabled, accounts.c.disabled_reason != ""), literal("disabled")),
        (bare, literal("no_credential")),
        (or_(parked, held_back), literal("parked")),
        else_=literal("active"),
    )
