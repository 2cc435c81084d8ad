"""Whether a client still reads."""

from asyncio import Transport
from typing import cast

from tollbridge.edge.stall import Stall


class Buffer:
    """The write buffer of a transport."""

    size = 100

    def get_write_buffer_size(self) -> int:
        """Return what is unsent."""
        return self.size


def test_progress_wins_time_and_standing_still_does_not():
    buffer = Buffer()
    stall = Stall(cast("Transport", buffer), 8)
    assert stall.begin(0) == 2
    assert stall.look(7) == 9
    buffer.size = 99
    assert stall.look(8) == 10
    assert stall.look(15) == 17
    assert stall.look(16) is None


def test_what_is_added_does_not_hide_progress():
    buffer = Buffer()
    stall = Stall(cast("Transport", buffer), 8)
    stall.begin(0)
    stall.grew(50)
    buffer.size = 149
    assert stall.look(8) == 10
