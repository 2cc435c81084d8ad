"""A generated history: its calls lie in its days, and its roll-ups have all of them."""

from bench.crowd import Crowd
from bench.history import history
from tollbridge.core.clock import tid_ms
from tollbridge.storage.query_tables import ROLLUP_GROUP
from tollbridge.storage.rollup_marks import DAY, HOUR

DAY_MS = 86_400_000
_CALLS = 2 + len(ROLLUP_GROUP)


def test_all_calls_are_made_in_order_in_whole_days() -> None:
    parts = list(history(Crowd(), 500, 20 * DAY_MS + 5, days=3))
    tids = [row[0] for part in parts for row in part.usage]
    assert len(tids) == len({*tids}) == 500
    assert tids == sorted(tids)
    assert all(18 * DAY_MS <= tid_ms(tid) < 21 * DAY_MS for tid in tids)
    assert [row[0] for part in parts for row in part.index] == tids


def test_hours_and_days_have_every_call() -> None:
    (part,) = history(Crowd(), 300, DAY_MS - 1, days=1)
    for span in (HOUR, DAY):
        rows = [row for row in part.rollup if row[0] == span]
        assert sum(row[_CALLS] for row in rows) == 300
        assert len({row[:_CALLS] for row in rows}) == len(rows)
