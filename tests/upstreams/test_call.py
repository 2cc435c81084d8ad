"""Which deadline of a call has passed, and what its handle does."""

from tollbridge.upstreams.call import Call
from tollbridge.upstreams.failures import Reason
from tollbridge.upstreams.limits import Deadlines
from tollbridge.upstreams.target import Target


class Carrier:
    def __init__(self) -> None:
        self.reads = 0
        self.head_seen = False
        self.log: list[str] = []

    def drop(self) -> None:
        self.log.append("drop")

    def hold(self, *, paused: bool) -> None:
        self.log.append("pause" if paused else "resume")


class Sink:
    def __init__(self) -> None:
        self.failures = []

    def head(self, status, headers):
        raise AssertionError

    def data(self, chunk):
        raise AssertionError

    def end(self):
        raise AssertionError

    def fail(self, failure):
        self.failures.append(failure)


def running() -> tuple[Call, Carrier, Sink]:
    deadlines = Deadlines(connect_s=1, first_byte_s=10, idle_s=5, total_s=100)
    owner, sink, carrier = set(), Sink(), Carrier()
    target = Target.parse("http://a.test")
    call = Call(owner, target, (b"", b""), sink, deadlines, 1, 0.0)
    owner.add(call)
    call.carrier = carrier
    return call, carrier, sink


def test_the_first_byte_deadline_ends_with_the_head_and_not_with_a_byte():
    call, carrier, _ = running()
    carrier.reads = 3
    assert call.overdue(9.9) is None
    assert call.overdue(10) is Reason.FIRST_BYTE_TIMEOUT
    carrier.head_seen = True
    assert call.overdue(10) is None


def test_silence_is_counted_from_the_last_read():
    call, carrier, _ = running()
    carrier.head_seen, carrier.reads = True, 1
    assert call.overdue(1) is None
    assert call.overdue(5.9) is None
    carrier.reads += 1
    assert call.overdue(6) is None
    assert call.overdue(10.9) is None
    assert call.overdue(11) is Reason.IDLE_TIMEOUT


def test_a_pause_stops_all_clocks_but_the_total():
    call, carrier, _ = running()
    call.pause()
    assert call.overdue(50) is None
    call.resume()
    assert call.overdue(59) is None
    assert call.overdue(60) is Reason.FIRST_BYTE_TIMEOUT
    call.pause()
    assert call.overdue(100) is Reason.TOTAL_TIMEOUT
    assert carrier.log == ["pause", "resume", "pause"]


def test_between_two_connections_only_the_total_counts():
    call, _, _ = running()
    call.carrier = None
    assert call.overdue(99) is None
    assert call.overdue(100) is Reason.TOTAL_TIMEOUT


def test_the_sink_fails_once():
    call, carrier, sink = running()
    carrier.head_seen = True
    call.break_off(Reason.IDLE_TIMEOUT)
    call.break_off(Reason.TOTAL_TIMEOUT)
    call.pause()
    (failure,) = sink.failures
    assert (failure.reason, failure.sent, failure.head_seen) == (Reason.IDLE_TIMEOUT, True, True)
    assert carrier.log == ["drop"]


def test_nothing_is_heard_after_abort():
    call, carrier, sink = running()
    call.abort()
    call.break_off(Reason.TOTAL_TIMEOUT)
    assert carrier.log == ["drop"] and not sink.failures
