"""Owns what the pretend vendor remembers: calls received, totals, account scripts, recordings.

It must not know of sockets. Bodies are kept so that tests can compare bytes, large ones only
of the last few calls.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import msgspec

from tollbridge.demo.fake_reply import Recording
from tollbridge.demo.fake_script import Ask, Script

_CALLS_KEPT = 5_000
_SMALL_BODY = 4_096
_LARGE_BODIES_KEPT = 16
_RESPONSES_KEPT = 1_000
_BEARER = "authorization"
_PLACES = {
    b"authorization": _BEARER,
    b"x-api-key": "x-api-key",
    b"x-goog-api-key": "x-goog-api-key",
}


@dataclass(slots=True)
class Call:
    """One call as it was received and what became of it. State: running, done or aborted.

    `place` is where its secret stood: a header's name, or `key` in the query, or nothing.
    """

    path: str
    secret: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    body_bytes: int
    ask: Ask | None = None
    tag: str = ""
    status: int = 0
    tokens_out: int = 0
    state: str = "running"
    method: str = "POST"
    query: str = ""
    place: str = ""

    def header(self, name: bytes) -> str:
        """Return the first header of that lower-case name, or nothing."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")

    def facts(self) -> dict[str, object]:
        """Return the call's metadata as plain values for JSON; of its body size and hash.

        The hash is empty when the body is no longer kept.
        """
        ask = self.ask or Ask()
        kept = len(self.body) == self.body_bytes
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "authorization": self.header(b"authorization"),
            "headers": [name.decode("latin-1") for name, _ in self.headers],
            "model": ask.model,
            "stream": bool(ask.stream),
            "include_usage": ask.include_usage,
            "max_tokens": ask.max_tokens,
            "max_completion_tokens": ask.max_completion_tokens,
            "n": ask.n,
            "tag": self.tag,
            "status": self.status,
            "tokens_out": self.tokens_out,
            "state": self.state,
            "body_bytes": self.body_bytes,
            "body_sha256": hashlib.sha256(self.body).hexdigest() if kept else "",
        }


@dataclass(slots=True)
class AccountScript:
    """A default script for calls made with one secret; `times` counts down, None is for ever."""

    script: Mapping[str, object]
    times: int | None = None


@dataclass(slots=True)
class Books:
    """All that the pretend vendor remembers since its start or the last reset."""

    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=_CALLS_KEPT))
    large: deque[Call] = field(default_factory=lambda: deque(maxlen=_LARGE_BODIES_KEPT))
    accounts: dict[str, AccountScript] = field(default_factory=dict)
    recordings: dict[str, Recording] = field(default_factory=dict)
    responses: dict[tuple[str, str], bytes] = field(default_factory=dict)
    by_model: Counter[str] = field(default_factory=Counter)
    count: int = 0
    tokens_out: int = 0
    open_streams: int = 0
    aborted: int = 0

    def receive(
        self,
        path: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        method: str = "POST",
        query: str = "",
    ) -> Call:
        """Enter a call; its secret is the bearer's or the key's of a header or the query, or empty."""
        place, secret = _secret(headers, query)
        call = Call(path, secret, tuple(headers), body, len(body))
        call.method, call.query, call.place = method, query, place
        if len(body) > _SMALL_BODY:
            if len(self.large) == _LARGE_BODIES_KEPT:
                self.large[0].body = b""
            self.large.append(call)
        self.calls.append(call)
        self.count += 1
        return call

    def describe(self, call: Call, ask: Ask, script: Script) -> None:
        """Enter what a call's body turned out to say."""
        call.ask, call.tag = ask, script.tag
        self.by_model[ask.model] += 1

    def deliver(self, call: Call, tokens: int) -> None:
        """Count tokens that have been written out."""
        call.tokens_out += tokens
        self.tokens_out += tokens

    def end(self, call: Call, *, aborted: bool) -> None:
        """Note how a call ended: answered as scripted, or left by its caller."""
        call.state = "aborted" if aborted else "done"
        self.aborted += aborted

    def defaults(self, secret: str) -> Mapping[str, object] | None:
        """Return the script of an account's calls, using up one of its times."""
        account = self.accounts.get(secret)
        if account is None or account.times == 0:
            return None
        if account.times is not None:
            account.times -= 1
        return account.script

    def keep(self, secret: str, name: str, body: bytes) -> None:
        """Store a response that its account may ask for later; the oldest ones are forgotten."""
        self.responses[secret, name] = body
        if len(self.responses) > _RESPONSES_KEPT:
            del self.responses[next(iter(self.responses))]

    def kept(self, secret: str, name: str) -> bytes | None:
        """Return a stored response of an account."""
        return self.responses.get((secret, name))

    def reset(self) -> None:
        """Forget everything but the streams that are still open."""
        self.calls.clear()
        self.large.clear()
        self.accounts.clear()
        self.recordings.clear()
        self.responses.clear()
        self.by_model.clear()
        self.count = self.tokens_out = self.aborted = 0

    def stats(self) -> bytes:
        """Return the totals as JSON."""
        totals = {
            "calls": self.count,
            "by_model": dict(self.by_model),
            "tokens_out_total": self.tokens_out,
            "open_streams": self.open_streams,
            "aborted": self.aborted,
        }
        return msgspec.json.encode(totals)

    def last(self, count: int) -> bytes:
        """Return the metadata of the last calls as a JSON list, oldest first."""
        shown = list(self.calls)[max(0, len(self.calls) - count) :]
        return msgspec.json.encode([call.facts() for call in shown])


def _secret(headers: list[tuple[bytes, bytes]], query: str) -> tuple[str, str]:
    """Return where a call's secret stands, and the secret; the bearer's comes before the others."""
    place, secret = "", b""
    for name, value in headers:
        found = _PLACES.get(name)
        if found is not None:
            place, secret = found, value
            if found is _BEARER:
                break
    if query and not place:
        keys = parse_qs(query).get("key")
        return ("key", keys[0]) if keys else ("", "")
    return place, secret.decode("latin-1").removeprefix("Bearer ")
