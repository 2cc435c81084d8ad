"""Owns how a database is opened: URLs, drivers and what every connection is told first.

Must not know any table. Two engines: SQLite (embedded) and PostgreSQL (architecture.md, "Storage").
"""

import re
import sqlite3
from typing import Any

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

WRITES = "tollbridge_writes"
"""Execution option of a connection whose transactions take SQLite's write lock at once."""

DATABASE_ERRORS: tuple[type[Exception], ...] = (
    SQLAlchemyError,
    sqlite3.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
)
"""What a database that is down, locked or restarting may raise through an engine."""


class BadData(SQLAlchemyError):
    """A database was asked about a value that it cannot hold: whoever sent that is at fault, not it."""


_BAD_DATA = (OverflowError, UnicodeError)
"""What SQLite's driver raises of such a value."""
_BAD_STATES = frozenset({"22000", "22021", "22P05"})
"""What PostgreSQL and its driver say: a value that does not fit its type, U+0000, half a character."""

_BUSY_TIMEOUT_MS = 5000
# Where no sequential scan is wanted its cost is beyond any bound, and every such query would be
# compiled: tens of milliseconds for what runs in one.
_POSTGRES_SETTINGS = {"application_name": "tollbridge", "jit": "off"}
_REASON_MAX = 200
_WRAPPED = re.compile(r"^<class '[\w.]+'>: ")


def reason_of(error: Exception) -> str:
    """Return in a few words why a database cannot be used: the driver's, without statement or URL."""
    origin = getattr(error, "orig", None) or error
    if isinstance(origin, OSError) and origin.strerror:
        return origin.strerror
    # SQLAlchemy's wrapper of asyncpg begins with the class of what it wraps.
    text = _WRAPPED.sub("", str(origin)).partition("\n")[0].strip()
    return text[:_REASON_MAX] or type(origin).__name__


def driver_url(url: str) -> URL:
    """Return a database URL with the driver that we use; ValueError for other databases."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ValueError("not a database URL; write sqlite:///path or postgresql://…") from error
    family = parsed.drivername.partition("+")[0]
    if family == "sqlite":
        return parsed.set(drivername="sqlite+aiosqlite")
    if family in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+asyncpg")
    raise ValueError(f"{family} is not supported; write sqlite:///path or postgresql://…")


def open_engine(url: str) -> AsyncEngine:
    """Return an engine for `sqlite:///path` or `postgresql://…`; ValueError for anything else.

    Connects lazily. PostgreSQL compiles no query. On SQLite every connection has WAL,
    synchronous=FULL, foreign keys and a busy timeout of 5 s. Parameters never appear in errors or
    logs: they may be secrets. A value that no database holds is BadData on both.
    """
    target = driver_url(url)
    is_sqlite = target.get_backend_name() == "sqlite"
    engine = create_async_engine(
        target,
        hide_parameters=True,
        pool_pre_ping=not is_sqlite,
        connect_args={} if is_sqlite else {"server_settings": _POSTGRES_SETTINGS},
    )
    event.listen(engine.sync_engine, "handle_error", _tell_apart)
    if is_sqlite:
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _tell_apart(context: ExceptionContext) -> None:
    """Say of a value that the database cannot hold that this is what is wrong."""
    error = context.original_exception
    if isinstance(error, _BAD_DATA) or getattr(error, "sqlstate", None) in _BAD_STATES:
        raise BadData("a value that no database can hold")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own BEGIN comes too late and never locks; `_begin_sqlite` sends ours.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
