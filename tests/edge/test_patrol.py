"""One timer for all deadlines."""

import asyncio

from tollbridge.edge.patrol import Patrol


class Guarded:
    """A connection that gives itself up when overdue."""

    def __init__(self, deadline: float) -> None:
        """Take a deadline on the loop's clock."""
        self.deadline = deadline
        self.told = asyncio.Event()

    def overdue(self, now: float) -> None:
        """Note it."""
        assert now >= self.deadline
        self.deadline = float("inf")
        self.told.set()


async def test_the_overdue_are_told_and_the_timer_ends_with_the_last():
    loop = asyncio.get_running_loop()
    patrol = Patrol(0.01)
    late, early = Guarded(loop.time()), Guarded(float("inf"))
    patrol.join(late, loop)
    patrol.join(early, loop)
    await asyncio.wait_for(late.told.wait(), 20)
    assert not early.told.is_set()
    patrol.leave(late)
    early.deadline = 0
    await asyncio.wait_for(early.told.wait(), 20)
    patrol.leave(early)
    assert patrol._timer is None
