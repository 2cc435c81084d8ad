"""Owns how a database is opened: URLs, drivers and what every connection is told first.

Must not know any table. Two engines: SQLite (embedded) and PostgreSQL (architecture.md, "Storage").
"""

import re
import sqlite3
from typing import Any

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
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

_BUSY_TIMEOUT_MS = 5000
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

    Connects lazily. On SQLite every connection has WAL, synchronous=FULL, foreign keys and a busy
    timeout of 5 s. Parameters never appear in errors or logs: they may be secrets.
    """
    target = driver_url(url)
    if target.get_backend_name() == "sqlite":
        engine = create_async_engine(target, hide_parameters=True)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    return create_async_engine(target, hide_parameters=True, pool_pre_ping=True)


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
