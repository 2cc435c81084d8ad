"""Owns the SQL of signed-in accounts: reading a row, the lease of its refresh, and how that ended.

Whoever refreshes has the lease, and whatever it writes is written under the version that it read, so
that a late one changes nothing. Values are as they are stored: sealed. Must not know how they open.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.account_tables import account_tokens as tokens
from tollbridge.storage.database_clock import clock_of
from tollbridge.storage.tables import accounts

_FREE: Mapping[str, Any] = {"holder": 0, "held_until_ms": 0}


async def read_row(connection: AsyncConnection, account_id: int) -> RowMapping | None:
    """Return an account's row, its id as `id` besides, and as `held` whether somebody refreshes now."""
    held = tokens.c.held_until_ms > clock_of(connection)
    query = select(tokens, tokens.c.account_id.label("id"), held.label("held"))
    found = await connection.execute(query.where(tokens.c.account_id == account_id))
    return found.mappings().one_or_none()


async def lease(
    connection: AsyncConnection,
    account_id: int,
    version: int,
    *,
    holder: int,
    for_ms: int,
    at_ms: int,
) -> bool:
    """Take the right to refresh this version for `for_ms`; False when somebody else has it.

    False too when the version moved, or while the account is quarantined at `at_ms`. The lease itself
    goes by the clock that all processes share (`database_clock`).
    """
    clock = clock_of(connection)
    query = update(tokens).where(
        tokens.c.account_id == account_id,
        tokens.c.version == version,
        tokens.c.held_until_ms <= clock,
        tokens.c.quarantined_until_ms <= at_ms,
    )
    done = await connection.execute(query.values(holder=holder, held_until_ms=clock + for_ms))
    return done.rowcount == 1


async def store(
    connection: AsyncConnection, account_id: int, version: int, values: Mapping[str, Any]
) -> bool:
    """Write what a refresh brought (`access`, `refresh`, `expires_ms`, `failure`) as the next version.

    False, and nothing is written, when the row is not at `version` any more.
    """
    fresh = {**_FREE, "quarantined_until_ms": 0, **values, "version": version + 1}
    return await _write(connection, account_id, version, fresh)


async def quarantine(
    connection: AsyncConnection, account_id: int, version: int, *, until_ms: int, failure: str
) -> bool:
    """Let nobody refresh until a time, because a refresh failed; False when the version moved."""
    values = {**_FREE, "quarantined_until_ms": until_ms, "failure": failure}
    return await _write(connection, account_id, version, values)


async def disable(
    connection: AsyncConnection, account_id: int, version: int, *, failure: str, reason: str
) -> bool:
    """Take the account out of use until somebody signs in again; False when the version moved.

    The transaction must be one that bumps `change.version` (`unit_of_work.writing`).
    """
    if not await _write(connection, account_id, version, {**_FREE, "failure": failure}):
        return False
    query = update(accounts).where(accounts.c.id == account_id, accounts.c.disabled_reason == "")
    await connection.execute(query.values(disabled_reason=reason))
    return True


async def put_row(
    connection: AsyncConnection, account_id: int, values: Mapping[str, Any], *, exists: bool
) -> None:
    """Write what an operator says; a refresh that is under way comes too late then.

    The version moves even where a row was taken away in between, because it begins with a time.
    """
    if exists:
        fresh = {**_FREE, **values, "version": tokens.c.version + 1}
        where = tokens.c.account_id == account_id
        await connection.execute(update(tokens).where(where).values(**fresh))
    else:
        fresh = {**_FREE, **values, "account_id": account_id}
        await connection.execute(insert(tokens).values(**fresh))


async def drop_row(connection: AsyncConnection, account_id: int) -> bool:
    """Take an account's row away; False when there was none."""
    done = await connection.execute(delete(tokens).where(tokens.c.account_id == account_id))
    return done.rowcount == 1


async def mend_account(
    connection: AsyncConnection, account_id: int, *, at_ms: int, prefix: str
) -> None:
    """Say that an account signs in and is well now; what took it out is void if it begins with `prefix`."""
    mine = accounts.c.id == account_id
    await connection.execute(update(accounts).where(mine).values(auth="oauth", recovered_ms=at_ms))
    query = update(accounts).where(mine, accounts.c.disabled_reason.startswith(prefix))
    await connection.execute(query.values(disabled_reason=""))


async def _write(
    connection: AsyncConnection, account_id: int, version: int, values: Mapping[str, Any]
) -> bool:
    query = update(tokens).where(tokens.c.account_id == account_id, tokens.c.version == version)
    return (await connection.execute(query.values(**values))).rowcount == 1
