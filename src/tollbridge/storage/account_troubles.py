"""Owns the rows of what each node holds against accounts: for operators, and for who starts next.

Times are the database's clock, so that nodes whose clocks differ mean the same moment. Rows of nodes
that are dead say nothing of the present. Must not know what a trouble is.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, bindparam, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.storage.account_tables import account_trouble
from tollbridge.storage.database_clock import clock_of
from tollbridge.storage.ledger_tables import node

Key = tuple[int, str, str]
"""Account, model ('' = all) and trouble: what a node has one row for."""

UNENDING: Final = "failing"
"""The one trouble that its time does not end, but a call that succeeds."""

_MARK: Final = " #"
_rows = account_trouble.c


class Held(NamedTuple):
    """One row. `mark` stands for the account as it was configured when it fell into trouble."""

    account_id: int
    model: str
    trouble: str
    reason: str
    mark: str
    since_ms: int
    until_ms: int

    @property
    def key(self) -> Key:
        """Return what tells it from the node's other rows."""
        return self.account_id, self.model, self.trouble


class Shown(NamedTuple):
    """One row as operators see it, and whose it is."""

    node_id: int
    node: str
    model: str
    trouble: str
    reason: str
    since_ms: int
    until_ms: int


async def database_ms(connection: AsyncConnection) -> int:
    """Return the time of the clock that rows are written by."""
    now_ms: int = (await connection.execute(select(clock_of(connection)))).scalar_one()
    return now_ms


async def write_troubles(
    connection: AsyncConnection, node_id: int, gone: Collection[Key], held: Sequence[Held]
) -> None:
    """Take a node's rows of `gone` away and put those of `held` in their places."""
    keys = {*gone, *(one.key for one in held)}
    if keys:
        of_key = delete(account_trouble).where(
            _rows.node_id == node_id,
            _rows.account_id == bindparam("account"),
            _rows.model == bindparam("of_model"),
            _rows.trouble == bindparam("kind"),
        )
        names = ("account", "of_model", "kind")
        await connection.execute(of_key, [dict(zip(names, key, strict=True)) for key in keys])
    if held:
        await connection.execute(insert(account_trouble), [_row(node_id, one) for one in held])


async def clear_troubles(connection: AsyncConnection, node_id: int) -> None:
    """Take all rows of a node away."""
    await connection.execute(delete(account_trouble).where(_rows.node_id == node_id))


async def keys_of(connection: AsyncConnection, node_id: int) -> set[Key]:
    """Return what a node has rows for."""
    query = select(_rows.account_id, _rows.model, _rows.trouble).where(_rows.node_id == node_id)
    return {(row[0], row[1], row[2]) for row in await connection.execute(query)}


async def held_by_anybody(
    connection: AsyncConnection, troubles: Collection[str], *, dead: bool = False
) -> list[Held]:
    """Return the rows of these troubles that are not over, only those of dead nodes if `dead`."""
    query = select(account_trouble).where(
        _rows.trouble.in_(troubles), _rows.until_ms > clock_of(connection)
    )
    if dead:
        query = query.where(~_living())
    found = []
    for row in (await connection.execute(query)).mappings():
        reason, _, mark = row["reason"].rpartition(_MARK)
        key = row["account_id"], row["model"], row["trouble"]
        found.append(Held(*key, reason, mark, row["since_ms"], row["until_ms"]))
    return found


async def any_of_the_dead(connection: AsyncConnection) -> bool:
    """Say whether nodes that are dead still have rows."""
    query = select(_rows.node_id).where(~_living()).limit(1)
    return (await connection.execute(query)).first() is not None


async def clear_the_dead(connection: AsyncConnection) -> None:
    """Take the rows of all dead nodes away."""
    await connection.execute(delete(account_trouble).where(~_living()))


async def forget_account(connection: AsyncConnection, account_id: int) -> None:
    """Take away what any node says of an account; who still holds something writes it again."""
    await connection.execute(delete(account_trouble).where(_rows.account_id == account_id))


async def troubles_of(
    connection: AsyncConnection, account_ids: Collection[int]
) -> dict[int, list[Shown]]:
    """Return what living nodes hold against accounts now, by account, the longest first."""
    query = (
        select(account_trouble, node.c.name)
        .join(node, node.c.id == _rows.node_id)
        .where(_rows.account_id.in_(account_ids), in_force(connection))
        .order_by(_rows.until_ms.desc(), _rows.node_id, _rows.model)
    )
    found: dict[int, list[Shown]] = defaultdict(list)
    for row in (await connection.execute(query)).mappings():
        reason = row["reason"].rpartition(_MARK)[0]
        what = row["model"], row["trouble"], reason, row["since_ms"], row["until_ms"]
        found[row["account_id"]].append(Shown(row["node_id"], row["name"], *what))
    return found


def in_force(connection: AsyncConnection) -> ColumnElement[bool]:
    """Return the condition that a row is a living node's and not over."""
    return _living() & or_(_rows.until_ms > clock_of(connection), _rows.trouble == UNENDING)


def _living() -> ColumnElement[bool]:
    # By another name than that by which a query around it may join the table.
    living = node.alias("living")
    return _rows.node_id.in_(select(living.c.id).where(~living.c.dead))


def _row(node_id: int, held: Held) -> dict[str, Any]:
    row = held._asdict()
    row["reason"] += _MARK + row.pop("mark")
    return {"node_id": node_id, **row}
