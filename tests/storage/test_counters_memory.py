"""Proof that no minute ever exceeds a limit, against an exact log, and that memory is bounded."""

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.storage.counters import BACK, BUCKET_MS, Scope, Ticket
from tollbridge.storage.counters_memory import MemoryCounters

MINUTE_MS = 60_000
GAPS = st.one_of(
    st.integers(0, 50), st.integers(0, 7_000), st.sampled_from([BUCKET_MS, MINUTE_MS, 66_001])
)


class Clock:
    """Time that passes when the test says so."""

    def __init__(self, now_ms=0):
        self.now_ms = now_ms

    def __call__(self):
        return self.now_ms


def busiest(log):
    """Return the most that any minute of a log of (time, amount) holds, ends included."""
    return max(
        (sum(n for at, n in log if end - MINUTE_MS <= at <= end) for end, _ in log), default=0
    )


@given(
    start=st.integers(0, 10**9),
    rpm=st.integers(1, 6),
    tpm=st.integers(1, 100),
    calls=st.lists(st.tuples(GAPS, st.integers(0, 150)), max_size=80),
)
def test_no_minute_exceeds_a_limit_and_a_wait_is_long_enough(start, rpm, tpm, calls):
    clock = Clock(start)
    counters = MemoryCounters(clock)
    scopes = (Scope("key:1", rpm, tpm, 0),)
    requests, tokens = [], []
    for gap, estimate in calls:
        clock.now_ms += gap
        answer = counters.take_now(scopes, estimate)
        if not isinstance(answer, Ticket):
            clock.now_ms += answer.wait_ms
            answer = counters.take_now(scopes, estimate)
            assert isinstance(answer, Ticket), "waited as told, in vain"
        requests.append((clock.now_ms, 1))
        tokens.append((clock.now_ms, min(estimate, tpm)))
    assert busiest(requests) <= rpm
    assert busiest(tokens) <= tpm


@given(calls=st.lists(st.tuples(GAPS, st.integers(0, 60), st.integers(0, 60)), max_size=60))
def test_settled_tokens_never_hide_what_was_used(calls):
    """No call passes in a minute whose true tokens and open estimates have reached the limit."""
    clock = Clock()
    counters = MemoryCounters(clock)
    scopes = (Scope("key:1", 0, 100, 0),)
    used, running = [], None
    for gap, estimate, truth in calls:
        clock.now_ms += gap
        if running is not None:
            ticket, at, planned = running
            counters.give(ticket, truth, sent=True)
            used.append((at, min(planned, truth)))
            used.append((clock.now_ms, max(truth - planned, 0)))
            running = None
        answer = counters.take_now(scopes, estimate)
        if isinstance(answer, Ticket):
            recent = sum(n for at, n in used if at >= clock.now_ms - MINUTE_MS)
            assert recent + estimate <= 100
            running = (answer, clock.now_ms, estimate)


async def test_a_limit_is_reached_in_full_and_comes_back_after_66_seconds_at_most():
    clock = Clock(5_999)
    counters = MemoryCounters(clock)
    scopes = (Scope("key:1", 2, 0, 0),)
    await counters.start()
    assert isinstance(await counters.take(scopes, 0), Ticket)
    clock.now_ms = 6_000
    assert isinstance(await counters.take(scopes, 0), Ticket)
    clock.now_ms = 65_999
    assert not isinstance(await counters.take(scopes, 0), Ticket)
    clock.now_ms = 66_000
    assert isinstance(await counters.take(scopes, 0), Ticket)
    assert not isinstance(await counters.take(scopes, 0), Ticket)
    await counters.stop()
    assert not counters.shared


def test_idle_scopes_are_forgotten_and_slots_are_not():
    clock = Clock()
    counters = MemoryCounters(clock)
    held = counters.take_now((Scope("key:held", 5, 0, 5),), 0)
    for number in range(10_000):
        clock.now_ms += 100
        ticket = counters.take_now((Scope(f"key:{number}", 5, 0, 5),), 0)
        assert isinstance(ticket, Ticket)
        counters.give(ticket, 0, sent=True)
        in_window = (BACK + 1) * BUCKET_MS // 100
        assert counters.remembered <= in_window + 1
    assert counters.slots == {"key:held": 1}
    assert isinstance(held, Ticket)
    counters.give(held, 0, sent=True)
    assert counters.slots == {}


def test_a_busy_scope_among_idle_ones_is_not_forgotten():
    clock = Clock()
    counters = MemoryCounters(clock)
    busy = (Scope("key:busy", 1_000, 0, 0),)
    for number in range(2_000):
        clock.now_ms += 100
        counters.take_now((Scope(f"key:{number}", 5, 0, 0),), 0)
        ticket = counters.take_now(busy, 0)
        assert isinstance(ticket, Ticket)
        assert ticket.states[0].requests >= min(number, 599)
