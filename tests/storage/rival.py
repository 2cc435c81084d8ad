"""Owns a second process in tests of shared limits: it takes all that it gets, and says how much.

Run it as `python -m tests.storage.rival`, with a JSON object as its only argument. It lives until
its standard input ends, so never longer than the test.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from tollbridge.storage.counters import Scope, Ticket
from tollbridge.storage.counters_redis import Pace, RedisCounters

_AT_ONCE = 64


class Rival:
    """A running process; `granted` waits for it to have tried everything."""

    def __init__(self, url, scope, tries, *, tokens=0, keep=False, **pace):
        asked = {"url": url, "scope": scope, "tries": tries, "tokens": tokens, "keep": keep}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.rival", json.dumps({**asked, "pace": pace})],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def granted(self):
        """Return how many calls it was given leave for."""
        return int(self._process.stdout.readline())

    def kill(self):
        """End it without a word."""
        self._process.kill()
        self.close()

    def close(self):
        """Let it end and wait for that."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


async def _run(asked):
    counters = RedisCounters(asked["url"], Pace(**asked["pace"]))
    await counters.start()
    assert counters.shared
    scopes, left, granted = (Scope(*asked["scope"]),), iter(range(asked["tries"])), 0

    async def try_all():
        nonlocal granted
        for _ in left:
            answer = await counters.take(scopes, asked["tokens"])
            if isinstance(answer, Ticket):
                granted += 1
                if not asked["keep"]:
                    counters.give(answer, asked["tokens"], sent=True)

    await asyncio.gather(*(try_all() for _ in range(_AT_ONCE)))
    assert counters.shared
    print(granted, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await counters.stop()


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
