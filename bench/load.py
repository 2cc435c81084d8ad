"""Owns the load generator, a process of its own: the same request again and again, closed loop.

It reads jobs as JSON lines from standard input. To each it answers two lines: `{"ready": true}`
once all connections stand, and, after a line `go`, the result. So the opening of connections
is outside of what the parent measures. It must not know what is being measured.
"""

import asyncio
import sys
import time
from typing import cast

import httptools
import msgspec
import uvloop

_OK = 200
_SAMPLE_BYTES = 300
_BLANK = b"\n\n"
_END = b"data: [DONE]\n\n"


class Job(msgspec.Struct, frozen=True):
    """`count` requests over `concurrency` connections to a port on 127.0.0.1.

    `blank` is what ends each event of a stream, `end` what ends all of it.
    """

    port: int
    request: bytes
    concurrency: int
    count: int
    stream: bool = False
    stagger_ms: float = 0
    seconds_max: float = 60
    blank: bytes = _BLANK
    end: bytes = _END


class Result(msgspec.Struct, frozen=True):
    """What came back. Latencies in ns; `sample` is the beginning of the first wrong answer."""

    completed: int
    errors: int
    events: int
    seconds: float
    latencies: list[int]
    sample: str = ""


class EventCounter:
    """Counts the events of an SSE body that arrives in arbitrary pieces: blank lines between."""

    def __init__(self, blank: bytes = _BLANK, end: bytes = _END) -> None:
        """Start before the first byte."""
        self.events = 0
        self._blank = blank
        self._end = end
        self._seam = len(blank) - 1
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self.events += (self._tail[-self._seam :] + data).count(self._blank)
        self._tail = (self._tail + data)[-len(self._end) :]

    @property
    def done(self) -> bool:
        """Whether the body so far ends with the end mark."""
        return self._tail == self._end


class _Run:
    """The state that all connections of one job share."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.left = job.count
        self.completed = 0
        self.errors = 0
        self.events = 0
        self.latencies: list[int] = []
        self.sample = ""
        self.open = 0
        self.finished = asyncio.get_running_loop().create_future()

    def fail(self, status: int, body: bytes) -> None:
        self.errors += 1
        self.sample = self.sample or f"{status} {body[:_SAMPLE_BYTES].decode(errors='replace')}"
        self.check()

    def check(self) -> None:
        over = self.completed + self.errors >= self.job.count or self.open == 0
        if over and not self.finished.done():
            self.finished.set_result(None)


class _Client(asyncio.Protocol):
    """One keep-alive connection that sends the next request when an answer is complete."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._sent_ns = 0
        self._counter = EventCounter(run.job.blank, run.job.end)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._run.open += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.open -= 1
        self._transport = None
        if self._sent_ns:
            self._run.fail(0, f"connection lost: {exc}".encode())
        else:
            self._run.check()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        if self._run.job.stream:
            self._counter.feed(body)
        if self._parser.get_status_code() != _OK:
            self._body += body

    def on_message_complete(self) -> None:
        run, status = self._run, self._parser.get_status_code()
        latency, self._sent_ns = time.perf_counter_ns() - self._sent_ns, 0
        if status != _OK or (run.job.stream and not self._counter.done):
            run.fail(status, self._body or b"a stream without its end")
        else:
            run.completed += 1
            run.events += self._counter.events
            run.latencies.append(latency)
            run.check()
        self.send()

    def send(self) -> None:
        if self._run.left == 0 or self._transport is None:
            return
        self._run.left -= 1
        if self._run.job.stream:
            self._counter = EventCounter(self._run.job.blank, self._run.job.end)
        self._body = b""
        self._sent_ns = time.perf_counter_ns()
        self._transport.write(self._run.job.request)

    def close(self) -> None:
        self._sent_ns = 0
        if self._transport is not None:
            self._transport.abort()


async def connect(job: Job) -> tuple[_Run, list[_Client]]:
    """Open all connections of a job; OSError when the port does not answer."""
    run = _Run(job)
    clients = [_Client(run) for _ in range(job.concurrency)]
    loop = asyncio.get_running_loop()
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", job.port)  # type: ignore[misc]
    return run, clients


async def drive(run: _Run, clients: list[_Client]) -> Result:
    """Send all requests of a job and wait for the answers, at most `seconds_max`."""
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    for index, client in enumerate(clients):
        loop.call_later(index * run.job.stagger_ms / 1_000, client.send)
    await asyncio.wait([run.finished], timeout=run.job.seconds_max)
    seconds = time.perf_counter() - began
    for client in clients:
        client.close()
    errors = run.job.count - run.completed
    sample = run.sample or ("" if errors == 0 else "not answered in time")
    return Result(run.completed, errors, run.events, seconds, run.latencies, sample)


def main() -> None:
    """Do jobs until standard input ends."""
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    for line in sys.stdin.buffer:
        run, clients = loop.run_until_complete(connect(msgspec.json.decode(line, type=Job)))
        _say(b'{"ready":true}')
        if sys.stdin.buffer.readline() != b"go\n":
            break
        _say(msgspec.json.encode(loop.run_until_complete(drive(run, clients))))
    loop.close()


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
