"""Proof of ids: unique, growing, sortable by time, of the layout that the tables rely on."""

import re
import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from tollbridge.core.clock import (
    first_id,
    id_ms,
    is_tid,
    monotonic_ms,
    new_id,
    new_tid,
    now_ms,
    tid_ms,
)

MANY = 100_000
ID_EPOCH_MS = 1_735_689_600_000


def test_the_wall_clock_is_in_milliseconds_since_1970():
    before = int(datetime.now(UTC).timestamp() * 1000)
    assert before - 1 <= now_ms() <= int(datetime.now(UTC).timestamp() * 1000) + 1


def test_the_monotonic_clock_never_steps_back():
    seen = [monotonic_ms() for _ in range(10_000)]
    assert seen == sorted(seen)


def test_ids_are_unique_growing_and_fit_63_bits():
    ids = [new_id() for _ in range(MANY)]
    assert all(one < other for one, other in pairwise(ids))
    assert ids[0] > 0
    assert ids[-1] < 2**63


def test_ids_carry_their_millisecond():
    before = now_ms()
    made = (new_id() >> 22) + ID_EPOCH_MS
    # Ids that were made faster than the random bits allow may run a little ahead of the clock.
    assert before <= made <= now_ms() + 1000
    assert int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * 1000 == ID_EPOCH_MS


def test_a_millisecond_divides_ids_into_older_and_later_ones():
    made = new_id()
    at = id_ms(made)
    assert at == (made >> 22) + ID_EPOCH_MS
    assert first_id(at) <= made < first_id(at + 1)
    assert id_ms(first_id(at) - 1) == at - 1


def test_ids_grow_in_each_thread_and_are_unique_across_them():
    made = [[] for _ in range(4)]

    def work(ids):
        ids.extend(new_id() for _ in range(10_000))

    threads = [threading.Thread(target=work, args=(ids,)) for ids in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(ids == sorted(ids) for ids in made)
    assert len(set().union(*made)) == 40_000


def test_tids_are_unique():
    assert len({new_tid() for _ in range(MANY)}) == MANY


def test_a_tid_is_a_uuid_of_version_7_without_dashes():
    for _ in range(10_000):
        tid = new_tid()
        assert re.fullmatch(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}", tid)
    parsed = uuid.UUID(new_tid())
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


def test_tids_sort_by_the_millisecond_that_they_name():
    before = now_ms()
    tids = [new_tid() for _ in range(MANY)]
    times = [tid_ms(tid) for tid in tids]
    assert before <= times[0]
    assert times[-1] <= now_ms()
    assert [tid_ms(tid) for tid in sorted(tids)] == sorted(times)


def test_the_random_end_of_tids_is_spread_evenly():
    # Choices by weight are made with it.
    ends = [int(new_tid()[-8:], 16) % 10 for _ in range(20_000)]
    assert all(1_600 < ends.count(digit) < 2_400 for digit in range(10))


@pytest.mark.parametrize("text", ["", "not a tid", "zz" * 16])
def test_what_is_no_tid_has_no_time(text):
    with pytest.raises(ValueError, match="invalid literal"):
        tid_ms(text)


def test_what_is_written_as_a_tid():
    assert is_tid(new_tid())
    assert is_tid("0" * 32)
    assert not any(map(is_tid, ("", "0" * 31, "A" * 32, "0" * 32 + "\n", "٣" * 32)))


def test_forked_processes_have_no_ids_in_common():
    """In a process of its own, because a test run has threads and those do not survive a fork."""
    program = """
import os
from tollbridge.core import clock
clock.new_tid(), clock.new_id()
reader, writer = os.pipe()
for _ in range(2):
    if not os.fork():
        tail = clock.new_tid()[13:], clock._ids._random.getrandbits(64)
        os.write(writer, f"{tail}\\n".encode())
        os._exit(0)
    os.wait()
print(len(set(os.read(reader, 4096).decode().split("\\n")) - {""}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "2\n", done.stderr
