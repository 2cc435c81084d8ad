"""A worker process whose job never ends: `python -m tests.worker.hanging URL`, to be killed."""

import asyncio
import sys

from tollbridge.core.settings import Settings
from tollbridge.storage.engine import open_engine
from tollbridge.storage.queue import Job
from tollbridge.worker.runner import Worker


async def _hang(one: Job) -> None:
    print("running", one.id, flush=True)
    await asyncio.Event().wait()


async def main(url: str) -> None:
    """Work until killed."""
    worker = Worker(open_engine(url), Settings(), {"hang": _hang}, [])
    worker.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
