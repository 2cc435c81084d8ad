"""Owns what a database that cannot be asked means to a caller. Must not know any question."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.telemetry import get_logger
from tollbridge.storage.engine import DATABASE_ERRORS, BadData
from tollbridge.storage.unit_of_work import reading

_log = get_logger(__name__)


@asynccontextmanager
async def asking(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a read of one state of the database; ApiError when it fails.

    ApiError is database_down, or invalid_request where it was asked about what no database holds.
    """
    try:
        async with reading(engine) as connection:
            yield connection
    except BadData:
        words = "A text or a number here is one that cannot be looked for."
        raise ApiError(Kind.INVALID_REQUEST, words) from None
    except DATABASE_ERRORS as error:
        _log.warning("the database cannot be read", reason=type(error).__name__)
        raise ApiError(Kind.DATABASE_DOWN) from None
