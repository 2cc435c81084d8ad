"""Owns the faults of the chaos runs: each hurts one part of a fleet and lets it heal.

Every fault returns the moment (of the loop's clock) from which nothing hurts any more. It ends only
processes of the fleet, by their handles.
"""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable

from tests.faults.customers import Crowd
from tests.faults.fleet import DEAD_S, Fleet
from tests.faults.member import Member

_LEDGER, _NODE = "tollbridge-ledger", "tollbridge-node"


class Wounds:
    """The faults that can be dealt to one fleet and its customers."""

    def __init__(self, fleet: Fleet, crowd: Crowd, chance: random.Random) -> None:
        self._fleet = fleet
        self._crowd = crowd
        self._chance = chance
        self.kinds: dict[str, Callable[[], Awaitable[float]]] = {
            "gateway killed": self.kill,
            "gateway killed, long away": self.kill_for_long,
            "gateway restarted in order": self.end_in_order,
            "gateway stopped past its death": self.stall,
            "gateway stopped briefly": self.pause,
            "database restarted": self.restart_database,
            "database crashed": self.crash_database,
            "database sessions ended": self.end_sessions,
            "database statements cancelled": self.cancel_statements,
            "database slow": self.slow,
            "network frozen": self.freeze,
            "network frozen past death": self.freeze_for_long,
            "network cut": self.cut,
            "answers lost, then cut": self.lose_answers,
            "Redis restarted": self.restart_redis,
            "clients gone": self.clients_gone,
        }

    def _some(self) -> Member:
        return self._chance.choice(self._fleet.members)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def _wait(self, least: float, most: float) -> None:
        await asyncio.sleep(self._chance.uniform(least, most))

    async def kill(self) -> float:
        """SIGKILL, and a new process soon."""
        return await self._kill(0.0, 1.0)

    async def kill_for_long(self) -> float:
        """SIGKILL, and a new process only after the others found out."""
        return await self._kill(DEAD_S, 2 * DEAD_S)

    async def _kill(self, least: float, most: float) -> float:
        member = self._some()
        async with member.lock:
            await asyncio.to_thread(member.end)
            over = self._now()
            await self._wait(least, most)
            await member.start_ready()
        return over

    async def end_in_order(self) -> float:
        """SIGTERM, as when a new version is rolled out."""
        member = self._some()
        async with member.lock:
            await asyncio.to_thread(member.end, signal.SIGTERM)
            over = self._now()
            await member.start_ready()
        return over

    async def stall(self) -> float:
        """SIGSTOP until the others have long declared it dead, then SIGCONT."""
        return await self._stop(DEAD_S + 0.8, DEAD_S + 3.0)

    async def pause(self) -> float:
        """SIGSTOP for less than that."""
        return await self._stop(0.2, DEAD_S * 0.6)

    async def _stop(self, least: float, most: float) -> float:
        member = self._some()
        async with member.lock:
            member.send(signal.SIGSTOP)
            try:
                await self._wait(least, most)
            finally:
                member.send(signal.SIGCONT)
        return self._now()

    async def restart_database(self) -> float:
        """A fast shutdown: sessions are cut, what is committed is on disk."""
        await self._fleet.restart_database(self._chance.uniform(0, 1.5), immediate=False)
        return self._now()

    async def crash_database(self) -> float:
        """An immediate shutdown: no checkpoint, recovery at the start."""
        await self._fleet.restart_database(self._chance.uniform(0, 3.5), immediate=True)
        return self._now()

    async def end_sessions(self) -> float:
        """Some of the money's and the nodes' sessions are ended by the database, a few times."""
        return await self._each_session("pg_terminate_backend")

    async def cancel_statements(self) -> float:
        """The same with the statement that runs, if one does."""
        return await self._each_session("pg_cancel_backend")

    async def _each_session(self, function: str) -> float:
        query = (
            f"SELECT count({function}(pid)) FROM pg_stat_activity"
            " WHERE application_name = ANY($1) AND random() < 0.7"
        )
        async with self._fleet.database_lock:
            for _ in range(self._chance.randint(1, 12)):
                await self._fleet.rows(query, [_LEDGER, _NODE])
                await self._wait(0.005, 0.15)
        return self._now()

    async def slow(self) -> float:
        """Every way to the database takes up to half a second in each direction."""
        for member in self._fleet.members:
            member.proxy.delay_s = self._chance.uniform(0.1, 0.5)
        await self._wait(1.0, 3.0)
        for member in self._fleet.members:
            member.proxy.delay_s = 0.0
        return self._now()

    async def freeze(self) -> float:
        """One gateway hears nothing of the database for a while; nothing is lost."""
        return await self._freeze(0.3, DEAD_S * 0.8)

    async def freeze_for_long(self) -> float:
        """The same until the others have declared it dead, though it lives."""
        return await self._freeze(DEAD_S + 0.8, DEAD_S + 3.0)

    async def _freeze(self, least: float, most: float) -> float:
        proxy = self._some().proxy
        proxy.freeze()
        await self._wait(least, most)
        proxy.thaw()
        return self._now()

    async def cut(self) -> float:
        """All connections of some gateways are reset, and new ones for a moment too."""
        chosen = [one for one in self._fleet.members if self._chance.random() < 0.6]
        for member in chosen:
            member.proxy.closed = True
            member.proxy.reset()
        await self._wait(0.0, 1.0)
        for member in chosen:
            member.proxy.closed = False
        return self._now()

    async def lose_answers(self) -> float:
        """What is sent is done, but nobody hears of it before the connection is reset."""
        chosen = [one for one in self._fleet.members if self._chance.random() < 0.6]
        for member in chosen:
            member.proxy.mute = True
        await self._wait(0.05, 0.6)
        for member in chosen:
            member.proxy.reset()
            member.proxy.mute = False
        return self._now()

    async def restart_redis(self) -> float:
        """Everything in it is lost."""
        async with self._fleet.redis_lock:
            await asyncio.to_thread(self._fleet.redis.stop)
            await self._wait(0.0, 1.5)
            await asyncio.to_thread(self._fleet.redis.start)
        return self._now()

    async def clients_gone(self) -> float:
        """Half of the callers are killed in the middle of their calls, again and again."""
        for _ in range(5):
            self._crowd.cut(0.5)
            await self._wait(0.05, 0.3)
        return self._now()
