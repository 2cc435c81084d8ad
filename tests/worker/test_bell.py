"""Proof that a bell ends pauses: the one that runs, the next one, or all."""

import asyncio

from tollbridge.worker.bell import Bell


async def test_a_pause_ends_by_itself():
    assert await Bell().pause(0)
    assert await Bell().pause(0.001)


async def test_a_ring_ends_the_pause_that_runs_and_only_that():
    bell = Bell()
    pause = asyncio.create_task(bell.pause(None))
    await asyncio.sleep(0)
    assert not pause.done()
    bell.ring()
    assert await pause
    again = asyncio.create_task(bell.pause(None))
    await asyncio.sleep(0.01)
    assert not again.done()
    bell.close()
    assert not await again


async def test_a_ring_before_the_pause_is_heard():
    bell = Bell()
    bell.ring()
    assert await bell.pause(None)


async def test_a_closed_bell_never_pauses():
    bell = Bell()
    bell.close()
    assert not await bell.pause(None)
    assert not await bell.pause(None)
