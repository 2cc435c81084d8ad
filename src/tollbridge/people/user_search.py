"""Owns finding users for operators: by a part of the address, by id, role, status and group.

A part of an address is looked for in one user after the other, the newest first, until a page is
full: what nobody has costs a look at everybody. Reads only. Must not know pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.storable import id_in
from tollbridge.storage.ledger_items import Figures
from tollbridge.storage.purse_reads import figures_of
from tollbridge.storage.tables import users

STATUSES: Final = ("active", "suspended", "deleted")
_NOTHING: Final = Figures(0, 0)
_COLUMNS: Final = (
    "id", "email", "role", "group_name", "status", "wallet_id", "created_ms", "verified_ms",
    "deleted_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WantedUsers:
    """Which users: all filters together, "" = any; `before` is the id of the last user seen."""

    text: str = ""
    role: str = ""
    status: str = ""
    group: str = ""
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class FoundUser:
    """A user's row as lists show it, and the wallet in nano-dollars."""

    row: RowMapping
    available: int
    held: int

    @property
    def status(self) -> str:
        """One of STATUSES."""
        return "deleted" if self.row["deleted_ms"] is not None else str(self.row["status"])


async def find_users(connection: AsyncConnection, wanted: WantedUsers) -> Sequence[FoundUser]:
    """Return users, the newest first, at most `limit`."""
    query = select(*(users.c[name] for name in _COLUMNS)).where(*_conditions(wanted))
    query = query.order_by(users.c.id.desc()).limit(wanted.limit)
    rows = (await connection.execute(query)).mappings().all()
    figures = await figures_of(connection, [row["wallet_id"] for row in rows])
    purses = [figures.get(row["wallet_id"], _NOTHING) for row in rows]
    return [
        FoundUser(row, purse.available, purse.held) for row, purse in zip(rows, purses, strict=True)
    ]


def _conditions(wanted: WantedUsers) -> list[ColumnElement[Any]]:
    found: list[ColumnElement[Any]] = []
    if wanted.text:
        found.append(_named(wanted.text.strip()))
    if wanted.role:
        found.append(users.c.role == wanted.role)
    if wanted.status == "deleted":
        found.append(users.c.deleted_ms.is_not(None))
    elif wanted.status:
        found += [users.c.status == wanted.status, users.c.deleted_ms.is_(None)]
    if wanted.group:
        found.append(users.c.group_name == wanted.group)
    if wanted.before is not None:
        found.append(users.c.id < wanted.before)
    return found


def _named(text: str) -> ColumnElement[Any]:
    part = users.c.email_norm.contains(text.lower(), autoescape=True)
    number = id_in(text)
    return part if number is None else or_(users.c.id == number, part)
