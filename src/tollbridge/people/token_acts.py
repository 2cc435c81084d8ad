"""Owns the lines of the audit log for access tokens of operators: who made one, good for what, who ended it.

A customer's token reaches nothing but what is the customer's, and has no line.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.identity.access_tokens import AccessToken
from tollbridge.identity.audit import Actor, Subject, note


async def note_made(
    connection: AsyncConnection, actor: Actor, token: AccessToken, at_ms: int
) -> None:
    """Note that an operator's token was made, in the transaction that made it."""
    detail = {"scopes": list(token.scopes), "expires_ms": token.expires_ms}
    await _note(connection, actor, "token.make", token, at_ms, **detail)


async def note_revoked(
    connection: AsyncConnection, actor: Actor, token: AccessToken, at_ms: int
) -> None:
    """Note that an operator's token was revoked, in the transaction that did it."""
    await _note(connection, actor, "token.revoke", token, at_ms, of=token.email)


async def _note(
    connection: AsyncConnection,
    actor: Actor,
    action: str,
    token: AccessToken,
    at_ms: int,
    **detail: object,
) -> None:
    if token.role != "user":
        subject = Subject("token", token.id, f"{token.name} …{token.last6}")
        await note(connection, actor, action, subject, at_ms, **detail)
