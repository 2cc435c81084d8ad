"""Owns sealing stored credentials again after their encryption key was rotated.

Must not know where the keys are kept. Lines that it returns name rows and columns, never a secret.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, RowMapping, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.catalog.channel_rows import open_sealed
from tollbridge.catalog.token_rows import KIND
from tollbridge.core.secrets import Secrets, SecretsError, key_id_of
from tollbridge.storage.account_tables import account_tokens
from tollbridge.storage.tables import accounts, channels, users
from tollbridge.storage.unit_of_work import reading, take_turns, writing

SEALED_COLUMNS = {
    "channels": ("proxy",),
    "accounts": ("secret", "proxy", "headers"),
    "account_tokens": ("client_secret", "refresh", "access"),
    "users": ("totp_secret",),
}
"""The columns, by table, whose values need an encryption key."""

SEALING_TURN = 7_001
"""The turn of whoever seals credentials, or drops keys because nothing is sealed with them."""

_TABLES = ((channels, "channel"), (accounts, "account"), (account_tokens, KIND), (users, "user"))
_ROWS_AT_ONCE = 100


class Resealed(NamedTuple):
    """How many values were sealed again, and a line for each that could not be opened."""

    values: int
    left: tuple[str, ...]


async def reseal(
    engine: AsyncEngine, secrets: Secrets, *, at_once: int = _ROWS_AT_ONCE
) -> Resealed:
    """Seal every stored credential that an older key sealed with the current one.

    In transactions of `at_once` rows, so that servers and a death in between do no harm: each value
    opens with the key that it names, before and after. Database errors as they come.
    """
    values = 0
    left: list[str] = []
    for table, kind in _TABLES:
        after: int | None = -1
        while after is not None:
            async with writing(engine) as connection:
                await take_turns(connection, SEALING_TURN)
                rows = await _page(connection, table, after, at_once)
                done = [await _reseal_row(connection, secrets, table, kind, row) for row in rows]
                if not any(one.values for one in done):
                    await connection.rollback()
            values += sum(one.values for one in done)
            left += [line for one in done for line in one.left]
            after = rows[-1]["id"] if len(rows) == at_once else None
    return Resealed(values, tuple(left))


async def keys_in_use(engine: AsyncEngine) -> Counter[str]:
    """Return how many stored values each encryption key has sealed, by its id."""
    async with reading(engine) as connection:
        return await count_keys(connection)


async def count_keys(connection: AsyncConnection) -> Counter[str]:
    """Return the same within the caller's transaction."""
    used: Counter[str] = Counter()
    for table, _ in _TABLES:
        columns = [table.c[name] for name in SEALED_COLUMNS[table.name]]
        for row in await connection.execute(select(*columns)):
            used.update(key_id_of(value) for value in row if value)
    return used


async def _page(
    connection: AsyncConnection, table: Table, after: int, most: int
) -> Sequence[RowMapping]:
    key = _key(table)
    name = table.c.get("name", key)
    sealed = (table.c[column] for column in SEALED_COLUMNS[table.name])
    columns = [key.label("id"), name.label("name"), *sealed]
    query = select(*columns).where(key > after).order_by(key).limit(most)
    return (await connection.execute(query.with_for_update())).mappings().all()


async def _reseal_row(
    connection: AsyncConnection, secrets: Secrets, table: Table, kind: str, row: RowMapping
) -> Resealed:
    current = secrets.current_key_id
    fresh: dict[str, Any] = {}
    left = []
    for column in SEALED_COLUMNS[table.name]:
        if not row[column] or key_id_of(row[column]) == current:
            continue
        try:
            plain = open_sealed(secrets, kind, row, column)
        except SecretsError as error:
            left.append(f"{kind} {row['name']}: {error}")
        else:
            fresh[column] = secrets.seal(plain, f"{kind}:{row['id']}:{column}")
    if fresh:
        await connection.execute(update(table).where(_key(table) == row["id"]).values(**fresh))
    return Resealed(len(fresh), tuple(left))


def _key(table: Table) -> Column[Any]:
    (key,) = table.primary_key.columns
    return key
