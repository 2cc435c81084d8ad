"""Owns how calls ended as conditions on usage rows, made from the one table of core/outcomes.py.

Must not know who counts or looks for such calls.
"""

from typing import Final

from sqlalchemy import ColumnElement

from tollbridge.core.outcomes import ANSWERED, CLIENT_KINDS, LEFT, Ended
from tollbridge.storage.ledger_tables import usage

_KINDS: Final = sorted(kind.value for kind in CLIENT_KINDS)


def ended_so(how: Ended) -> ColumnElement[bool]:
    """Return the condition that a call ended so; it is never NULL, so it may be negated."""
    is_answered = usage.c.end_state.in_(sorted(ANSWERED))
    by_client = usage.c.end_state.in_(sorted(LEFT)) | (
        usage.c.error_kind.is_not(None) & usage.c.error_kind.in_(_KINDS)
    )
    if how is Ended.ANSWERED:
        return is_answered
    return ~is_answered & (by_client if how is Ended.CLIENT else ~by_client)
