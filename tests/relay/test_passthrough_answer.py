"""Proof of how an answer passes that nobody reads: short ones whole, long ones piece by piece."""

import asyncio

import pytest

from tests.relay.visitor import Visitor
from tollbridge.relay.passthrough_answer import WHOLE_MAX, Carriage
from tollbridge.upstreams.failures import Reason, UpstreamFailure

PIECE = b"p" * (WHOLE_MAX // 4)
BROKEN = UpstreamFailure(Reason.CLOSED_EARLY, sent=True, head_seen=True)


class Line:
    """The handle of an upstream's side that notes what it is told."""

    def __init__(self):
        self.did = []

    def pause(self):
        self.did.append("pause")

    def resume(self):
        self.did.append("resume")

    def abort(self):
        self.did.append("abort")

    def break_off(self, reason):
        self.did.append(reason)


@pytest.fixture
def visitor():
    return Visitor(path="/v1/files")


@pytest.fixture
async def carriage(visitor):
    made = Carriage(visitor, 60.0)
    yield made
    made.close()


@pytest.fixture
def line():
    return Line()


def begin(carriage, line, status=200, headers=()):
    carriage.carry(line)
    carriage.head(status, list(headers))


async def long_one(carriage, line):
    """Give more than is gathered, and return how many pieces that are."""
    begin(carriage, line)
    count = 0
    while not carriage.begun.done():
        carriage.data(PIECE)
        count += 1
    await carriage.begun
    return count


async def test_a_short_answer_is_gathered(carriage, line, visitor):
    begin(carriage, line, 201)
    for piece in (b"a", b"b"):
        carriage.data(piece)
        assert not carriage.begun.done()
    carriage.end()
    await carriage.begun
    assert (carriage.good, carriage.streams, carriage.body) == (True, False, b"ab")
    assert visitor.events == [] and line.did == []


@pytest.mark.parametrize("status", [199, 300, 400, 500])
async def test_what_is_no_success_is_not_good(carriage, line, status):
    begin(carriage, line, status)
    carriage.end()
    assert not carriage.good


async def test_a_long_answer_waits_at_its_start_and_at_its_end(carriage, line, visitor):
    pieces = await long_one(carriage, line)
    assert carriage.streams and line.did[-1] == "pause"
    assert visitor.events == []
    carriage.release(b"x: y\r\n")
    assert (visitor.status, visitor.sent) == (200, PIECE * (pieces - 1))
    assert line.did[-1] == "resume"
    carriage.data(b"next")
    assert visitor.sent == PIECE * pieces
    assert carriage.kept_bytes == 4
    carriage.end()
    await carriage.over
    assert visitor.events == ["start", "write"]
    carriage.finish()
    assert visitor.sent == PIECE * pieces + b"next"
    assert visitor.events[-1] == "finish"


async def test_no_more_is_kept_than_what_may_be_a_short_one(carriage, line):
    await long_one(carriage, line)
    most = carriage.kept_bytes
    assert most <= WHOLE_MAX + len(PIECE)
    carriage.release(b"")
    for _ in range(1_000):
        carriage.data(PIECE)
        assert carriage.kept_bytes == len(PIECE)


async def test_it_is_read_no_faster_than_the_client_reads(carriage, line):
    await long_one(carriage, line)
    carriage.client_slow()
    carriage.client_ready()
    # Nothing may pass yet, whatever the client could take.
    assert line.did[-1] == "pause"
    carriage.client_slow()
    carriage.release(b"")
    assert line.did[-1] == "pause"
    carriage.client_ready()
    assert line.did[-1] == "resume"
    carriage.client_slow()
    assert line.did[-1] == "pause"


async def test_few_headers_pass_and_a_browser_runs_nothing(carriage, line):
    headers = [
        (b"content-type", b"text/html"),
        (b"content-disposition", b"attachment; filename=a"),
        (b"etag", b'"1"'),
        (b"content-language", b"a\x07"),
        (b"set-cookie", b"a=b"),
        (b"openai-organization", b"o"),
        (b"x-ratelimit-limit-requests", b"1"),
        (b"content-length", b"3"),
    ]
    begin(carriage, line, headers=headers)
    names = [one.partition(b":")[0] for one in carriage.lines.split(b"\r\n")[:-1]]
    assert names == [
        b"content-type", b"content-disposition", b"etag", b"x-content-type-options",
        b"content-security-policy",
    ]  # fmt: skip


async def test_a_failure_is_told_at_any_time(carriage, line, visitor):
    await long_one(carriage, line)
    carriage.release(b"")
    carriage.fail(BROKEN)
    await carriage.over
    assert carriage.failure is BROKEN
    carriage.cut()
    assert visitor.events[-1] == "abort"


async def test_who_leaves_a_long_answer_stops_it(carriage, line, visitor):
    await long_one(carriage, line)
    carriage.release(b"")
    visitor.leave()
    await carriage.over
    assert carriage.left and line.did[-1] == "abort"


async def test_who_left_before_a_long_answer_stops_it_when_it_shows_to_be_one(
    carriage, line, visitor
):
    visitor.leave()
    assert not carriage.over.done()
    await long_one(carriage, line)
    assert carriage.left and line.did[-1] == "abort"


async def test_a_short_answer_comes_to_its_end_without_its_client(carriage, line, visitor):
    begin(carriage, line)
    visitor.leave()
    carriage.data(b"a")
    assert line.did == []
    carriage.end()
    await carriage.over
    assert not carriage.left and carriage.body == b"a"


async def test_nobody_waits_for_ever_for_a_short_answer(visitor, line):
    carriage = Carriage(visitor, 0.0)
    begin(carriage, line)
    visitor.leave()
    await asyncio.wait_for(carriage.over, 10)
    assert carriage.left and line.did == ["abort"]


async def test_one_that_is_over_before_its_line_stands_is_not_begun(visitor, line):
    visitor.gone = True
    carriage = Carriage(visitor, 0.0)
    await asyncio.wait_for(carriage.over, 10)
    carriage.carry(line)
    assert line.did == ["abort"]


async def test_a_complaint_that_does_not_end_is_broken_off(carriage, line):
    begin(carriage, line, 500)
    for _ in range(100):
        carriage.data(PIECE)
    assert line.did[0] is Reason.REPLY_TOO_LARGE
    assert not carriage.streams
