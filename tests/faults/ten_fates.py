"""Owns the ways in which a call to an account fails, and how long each may leave the account out.

A fate is a script of the pretend vendor, or a wrong address. What a cause may do is written down here
once more, from the decision on account health, so that the relay's own table is not its own judge.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from tollbridge.demo.fake_reply import Recording, recording

FIRST_BYTE_S, IDLE_S = 20.0, 10.0
"""Patience of the gateway: short, so that silent accounts are known within minutes."""
COUNTED = "failing"
_FOREVER_MS = 3_600_000

Place = Literal["vendor", "nowhere", "nobody", "noise"]


@dataclass(frozen=True)
class Fate:
    """One way to fail.

    `trouble` is what it is held against the account as, for at most `for_s` seconds the first time;
    `counted` faults open a breaker. `takes_s` is how long the attempt lasts before it is known to have
    failed. `breaks` says that a stream breaks in its middle, where nothing can be repaired.
    """

    name: str
    script: dict[str, Any] = field(default_factory=dict)
    place: Place = "vendor"
    trouble: str = COUNTED
    for_s: float = 15.0
    takes_s: float = 0.0
    breaks: bool = False
    lasting: bool = False


def _replayed(name: str, status: int, kind: str, body: bytes) -> tuple[str, Recording]:
    return name, recording(status, {"content-type": kind}, [body] if body else [])


RECORDINGS = dict(
    [
        _replayed("page 502", 502, "text/html", b"<html><h1>Bad gateway</h1></html>"),
        _replayed("page 200", 200, "text/html", b"<html><h1>Welcome</h1></html>"),
        _replayed("page 403", 403, "text/html", b"<html><h1>Checking your browser</h1></html>"),
        _replayed(
            "error in 200",
            200,
            "application/json",
            b'{"error":{"message":"The server had an error","type":"server_error"}}',
        ),
        _replayed("empty 200", 200, "application/json", b""),
        _replayed("garbage", 200, "application/json", b'{"id":\x00\xff\xfe,,,,'),
    ]
)


def _status(status: int, **script: Any) -> Fate:
    return Fate(f"status {status}", {"status": status, **script})


def _limited(name: str, for_s: float, **script: Any) -> Fate:
    return Fate(name, {"status": 429, **script}, trouble="rate_limited", for_s=for_s)


def _refused(status: int, **script: Any) -> Fate:
    script = {"status": status, **script}
    return Fate(f"refused {status}", script, trouble="quarantined", for_s=600, lasting=True)


PASSING = (
    Fate("no such name", place="nowhere"),
    Fate("connection refused", place="nobody"),
    # Where TLS was begun it is a failed handshake.
    Fate("noise on the line", place="noise"),
    *map(_status, (408, 409, 500, 502, 503, 504)),
    Fate("overloaded", {"status": 529}, trouble="overloaded", for_s=30),
    _limited("limited", 5),
    _limited("limited, retry-after", 8, retry_after=8),
    _limited("limited, in milliseconds", 2.5, headers={"retry-after-ms": "2500"}),
    _limited(
        "limited, reset of requests",
        12,
        headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12s"},
    ),
    *(Fate(name, {"replay": name}) for name in RECORDINGS),
    Fate("error event first", {"error_event_after": 1, "cut_body": 20}),
    Fate("slow first byte", {"hang": True}, takes_s=FIRST_BYTE_S),
    Fate("cut before content", {"cut_after": 1, "cut_body": 20}),
    Fate(
        "stall before content",
        {"pause_after": 1, "pause_ms": _FOREVER_MS, "cut_body": 20},
        takes_s=IDLE_S,
    ),
    Fate("cut after content", {"cut_after": 4, "cut_body": 20}, breaks=True),
    Fate(
        "stall after content",
        {"pause_after": 4, "pause_ms": _FOREVER_MS, "cut_body": 20},
        takes_s=IDLE_S,
        breaks=True,
    ),
)
LASTING = (
    _refused(401),
    _refused(402),
    _refused(403),
    _refused(400, error_kind="account_deactivated"),
    Fate("no such model", {"status": 404}, trouble="model_blocked", for_s=600, lasting=True),
)
MATRIX = PASSING + LASTING
