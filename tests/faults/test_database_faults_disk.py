"""The disk full under a serving gateway: what runs is settled, nothing new starts, and it recovers.

The disk is a small file system of its own, which takes root to mount.
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.stage import Scene, Stage, playing, price, staged, wait

pytestmark = pytest.mark.asyncio(loop_scope="function")
MIB = 1 << 20
SIZE, MIN_FREE, RESERVE = 48 * MIB, 12 * MIB, 4 * MIB
ENVIRON = {
    "TOLLBRIDGE_MIN_FREE_DISK_BYTES": str(MIN_FREE),
    "TOLLBRIDGE_RESERVE_FILE_BYTES": str(RESERVE),
    "TOLLBRIDGE_WRITER_DEADLINE_S": "1",
}


def no_disk(reason: str) -> None:
    """Skip, but as root under CI nothing is skipped."""
    if os.environ.get("CI") and os.geteuid() == 0:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk for the test."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid():
        no_disk("mounting a small disk takes root")
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        no_disk(f"no small disk can be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest_asyncio.fixture
async def stage(disk: Path) -> AsyncIterator[Stage]:
    """Run a gateway whose books lie on the small disk."""
    async with staged(disk, ENVIRON) as one:
        yield one


@pytest_asyncio.fixture
async def scene(stage: Stage) -> AsyncIterator[Scene]:
    """Begin a scene on the small disk."""
    async with playing(stage) as one:
        yield one


def fill(disk: Path) -> Path:
    """Write until nothing more fits and return the file."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (MIB, 4096):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


async def ready(stage: Stage, status: int) -> None:
    """Wait until the readiness probe answers so."""
    async with asyncio.timeout(20):
        while (await stage.get("/readyz")).status != status:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_a_full_disk_settles_what_runs_and_refuses_what_is_new(disk, scene, stream):
    stage, reserve = scene.stage, disk / "data" / "tollbridge.db.reserve"
    assert reserve.stat().st_size == RESERVE
    fake = {"tokens": 3, "prompt_tokens": 8, "delay_ms": 2500}
    running = [asyncio.create_task(scene.post(stream=stream, fake=fake)) for _ in range(20)]
    await wait(lambda: len(scene.rows("SELECT 1 FROM hold")) == len(running))
    ballast = fill(disk)
    await ready(stage, 503)
    refused = await scene.post(stream=stream)
    assert refused.status == 503 and int(refused.headers["retry-after"]) >= 1
    for answer in await asyncio.gather(*running):
        assert answer.status == 200 and b"Hello" in answer.body and answer.done is stream
    assert not reserve.exists(), "only the reserve made room for them"
    rows = await scene.settled(len(running))
    assert {row["charge"] for row in rows} == {price(8, 3)}
    assert (await scene.post(stream=stream)).status == 503
    ballast.unlink()
    await ready(stage, 200)
    again = await scene.post(stream=stream, fake={"tokens": 3})
    assert again.status == 200 and b"Hello" in again.body
    await wait(reserve.exists)
    assert reserve.stat().st_size == RESERVE


async def test_a_disk_that_is_nearly_full_takes_no_new_calls(disk, scene):
    ballast = disk / "ballast"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - MIN_FREE // 2)
    await ready(scene.stage, 503)
    answer = await scene.post()
    assert answer.status == 503 and answer.headers["retry-after"]
    ballast.unlink()
    await ready(scene.stage, 200)
    assert (await scene.post()).status == 200
