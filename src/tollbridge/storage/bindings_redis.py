"""Owns the bindings that processes share, in one Redis or Valkey.

While the server is away this process goes by what it bound itself; the rest is unknown.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from redis.exceptions import RedisError

from tollbridge.core.telemetry import get_logger
from tollbridge.storage.bindings import KEEP_S, MemoryBindings
from tollbridge.storage.counters_redis import open_client

_log = get_logger(__name__)
_ANSWER_S = 0.25
# What a server raises that is away, too slow (a TimeoutError is an OSError) or no Redis at all.
_TROUBLE = (RedisError, OSError, ValueError)


class RedisBindings:
    """Bindings in a server that every process asks; see `Bindings` for what the methods do."""

    def __init__(self, url: str, keep_s: int = KEEP_S, answer_s: float = _ANSWER_S) -> None:
        """`url` is as that of the shared counts; raises BadRedisUrl."""
        self._redis = open_client(url)
        self._keep_s = keep_s
        self._answer_s = answer_s
        self._own = MemoryBindings(keep_s=keep_s)
        self._told = False

    async def account(self, mark: bytes) -> int | None:
        """Return the account behind a mark, from this process's own memory if the server has none."""
        own = await self._own.account(mark)
        found = await self._ask(self._redis.getex(_name(mark), ex=self._keep_s))
        return int(found) if isinstance(found, bytes) and found.isdigit() else own

    async def bind(self, mark: bytes, account_id: int) -> None:
        """Remember an account, here and there."""
        await self._own.bind(mark, account_id)
        await self._ask(self._redis.set(_name(mark), account_id, ex=self._keep_s))

    async def release(self, mark: bytes) -> None:
        """Forget a binding, here and there."""
        await self._own.release(mark)
        await self._ask(self._redis.delete(_name(mark)))

    async def stop(self) -> None:
        """Close; what the server has stays there for the other processes."""
        await self._own.stop()
        await self._redis.aclose()

    async def _ask(self, question: Awaitable[Any]) -> Any:
        """Return the server's answer, None when there is none in time."""
        try:
            async with asyncio.timeout(self._answer_s):
                answer = await question
        except _TROUBLE as error:
            if not self._told:
                self._told = True
                _log.warning("bindings are not shared", fault=type(error).__name__)
            return None
        self._told = False
        return answer


def _name(mark: bytes) -> str:
    return f"tollbridge:bound:{mark.hex()}"
