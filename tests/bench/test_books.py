"""Proof that the books made for measuring are right, and hold every sort of call."""

import pytest
from sqlalchemy import text

from bench.books import MONTH_MS, QUIET_MS, fill
from tollbridge.billing.verify import audit
from tollbridge.core.clock import now_ms, tid_ms
from tollbridge.storage.engine import open_engine


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path}/books.db"


async def test_the_books_are_right_and_hold_every_sort_of_line(url):
    end_ms = now_ms() - QUIET_MS
    await fill(url, 1_000, 20, end_ms)
    engine = open_engine(url)
    verdict = await audit(engine)
    assert (verdict.findings, verdict.calls) == ((), 1_000)
    assert (await audit(engine)).calls < 1_000
    async with engine.connect() as connection:
        kinds = await connection.execute(text("SELECT DISTINCT kind FROM journal"))
        ends = await connection.execute(text("SELECT MIN(tid), MAX(tid) FROM usage"))
        assert {kind for (kind,) in kinds} == {
            "charge", "loss", "late", "late_loss", "return", "return_loss", "grant",
        }  # fmt: skip
        first, last = ends.one()
    assert end_ms - MONTH_MS == tid_ms(first) < tid_ms(last) < end_ms
    await engine.dispose()
