"""The twin of console/wallet_lines.py: lines add up to the nano-dollar, whatever the page."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from tests.billing.months import statement
from tollbridge.billing.statements import DayCharges, Entry, Statement
from tollbridge.console.wallet_lines import AT_ONCE, Months, lines_of, page_of

HOUR_MS = 3_600_000
AMOUNTS = st.integers(-(10**15), 10**15).filter(bool)


@st.composite
def months(draw: st.DrawFn) -> Statement:
    """Draw a month with entries and charges at any of its moments."""
    one = statement()
    moments = st.integers(one.span.start_ms, one.span.end_ms - 1)
    entries = [
        Entry(draw(moments), "adjustment", str(n), draw(AMOUNTS))
        for n in range(draw(st.integers(0, 250)))
    ]
    numbers = draw(st.sets(st.integers(1, 28), max_size=28))
    days = [
        DayCharges(one.span.day.replace(day=n).isoformat(), 1, draw(st.integers(0, 10**15)))
        for n in sorted(numbers)
    ]
    return statement(entries=entries, days=days, opening=draw(AMOUNTS))


@given(months())
def test_each_balance_is_the_one_before_and_the_amount(one: Statement):
    lines = lines_of(one)
    before = one.opening
    for line in lines:
        assert line.balance == before + line.amount
        before = line.balance
    assert before == one.closing
    assert len(lines) == len(one.entries) + len(one.days)


@given(months())
def test_pages_have_every_line_once_the_newest_first(one: Statement):
    seen, upto = [], None
    while True:
        page = page_of(one, upto)
        assert len(page.lines) <= AT_ONCE
        seen += page.lines
        upto = page.older
        if not upto:
            break
    assert seen == lines_of(one)[::-1]


def test_what_calls_cost_comes_after_all_else_of_the_day():
    one = statement()
    first = one.span.day.replace(day=2).isoformat()
    at_ms = one.span.start_ms + 47 * HOUR_MS
    given_back = [Entry(at_ms, "grant", "x", 5)]
    lines = lines_of(statement(entries=given_back, days=[DayCharges(first, 2, 3)], zone="UTC"))
    assert [line.kind for line in lines] == ["grant", "charges"]
    assert [line.amount for line in lines] == [5, -3]


def test_months_end_where_the_account_and_time_do():
    one = statement()
    this = one.span.day.replace(day=1)
    now = Months.around(one, this, one.span.start_ms)
    assert (now.this, now.older, now.newer) == (one.month, None, None)
    later = Months.around(one, date(2000, 1, 1), one.span.end_ms)
    assert later.older is not None and later.newer is not None
    assert later.older < one.month < later.newer
