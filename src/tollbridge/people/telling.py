"""Owns posting a letter to a user in the user's own language, in the transaction of what it tells.

Must not know the letters' words.
"""

from dataclasses import dataclass

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.notify.letters import Value, letter
from tollbridge.notify.mail import is_address
from tollbridge.notify.outbox import post_mail


@dataclass(frozen=True, slots=True)
class Voice:
    """How the site speaks: what it calls itself, and the language for who has chosen none."""

    site_name: str
    language: str


async def tell(
    connection: AsyncConnection, user: RowMapping, voice: Voice, name: str, **values: Value
) -> None:
    """Post a letter to a user (a row of `users`), if the user has an address that mail can go to."""
    if is_address(user["email"]):
        language = user["language"] or voice.language
        mail = letter(name, language, user["email"], voice.site_name, **values)
        await post_mail(connection, mail)
