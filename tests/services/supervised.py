"""Owns a supervised server for tests: `python -m tests.services.supervised FOLDER WORKERS`.

Each worker answers every connection with its pid. Files in FOLDER make it behave: `fail` (its text is
why no worker can serve), `crash` (workers die without a word before they serve), `deaf` (SIGTERM is
ignored). What happens is appended to FOLDER/events.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import configure_logging
from tollbridge.supervisor import Pace, Post, StartFailed, bind, supervise

_PACE = Pace(first_s=0.02, most_s=0.2, calm_s=60.0, open_s=0.1, end_s=0.2)


class CannotServeError(Exception):
    """Why a worker cannot serve."""


def note(folder: Path, *words: object) -> None:
    """Append a line, whole, to the events."""
    with (folder / "events").open("a") as events:
        events.write(" ".join(map(str, words)) + "\n")


def serve_one(folder: Path, post: Post) -> None:
    """Be a worker."""
    note(folder, "worker", post.index, os.getpid())
    if (folder / "fail").exists():
        raise CannotServeError((folder / "fail").read_text())
    if (folder / "crash").exists():
        os._exit(7)
    asyncio.run(_serve(folder, post))
    note(folder, "ended", post.index, os.getpid())


async def _serve(folder: Path, post: Post) -> None:
    told = asyncio.Event()
    deaf = (folder / "deaf").exists()
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM, (lambda: None) if deaf else told.set
    )

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{os.getpid()}\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, sock=post.listener)
    post.ready()
    await told.wait()
    # Whoever was accepted is answered, as a gateway does it. A server of this loop that is closed
    # drops those whose task has not begun, and tasks that are left would be cancelled.
    asyncio.get_running_loop().remove_reader(post.listener)
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.001)
    server.close()


def main() -> int:
    """Supervise until told to end; the exit status is as the command line's."""
    # Whoever runs the suite may have it ignored, and then the supervisor leaves it so.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    folder, workers = Path(sys.argv[1]), int(sys.argv[2])
    configure_logging("info", "json")
    settings = Settings(database=f"sqlite:///{folder}/t.db", shutdown_grace_s=0.1)
    listeners = bind("127.0.0.1", 0, workers)
    port = listeners[0].getsockname()[1]
    try:
        supervise(
            settings,
            listeners,
            lambda post: serve_one(folder, post),
            lambda: note(folder, "ready", port),
            sayable=(CannotServeError,),
            pace=_PACE,
        )
    except StartFailed as error:
        note(folder, "failed", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
