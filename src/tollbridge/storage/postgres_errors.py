"""Owns what an error of PostgreSQL means to a money writer: whose fault it is, what was written.

Three kinds: an item's own (a value that no column takes), the connection's (unknown what was
written), and the rest, which passes by itself (a lock, a deadlock, a full disk).
"""

from enum import Enum

import asyncpg

_DATA: tuple[type[BaseException], ...] = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.exceptions.ProgramLimitExceededError,
    # What the driver cannot encode.
    ValueError,
    TypeError,
    OverflowError,
)
_LOST: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # What the driver says of a connection that ended between two statements.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    # The plan does not fit the tables any more: a new connection makes a new one.
    asyncpg.exceptions.InvalidCachedStatementError,
    # A server that became a standby: another connection may find the primary.
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    # A server that ends, or a statement that took too long.
    asyncpg.exceptions.OperatorInterventionError,
)

DATABASE_TROUBLE: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresError,
)
"""Whatever a database that is away, ending or overloaded may raise."""


class Fault(Enum):
    """Whose an error is."""

    ITEM = "a value inside one item"
    CONNECTION = "nobody knows what was written"
    PASSING = "nothing was written; another try may do"
    PROGRAM = "ours"


def fault_of(error: BaseException) -> Fault:
    """Say whose an error is."""
    if isinstance(error, asyncpg.exceptions.DivisionByZeroError):
        # The statement's way of saying that a hold is not as it was thought to be.
        return Fault.PASSING
    if isinstance(error, _DATA):
        return Fault.ITEM
    if isinstance(error, _LOST):
        return Fault.CONNECTION
    return Fault.PASSING if isinstance(error, asyncpg.PostgresError) else Fault.PROGRAM
