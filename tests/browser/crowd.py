"""Owns what makes pages wide: a site with a past, written as the product writes it.

A customer with 300 calls in forty days and twelve keys, thirty users, fifteen channels, names as long
as they may be, codes, a long announcement, lines of the audit log. The same seed, the same crowd.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.browser.people import PASSWORD
from tests.browser.stage import CATALOGUE, SOLD, Stage
from tollbridge.billing.bill import Bill, Ending, usage_row
from tollbridge.billing.grants import grant, open_wallet
from tollbridge.billing.pricing import costs
from tollbridge.catalog.loader import load_snapshot
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.core.clock import new_id, now_ms
from tollbridge.core.money import NANO
from tollbridge.core.secrets import Secrets
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.identity.passwords import hash_password
from tollbridge.identity.users import add_user
from tollbridge.people.key_wish import KeyWish
from tollbridge.people.keys import create_key, rotate_key, switch_key
from tollbridge.people.redeeming import Batch, make_codes, redeem
from tollbridge.people.suspension import suspend
from tollbridge.protocols.usage import Usage
from tollbridge.storage.call_index import index_chunk
from tollbridge.storage.ledger_items import USAGE_COLUMNS
from tollbridge.storage.ledger_tables import journal, purse, usage, usage_feed
from tollbridge.storage.people_tables import announcements
from tollbridge.storage.unit_of_work import writing

DAY_MS = 86_400_000
DAYS, CALLS, KEYS, USERS, MORE_CHANNELS = 40, 300, 12, 30, 12
LONG = "a-name-that-is-as-long-as-a-name-may-ever-be-for-a-key-or-chann"
CUSTOMER, ADMIN = "customer@example.com", "admin@example.com"
_ENDS = (
    *[("complete", 200, None)] * 12,
    ("client_gone", 499, "client_gone"),
    ("upstream_error", 502, "upstream_unavailable"),
    ("refused", 429, "rate_limited"),
)
_CLIENTS = ("curl", "claude-code", "codex", "openai-python", "a client with a rather long name 1.2")
BODY = "\n\n".join(
    (
        (
            "Prices of two channels change on Monday. **Nothing has to be done**, and calls that run"
            " are charged at the price they began with."
        ),
        (
            "- `gpt-5.4` costs less on every channel\n- long addresses such as"
            " https://status.example.com/incidents/2026/a-very-long-address-without-any-break"
            "-in-it-which-has-to-wrap-somewhere stay within the page"
        ),
        "An incident of last week is over; see the status page for all of its details. " * 4,
    )
)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who is there to be: ids of users."""

    admin: int
    customer: int


def fill(stage: Stage) -> Crowd:
    """Give the site its past. The server must not run yet: it reads all of it when it starts."""
    names = [f"{LONG[:-3]}-{number:02}" for number in range(MORE_CHANNELS)]
    text = CATALOGUE + "".join(stage.channel(*one) for one in SOLD)
    for name in names:
        text += stage.channel(name, "openai", '["gpt-5.4"]', "0.123456", LONG)
    stage.gateway.apply(text)
    secrets = stage.secrets
    crowd = stage.ask(lambda engine: _fill(engine, secrets))
    done = stage.gateway.run("rollup", "rebuild")
    assert done.returncode == 0, done.stderr
    return crowd


async def _fill(engine: AsyncEngine, secrets: Secrets) -> Crowd:
    snapshot = await load_snapshot(engine, secrets)
    password = await asyncio.to_thread(hash_password, PASSWORD)
    now = now_ms()
    async with writing(engine) as connection:
        admin, _ = await _user(connection, ADMIN, now, password, role="admin")
        then = now - (DAYS + 1) * DAY_MS
        customer, wallet = await _user(connection, CUSTOMER, then, password, credit=2_500 * NANO)
        actor = Actor(admin, ADMIN, "console", "127.0.0.1")
        for number in range(USERS):
            address = f"somebody-with-an-address-that-is-rather-long-{number:02}@mail.example.com"
            await _user(connection, address, now - number * DAY_MS, credit=number * NANO)
        gone, _ = await _user(connection, "suspended@example.com", now)
        await suspend(
            connection, actor, gone, "Resold keys. " * 20, now, site_name="Example Gateway"
        )
        await _news(connection, admin, now)
        await _codes(connection, secrets, actor, customer, now)
        for number in range(60):
            subject = Subject("channel", number, f"{LONG}-{number}")
            await note(connection, actor, "channel.change", subject, now, reason=BODY[:200])
        keys = await _keys(connection, secrets, snapshot, customer, now)
        await _calls(connection, snapshot, customer, wallet, keys, now)
    # The server would do it in a moment: whoever looks before that finds no calls.
    while await index_chunk(engine):
        pass
    return Crowd(admin, customer)


