"""Owns the lines of the audit log for what operators do about an account's state.

Must not know how a state comes about; that is storage's.
"""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.storage.account_states import one_account


async def note_account(
    connection: AsyncConnection, actor: Actor, verb: str, account_id: int, at_ms: int, **detail: Any
) -> bool:
    """Note that somebody did "recover", "disable", "enable", "test" … to an account.

    In the transaction that did it. False, and no line, when there is no such account.
    """
    row = await one_account(connection, account_id)
    if row is None:
        return False
    subject = Subject("account", account_id, f"{row['channel']}/{row['name']}")
    await note(connection, actor, f"account.{verb}", subject, at_ms, **detail)
    return True
