"""The books under kill -9: a real process, killed at random moments, loses and doubles nothing.

The child acknowledges on its standard output, as a client sees a final frame: what it printed must
be in the books exactly once, whatever happened next.
"""

import random
import subprocess
import sys
import time

import pytest

from tests.storage import books
from tests.storage.books import WALLET

_CHILD = """
import random, sys
from pathlib import Path
from tests.storage import books
random.seed(int(sys.argv[2]))
book = books.open_book(Path(sys.argv[1]))
print("ready", flush=True)
live = []
for number in range(1_000_000):
    tids = [f"{sys.argv[2]}-{number}-{place}" for place in range(random.randint(1, 6))]
    items = [books.hold(tid, random.randint(1, 50)) for tid in tids]
    items += [books.update(tid, random.randint(1, 99), random.randint(1, 99)) for tid in live]
    over = random.sample(live, min(len(live), random.randint(0, 6)))
    items += [books.settle(tid, random.randint(0, 120)) for tid in over]
    results, _ = book.apply(items)
    live = [tid for tid in live if tid not in over]
    live += [tid for tid, result in zip(tids, results) if result.ok]
    lines = []
    for item, result in zip(items, results):
        if type(item).__name__ == "Settle":
            lines.append(f"settled {item.tid} {result.charge} {result.loss}")
        elif type(item).__name__ == "Update" and result.ok and item.tid in live:
            lines.append(f"covered {item.tid} {item.covered}")
    print("\\n".join(lines), flush=True)
"""


def run_and_kill(path, seed, after_s):
    """Return what the child acknowledged before it died."""
    command = [sys.executable, "-c", _CHILD, str(path), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        time.sleep(after_s)
        child.kill()
        lines = child.stdout.read().rpartition("\n")[0].splitlines()
    return [line.split() for line in lines if line]


def check(path, acknowledged, settled):
    book = books.open_book(path)
    book.close()
    assert books.findings(path) == []
    assert books.query(path, "SELECT COUNT(*) FROM hold") == [(0,)]
    rows = {
        tid: (end_state, charge, loss)
        for tid, end_state, charge, loss in books.query(
            path, "SELECT tid, end_state, charge, loss FROM usage"
        )
    }
    for what, tid, *figures in acknowledged:
        if what == "settled":
            settled[tid] = ("complete", *map(int, figures))
    assert {tid: rows.get(tid) for tid in settled} == settled
    for what, tid, *figures in acknowledged:
        # A settle may have become durable without a word; a reclaimed call had its checkpoint.
        if what == "covered" and rows[tid][0] == "reclaimed":
            assert sum(rows[tid][1:]) >= int(figures[0])


def kill_often(folder, times):
    path = books.fresh(folder, 100_000)
    settled = {}
    chance = random.Random(times)
    for seed in range(times):
        books.credit(path, WALLET, 5_000)
        check(path, run_and_kill(path, seed, chance.uniform(0, 0.15)), settled)
    assert len(settled) > times


def test_killed_books_keep_what_was_acknowledged(tmp_path):
    kill_often(tmp_path, 30)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_books_killed_many_times_keep_what_was_acknowledged(tmp_path):
    kill_often(tmp_path, 500)
