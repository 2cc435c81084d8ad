"""Proof of how long a unary call goes on for a client that has left."""

import asyncio

import pytest

from tollbridge.relay.leash import Leash


class Work:
    """A task that never ends by itself, on a leash."""

    def __init__(self, cap_s):
        loop = asyncio.get_running_loop()
        self.task = loop.create_task(asyncio.Event().wait())
        self.leash = Leash(loop, self.task, cap_s)


async def test_a_client_that_stays_pulls_nothing():
    work = Work(0.0)
    work.leash.client_slow()
    work.leash.client_ready()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not work.leash.pulled
    assert not work.task.done()
    work.task.cancel()


async def test_a_client_that_left_ends_the_task_after_the_cap():
    work = Work(0.01)
    work.leash.client_gone()
    assert not work.leash.pulled
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(work.task, 30)
    assert work.leash.pulled


async def test_leaving_twice_does_not_start_the_count_anew():
    work = Work(0.05)
    work.leash.client_gone()
    while not work.task.done():
        await asyncio.sleep(0.01)
        work.leash.client_gone()
    assert work.leash.pulled


async def test_a_call_that_has_its_answer_is_not_pulled_any_more():
    work = Work(0.0)
    work.leash.client_gone()
    work.leash.loosen()
    await asyncio.sleep(0.02)
    assert not work.leash.pulled
    assert not work.task.done()
    work.leash.client_gone()
    await asyncio.sleep(0.02)
    assert not work.task.done()
    work.task.cancel()


async def test_without_a_task_there_is_nothing_to_pull():
    leash = Leash(asyncio.get_running_loop(), None, 0.0)
    leash.client_gone()
    await asyncio.sleep(0.02)
    assert not leash.pulled
    leash.loosen()
