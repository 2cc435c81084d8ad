"""Owns a worker that only talks of its metrics: `python -m tests.services.talking FOLDER INDEX COUNT`.

It has counted INDEX + 1 calls, says `ready`, and answers each line on its input with the length of
its exposition and the exposition.
"""

import asyncio
import sys
from pathlib import Path

from tollbridge.core.metrics import Metrics
from tollbridge.supervisor.siblings import Siblings


async def main() -> None:
    """Talk until the input ends."""
    folder, index, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    metrics = Metrics()
    for _ in range(index + 1):
        metrics.request_done("chat", "complete")
    siblings = Siblings(folder, index, count, metrics, lambda: metrics.holds_open.set(2))
    await siblings.start()
    print("ready", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        text = await siblings.exposition()
        print(len(text.splitlines()), text.decode(), sep="\n", end="", flush=True)
    await siblings.stop()


if __name__ == "__main__":
    asyncio.run(main())
