"""Owns the line that an edit of the catalogue has in the audit log. Must not know what is edited."""

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.edits import Edit
from tollbridge.identity.audit import Actor, Subject, note


async def note_edit(connection: AsyncConnection, actor: Actor, edit: Edit, at_ms: int) -> None:
    """Note what was made or changed, in the transaction that did; nothing where nothing differs."""
    if edit.after:
        subject = Subject(edit.kind, edit.id, edit.name)
        detail = {"before": dict(edit.before), "after": dict(edit.after)}
        await note(connection, actor, edit.action, subject, at_ms, **detail)
