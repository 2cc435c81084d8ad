"""Owns who visits the pages of a generated database, and what such pages need besides calls.

It adds what `bench.rows` leaves out: a catalogue with accounts and prices, an admin, credit and lines
of the heavy user's wallet, lines of the audit log, sessions. All of it is there once, however often
it is asked for. It must not know which pages there are.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bench.crowd import CHANNELS, MODELS, RARE_MODEL, Crowd
from tollbridge.api.apply import apply
from tollbridge.billing.grants import grant
from tollbridge.core.clock import now_ms, tid_ms
from tollbridge.core.secrets import Secrets
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.identity.sessions import start_session
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.people_tables import door_counts
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.tables import accounts, models, users
from tollbridge.storage.unit_of_work import reading, writing

SECRETS: Final = Secrets(b"p" * 32, {"bench": b"k" * 32}, "bench")
ZONE: Final = "Europe/Berlin"
"""The heavy user's: days that are not days of UTC are made of hours."""

_ADMIN: Final = "admin@example.com"
_CREDIT = 10**13
_GRANTS = 100
_NOTES = 1_000
_ADDRESS = "192.0.2.7"


@dataclass(frozen=True, slots=True)
class Visitors:
    """The cookies of the two who are signed in, and what there is to be looked at.

    `things` are the values of parameters in paths, by the part of the path before them.
    """

    heavy: str
    admin: str
    things: dict[str, tuple[str, ...]]


async def prepare(engine: AsyncEngine) -> Visitors:
    """Add what is missing in a generated database, and sign in those who visit it."""
    crowd = Crowd()
    await apply(engine, SECRETS, _catalogue(), environ={})
    async with writing(engine) as connection:
        admin_id = await _admin_id(connection)
        await connection.execute(
            update(users).where(users.c.id == crowd.heavy_id).values(zone=ZONE, verified_ms=1)
        )
        if await _open_wallet(connection, crowd.heavy_id):
            await _lines(connection, crowd.heavy_id, admin_id)
        # Measuring again is no reason to be turned away.
        await connection.execute(delete(door_counts))
        heavy, admin = [
            await start_session(
                connection, SECRETS, user_id, "full", now_ms(), address=_ADDRESS, agent="bench"
            )
            for user_id in (crowd.heavy_id, admin_id)
        ]
    async with reading(engine) as connection:
        return Visitors(heavy, admin, await _things(connection, crowd))


async def _admin_id(connection: AsyncConnection) -> int:
    query = select(users.c.id).where(users.c.email_norm == _ADMIN)
    found: int = (await connection.execute(query)).scalar_one()
    await connection.execute(update(users).where(users.c.id == found).values(role="admin"))
    return found


async def _open_wallet(connection: AsyncConnection, user_id: int) -> bool:
    """Make the wallet that the user's row names; tell whether it was not there."""
    there = select(purse.c.id).where(purse.c.id == user_id)
    if (await connection.execute(there)).first():
        return False
    await connection.execute(
        insert(purse).values(
            id=user_id, kind="wallet", owner_id=user_id, period_start=0, available=0, held=0
        )
    )
    return True


async def _lines(connection: AsyncConnection, user_id: int, admin_id: int) -> None:
    actor = Actor(admin_id, _ADMIN, "console", _ADDRESS)
    subject = Subject("user", user_id, f"{user_id}@example.com")
    at_ms = now_ms()
    for number in range(_GRANTS):
        await grant(connection, user_id, _CREDIT // _GRANTS, f"bench:{number}", at_ms)
    for number in range(_NOTES):
        await note(
            connection, actor, "user.limits", subject, at_ms, before=number, after=number + 1
        )


async def _things(connection: AsyncConnection, crowd: Crowd) -> dict[str, tuple[str, ...]]:
    mine = select(func.max(call_index.c.tid)).where(call_index.c.user_id == crowd.heavy_id)
    tid: str = (await connection.execute(mine)).scalar_one()
    account: int = (await connection.execute(select(func.min(accounts.c.id)))).scalar_one()
    model: int = (await connection.execute(select(func.min(models.c.id)))).scalar_one()
    last = datetime.fromtimestamp(tid_ms(tid) // 1000, UTC).replace(day=1) - timedelta(days=1)
    return {
        "accounts": (str(account),),
        "channels": (str(crowd.channel_ids[0]),),
        "keys": (str(crowd.great.key_id),),
        "legal": ("terms",),
        "models": (str(model),),
        "requests": (tid,),
        "statement": tuple(f"{last:%Y-%m}.{form}" for form in ("html", "csv", "pdf")),
        "usage": (tid,),
        "users": (str(crowd.heavy_id),),
    }


def _catalogue() -> str:
    names = [*MODELS, RARE_MODEL]
    return "".join(
        (
            *(_model(name) for name in names),
            *(_channel(name, names) for name in CHANNELS),
            f'\n[[user]]\nemail = "{_ADMIN}"\n',
        )
    )


def _model(name: str) -> str:
    return f"""
[[model]]
name = "{name}"
context = 400000
max_output = 4096
input = "1.00"
cache_read = "0.10"
output = "4.00"
"""


def _channel(name: str, models_of: list[str]) -> str:
    accounts_of = "".join(
        f"""
[[channel.account]]
name = "{name}-{number}"
base_url = "https://vendor.example"
secret = "none of ours"
"""
        for number in range(3)
    )
    return f"""
[[channel]]
name = "{name}"
platform = "openai"
models = [{", ".join(f'"{model}"' for model in models_of)}]
multiplier = "0.5"
{accounts_of}"""