async def _user(
    connection: AsyncConnection,
    address: str,
    at_ms: int,
    password: str | None = None,
    *,
    role: str = "user",
    credit: int = 0,
) -> tuple[int, int]:
    """Return the ids of a new user and of the wallet."""
    user_id = new_id()
    wallet_id = await open_wallet(connection, user_id)
    more = {
        "role": role,
        "group_name": "default",
        "password_hash": password,
        "wallet_id": wallet_id,
        "verified_ms": at_ms,
    }
    await add_user(connection, user_id, address, at_ms, more)
    for part in range(4 if credit else 0):
        await grant(connection, wallet_id, credit // 4, f"{user_id}/{part}", at_ms)
    return user_id, wallet_id


async def _news(connection: AsyncConnection, admin: int, now: int) -> None:
    for level, title in (
        ("news", "Prices change on Monday"),
        ("warning", "A warning whose title is as long as titles are when people take their time"),
    ):
        values = {
            "id": new_id(), "level": level, "title": title, "body": BODY, "language": "",
            "starts_ms": now - DAY_MS, "ends_ms": now + DAY_MS, "created_by": admin,
            "created_ms": now,
        }  # fmt: skip
        await connection.execute(insert(announcements).values(values))


async def _codes(
    connection: AsyncConnection, secrets: Secrets, actor: Actor, customer: int, now: int
) -> None:
    for number in range(8):
        batch = Batch(f"{LONG[:-3]}-{number:02}", 12, 5 * NANO, now + DAY_MS, 90)
        codes = await make_codes(connection, secrets, actor, batch, now)
        await redeem(connection, secrets, customer, codes[0], now)


async def _keys(
    connection: AsyncConnection, secrets: Secrets, snapshot: Snapshot, customer: int, now: int
) -> list[tuple[int, str]]:
    """Return ids and names of the customer's keys: with limits, budgets, ends, one switched off."""
    channels = sorted(snapshot.channels)
    made = []
    for number in range(KEYS):
        name = f"{LONG[:-3]}-{number:02}" if number % 3 == 0 else f"laptop {number}"
        wish = KeyWish(
            name,
            channel_id=channels[number] if number % 2 else None,
            limit=(number + 1) * 10 * NANO if number % 3 else None,
            budget=5 * NANO if number % 4 == 0 else None,
            budget_period="month" if number % 4 == 0 else None,
            expires_ms=now + number * DAY_MS if number > 6 else None,
            ips=("192.0.2.0/24", "2001:db8::/32") if number == 3 else (),
        )
        key_id, _ = await create_key(connection, secrets, snapshot, customer, wish, now)
        made.append((key_id, name))
    await switch_key(connection, customer, made[1][0], enabled=False)
    await rotate_key(connection, secrets, customer, made[0][0], 86_400, now)
    return made


async def _calls(
    connection: AsyncConnection,
    snapshot: Snapshot,
    customer: int,
    wallet: int,
    keys: list[tuple[int, str]],
    now: int,
) -> None:
    total = 0
    for row in _rows(snapshot, customer, wallet, keys, now):
        await connection.execute(insert(usage).values(row))
        await connection.execute(insert(usage_feed).values(tid=row["tid"]))
        total += row["charge"]
        if row["charge"]:
            line = {
                "id": new_id(), "at_ms": row["at_ms"], "debit": f"wallet:{wallet}",
                "credit": "revenue", "amount": row["charge"], "kind": "charge", "ref": row["tid"],
            }  # fmt: skip
            await connection.execute(insert(journal).values(line))
    spent = purse.c.available - total
    await connection.execute(update(purse).where(purse.c.id == wallet).values(available=spent))


def _rows(
    snapshot: Snapshot, customer: int, wallet: int, keys: list[tuple[int, str]], now: int
) -> Iterator[dict[str, Any]]:
    chance = Random(7)
    sold = [
        (channel, name) for channel in snapshot.channels.values() for name in sorted(channel.models)
    ]
    for number in range(CALLS):
        at_ms = now - (number + 1) * DAYS * DAY_MS // (CALLS + 1)
        channel, model = chance.choice(sold)
        state, status, error = chance.choice(_ENDS)
        key_id, key_name = keys[number % len(keys)]
        price = snapshot.models[model].price
        assert price is not None
        bill = Bill(
            f"{at_ms:012x}7{chance.getrandbits(76):019x}", at_ms, customer, key_id, key_name,
            wallet, channel.id, channel.name, channel.accounts[0].id, model, model, "chat",
            channel.platform, number % 2 == 0, price.id, channel.multiplier.num,
            channel.multiplier.den, _CLIENTS[number % len(_CLIENTS)],
        )  # fmt: skip
        used = Usage() if error else Usage(
            input=chance.randrange(200_000), cache_read=chance.randrange(100_000),
            output=chance.randrange(9_000), reasoning=chance.randrange(100),
        )  # fmt: skip
        charge, listed = costs(used, price, channel.multiplier)
        ending = Ending(
            state, status, error, usage=used, list_cost=listed, own_cost=listed // 9,
            first_token_ms=None if error else chance.randrange(200, 4_000),
            total_ms=chance.randrange(4_000, 90_000),
        )  # fmt: skip
        row = (*usage_row(bill, ending), charge, 0)
        yield dict(zip(USAGE_COLUMNS, row, strict=True))
