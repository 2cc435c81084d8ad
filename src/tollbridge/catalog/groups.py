"""Owns groups of users: the factor on their prices, from the configuration file to its table.

A group exists by being named; only one with a factor other than 1 has a row.
"""

from collections.abc import Sequence

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.factors import FACTOR_MAX
from tollbridge.catalog.fields import Fields
from tollbridge.catalog.plan import GroupPlan
from tollbridge.core.money import Multiplier
from tollbridge.storage.tables import user_groups

GROUP_FIELDS = ("name", "factor")

_NAME_MAX = 64
_ONE = Multiplier(1, 1)


def read_group(fields: Fields) -> GroupPlan:
    """Return the plan of one [[group]]; FileError with line and reason."""
    return GroupPlan(
        fields.line,
        fields.text("name", longest=_NAME_MAX),
        fields.factor("factor", "1.0", highest=FACTOR_MAX),
    )


async def match_groups(
    connection: AsyncConnection, plans: Sequence[GroupPlan], *, prune: bool
) -> list[str]:
    """Make the named groups' factors as planned; with `prune` the others lose theirs."""
    stored = await read_groups(connection)
    wanted = {plan.name: plan.factor for plan in plans}
    if prune:
        wanted = {**dict.fromkeys(stored, _ONE), **wanted}
    lines = []
    for name, factor in wanted.items():
        if factor == stored.get(name, _ONE):
            continue
        values = {"factor_num": factor.num, "factor_den": factor.den}
        here = user_groups.c.name == name
        if factor == _ONE:
            await connection.execute(delete(user_groups).where(here))
        elif name in stored:
            await connection.execute(update(user_groups).where(here).values(**values))
        else:
            await connection.execute(insert(user_groups).values(name=name, **values))
        lines.append(f"~ group {name}: factor {factor.text()}")
    return lines


async def read_groups(connection: AsyncConnection) -> dict[str, Multiplier]:
    """Return the factors of the groups that have one."""
    rows = await connection.execute(select(user_groups))
    return {row.name: Multiplier(row.factor_num, row.factor_den) for row in rows}
