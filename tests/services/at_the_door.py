"""Owns what tests of signing in do again and again: the mail that was posted, a second factor that is
on, a code of it, and what the database holds of sessions.
"""

import json
from typing import Any

import httpx2
import pyotp
from sqlalchemy import select

from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.identity.users import change_user
from tollbridge.people.second_factor import begin_totp, confirm_totp
from tollbridge.people.telling import Voice
from tollbridge.storage.people_tables import sessions
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.storage.work_tables import job

PASSWORD = "a lantern in june"
EMAIL = "ann@example.com"
VOICE = Voice("Tollbridge", "en")
_LONG_AGO_MS = 600_000


async def letters(house: House) -> list[dict[str, Any]]:
    """Return the mail that was posted, the oldest first."""
    async with reading(house.engine) as connection:
        query = select(job.c.payload).where(job.c.kind == "mail").order_by(job.c.id)
        return [json.loads(text) for text in (await connection.execute(query)).scalars()]


async def stages(house: House, user_id: int) -> list[str]:
    """Return the stages of all sessions that a user has, the oldest first."""
    async with reading(house.engine) as connection:
        query = select(sessions.c.stage).where(sessions.c.user_id == user_id).order_by("id")
        return list((await connection.execute(query)).scalars())


async def row_of(house: House, user_id: int) -> dict[str, Any]:
    """Return a user's row."""
    async with reading(house.engine) as connection:
        found = await connection.execute(select(users).where(users.c.id == user_id))
        return dict(found.mappings().one())


async def suspend(house: House, user_id: int) -> None:
    """Suspend a user."""
    async with working(house.engine) as connection:
        await change_user(connection, user_id, {"status": "suspended"})


async def switch_on(house: House, user_id: int) -> tuple[str, list[str]]:
    """Switch a user's second factor on, as if ten minutes ago; return secret and recovery codes."""
    at_ms = now_ms() - _LONG_AGO_MS
    async with working(house.engine) as connection:
        begun = await begin_totp(connection, house.secrets, user_id, "Tollbridge", "a code", at_ms)
        code = code_at(begun.secret, at_ms)
        codes = await confirm_totp(
            connection, house.secrets, user_id, begun.word, code, VOICE, at_ms
        )
    return begun.secret, codes


def code_at(secret: str, at_ms: int) -> str:
    """Return what the app shows at a time."""
    return pyotp.TOTP(secret).at(at_ms // 1000)


def wrong_code(secret: str, at_ms: int) -> str:
    """Return six digits that are no code of the minutes around a time."""
    near = {code_at(secret, at_ms + 30_000 * step) for step in range(-3, 4)}
    return next(f"{guess:06}" for guess in range(10) if f"{guess:06}" not in near)


async def sign_in(
    browser: httpx2.AsyncClient, password: str = PASSWORD, email: str = EMAIL, **more: str
) -> httpx2.Response:
    """Send the form of the sign-in page."""
    return await browser.post("/sign-in", data={"email": email, "password": password, **more})
