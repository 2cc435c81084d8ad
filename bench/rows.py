"""Owns `python -m bench.rows`: a database with as many calls as a large installation has of a year.

The books of such a database are no books: calls have usage rows and roll-ups, but neither purses
nor journal lines, so `ledger verify` refuses it. It is for measuring how fast pages are read.
"""

import argparse
import asyncio
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bench.bulk import load
from bench.crowd import CHANNELS, Crowd
from bench.history import DAYS, history
from bench.postgres import Postgres
from tollbridge.core.clock import now_ms
from tollbridge.storage.engine import open_engine
from tollbridge.storage.migrate import migrate
from tollbridge.storage.rollup_marks import DAY, HOUR, Slot, slot_at
from tollbridge.storage.rollup_sums import from_smaller, from_usage, stored
from tollbridge.storage.rollup_views import edits_of_views
from tollbridge.storage.rollups import trim
from tollbridge.storage.tables import api_keys, channels, users
from tollbridge.storage.unit_of_work import reading, working

_SAMPLE = 12


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: how many calls, in how many seconds, and roll-ups that differ from the gateway's own."""

    calls: int
    seconds: float
    wrong: list[Slot]


async def make(url: str, calls: int, days: int = DAYS) -> Made:
    """Make a database at `url` with so many calls in the last `days` days."""
    started = time.monotonic()
    await migrate(url)
    engine = open_engine(url)
    try:
        crowd = Crowd()
        count = await load(engine, url, history(crowd, calls, now_ms(), days), days)
        async with working(engine) as connection:
            await _people(connection, crowd)
        while await trim(engine, now_ms()):
            pass
        took = time.monotonic() - started
        return Made(count, took, await _wrong(engine, days))
    finally:
        await engine.dispose()


async def _people(connection: AsyncConnection, crowd: Crowd) -> None:
    """Write the rows that pages look names up in."""
    callers = [crowd.great, *crowd.small, *crowd.others]
    at = now_ms()
    for number, name in zip(crowd.channel_ids, CHANNELS, strict=True):
        await connection.execute(insert(channels), [{
            "id": number, "name": name, "platform": "openai", "surfaces": "[]", "models": "[]",
            "multiplier_num": 1, "multiplier_den": 2, "capabilities": "[]", "client_policy": "any",
            "groups": '["*"]', "proxy": "", "rpm": 0, "tpm": 0, "concurrency": 0, "enabled": True,
            "created_ms": at,
        }])  # fmt: skip
    await connection.execute(insert(users), [
        {"id": number, "email": f"{number}@example.com", "email_norm": f"{number}@example.com",
         "role": "user", "group_name": "default", "status": "active", "wallet_id": number,
         "created_ms": at}
        for number in sorted({caller.user_id for caller in callers})
    ])  # fmt: skip
    await connection.execute(insert(api_keys), [
        {"id": caller.key_id, "user_id": caller.user_id, "name": caller.head[2],
         "hash": caller.key_id.to_bytes(32, "big"), "last6": "abcdef", "enabled": True,
         "ips": "[]", "models": "[]", "may_pin": False, "rpm": 0, "tpm": 0, "concurrency": 0,
         "created_ms": at}
        for caller in callers
    ])  # fmt: skip


async def _wrong(engine: AsyncEngine, days: int) -> list[Slot]:
    """Make some hours and days by the gateway's own sums; return those that differ."""
    chance, today = Random(1), slot_at(DAY, now_ms()).start_ms
    wrong = []
    for number in range(_SAMPLE):
        day = Slot(DAY, today - chance.randrange(days) * DAY * 1000)
        hour = Slot(HOUR, day.start_ms + number * HOUR * 1000)
        async with reading(engine) as connection:
            pairs = (
                (hour, await from_usage(connection, hour)),
                (day, await from_smaller(connection, day, HOUR)),
            )
            wrong += [
                slot for slot, rows in pairs
                if not rows
                or sorted(rows) != sorted(await stored(connection, slot))
                or any(await edits_of_views(connection, slot, rows, rows))
            ]  # fmt: skip
    return wrong


def url_in(folder: Path, engine: str, stack: ExitStack) -> str:
    """Return the URL of an empty database in a folder; its server runs as long as the stack."""
    if engine == "sqlite":
        return f"sqlite:///{folder / 'rows.db'}"
    server = Postgres(folder, None)
    stack.callback(server.stop)
    return server.database("rows")


def size_mb(folder: Path) -> int:
    """Return how much the files below a folder take, in MB."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) >> 20


def main(words: list[str]) -> int:
    """Make a database, say what it took; return 1 when its roll-ups are not the gateway's."""
    parser = argparse.ArgumentParser(prog="python -m bench.rows", description=__doc__)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="keep the database here; else it is removed")
    asked = parser.parse_args(words)
    with ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(TemporaryDirectory(prefix="bench-rows-")))
        folder.mkdir(parents=True, exist_ok=True)
        url = url_in(folder, asked.engine, stack)
        made = asyncio.run(make(url, asked.rows))
        rate = made.calls / made.seconds
        print(
            f"{made.calls} calls in {made.seconds:.0f} s, {rate:.0f} a second, {size_mb(folder)} MB"
        )
    for slot in made.wrong:
        print(f"WRONG: the roll-up of {slot} is not what the gateway makes of its calls")
    return 1 if made.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
