"""Owns the table of faults: what an upstream can do wrong, how it is made to, and what must follow.

Each number here is written by hand from the design, not taken from the code under test. The suites
of the matrix play every row; docs/faults.md is printed from it (`faults_page`). Must not know how a
gateway is run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from tollbridge.core.errors import Kind
from tollbridge.relay.effects import Scope, Trouble

# Events of a stream of each protocol before its first text; of the Responses API, an item that begins
# is content already.
_BEFORE_TEXT: Final = {"chat": 1, "responses": 4, "messages": 3, "gemini": 0}
_BEFORE_CONTENT: Final = {**_BEFORE_TEXT, "responses": 2}
SAID_TOKENS: Final = 3
"""Words that the client has seen where a stream breaks after content."""

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Script:
    """The pretend vendor is told by a script; `of` makes it for the protocol that it is asked in."""

    of: Callable[[str], Values]


@dataclass(frozen=True, slots=True)
class Page:
    """The pretend vendor sends this answer, whatever it was asked."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Raw:
    """A server reads the request, writes these bytes and closes, or else never says any more."""

    said: bytes
    closes: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """The account leads to a place of `places.Places`, by its name there."""

    name: str


Make = Script | Page | Raw | Place


@dataclass(frozen=True, slots=True)
class Held:
    """What is held against an account. `for_s` None: it is counted, and ten of them open the breaker.

    `lasting` causes park even an account that is the only one.
    """

    trouble: Trouble
    scope: Scope
    for_s: float | None
    lasting: bool


BREAKER_CALLS: Final = 10
BREAKER_S: Final = 15.0
COUNTED: Final = Held(Trouble.FAILING, Scope.ACCOUNT, None, lasting=False)
QUARANTINE: Final = Held(Trouble.QUARANTINED, Scope.ACCOUNT, 600, lasting=True)
BLOCKED: Final = Held(Trouble.MODEL_BLOCKED, Scope.MODEL, 600, lasting=True)
BRIEF: Final = Held(Trouble.RATE_LIMITED, Scope.MODEL, 5, lasting=False)
MINUTE: Final = Held(Trouble.RATE_LIMITED, Scope.MODEL, 60, lasting=True)
CAPPED: Final = Held(Trouble.RATE_LIMITED, Scope.MODEL, 21_600, lasting=True)
OVERLOAD: Final = Held(Trouble.OVERLOADED, Scope.ACCOUNT, 30, lasting=False)
PROXY: Final = Held(Trouble.PROXY_DOWN, Scope.PROXY, 30, lasting=False)

UNARY, STREAM = "unary", "stream"
BOTH: Final = (UNARY, STREAM)


class Words(NamedTuple):
    """How the profile `strict` tells a kind of error: a status, and a word of each dialect."""

    status: int
    code: str | None
    openai: str
    anthropic: str
    gemini: str
    retry: bool


_CLIENT: Final = ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT", False)
HEARD: Final = {
    Kind.UPSTREAM_FAILED: Words(
        502, "service_unavailable", "api_error", "api_error", "UNAVAILABLE", retry=True
    ),
    Kind.UPSTREAM_TIMEOUT: Words(
        504, "timeout", "api_error", "timeout_error", "DEADLINE_EXCEEDED", retry=True
    ),
    Kind.PROVIDER_RATE_LIMITED: Words(
        503, "provider_rate_limited", "api_error", "overloaded_error", "UNAVAILABLE", retry=True
    ),
    Kind.NO_ACCOUNT: Words(
        503, "no_available_account", "api_error", "overloaded_error", "UNAVAILABLE", retry=True
    ),
    Kind.UPSTREAM_BAD_REQUEST: Words(400, None, *_CLIENT),
    Kind.CONTEXT_TOO_LONG: Words(400, "context_length_exceeded", *_CLIENT),
    Kind.BODY_TOO_LARGE: Words(
        413, "request_too_large", "invalid_request_error", "request_too_large",
        "INVALID_ARGUMENT", retry=False,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row. `outcomes` are the words that the attempt list may have for it.

    `heard` is the kind of error that the client gets where the account is the only one; None means
    that content had been seen: the stream ends as broken, and what was streamed is paid for.
    """

    name: str
    what: str
    make: Make
    heard: Kind | None = Kind.UPSTREAM_FAILED
    elsewhere: bool = True
    held: Held | None = COUNTED
    outcomes: tuple[str, ...]
    modes: tuple[str, ...] = BOTH
    wires: tuple[str, ...] = ("chat", "responses", "messages", "gemini", "embeddings")

    @property
    def ends(self) -> tuple[str, ...]:
        """How the books may call the end of such a call."""
        if self.heard is None:
            return ("partial",)
        return ("upstream_error", "empty") if "empty" in self.outcomes else ("upstream_error",)

    def script(self, wire: str) -> Values:
        """Return what to tell the pretend vendor, `{}` where another makes the fault."""
        if isinstance(self.make, Page):
            return {"replay": self.name}
        return self.make.of(wire) if isinstance(self.make, Script) else {}


def _told(status: int, text: str = "Something is wrong.", **more: object) -> Script:
    return Script(lambda _wire: {"status": status, "error_text": text, **more})


def _worded(words: Mapping[str, str], **more: object) -> Script:
    """Each vendor has its own word for it; "" stands for those who speak as OpenAI does."""
    return Script(lambda wire: {**more, "error_kind": words.get(wire, words[""])})


def _at_start(name: str, **more: object) -> Script:
    return Script(lambda wire: {name: _BEFORE_CONTENT[wire], **more})


def _late(name: str, **more: object) -> Script:
    """After three words."""
    return Script(lambda wire: {name: _BEFORE_TEXT[wire] + SAID_TOKENS, **more})


_HTML = b"<html><body><h1>Sorry</h1><p>edge-7.vendor.example</p></body></html>"
_ERROR = b'{"type":"error","error":{"type":"server_error","message":"Boom at vendor.example."}}'
_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_JSON = "application/json"
_LONG_LIMIT = {"headers": {"retry-after": "86400"}}
_QUOTA = {"": "insufficient_quota", "messages": "billing_error", "gemini": "CONSUMER_SUSPENDED"}
_KEY = {"": "invalid_api_key", "messages": "authentication_error", "gemini": "API_KEY_INVALID"}
_RATE = {"": "rate_limit_exceeded", "messages": "rate_limit_error", "gemini": "RATE_LIMIT_EXCEEDED"}
_NO_MODEL = "The model does not exist or you do not have access to it."
_STREAMED = ("chat", "responses", "messages", "gemini")

_ON_THE_WAY = (
    Fault(name="connect_refused", what="Nobody listens at the address.",
          make=Place("deaf"), outcomes=("connect_failed",)),
    Fault(name="dns", what="The name does not resolve.",
          make=Place("nameless"), outcomes=("dns_failed",)),
    Fault(name="tls_self_signed", what="TLS with a certificate that nobody vouches for.",
          make=Place("unknown authority"), outcomes=("tls_failed",)),
    Fault(name="tls_wrong_name", what="TLS with a certificate of another name.",
          make=Place("other name"), outcomes=("tls_failed",)),
    Fault(name="tls_absent", what="`https://`, but the other side does not speak TLS.",
          make=Place("no tls"), outcomes=("tls_failed",)),
    Fault(name="proxy_http_down", what="The HTTP proxy refuses connections.",
          make=Place("http proxy down"), outcomes=("proxy_failed",), held=PROXY),
    Fault(name="proxy_socks_down", what="The SOCKS5 proxy refuses connections.",
          make=Place("socks proxy down"), outcomes=("proxy_failed",), held=PROXY),
    Fault(name="proxy_http_auth", what="The HTTP proxy wants another user or password (407).",
          make=Place("http proxy locked"), outcomes=("proxy_failed",), held=PROXY),
    Fault(name="proxy_socks_auth", what="The SOCKS5 proxy wants another user or password.",
          make=Place("socks proxy locked"), outcomes=("proxy_failed",), held=PROXY),
)  # fmt: skip
_REFUSED = (
    Fault(name="400", what="400: the vendor finds fault with the request.",
          make=_told(400), heard=Kind.UPSTREAM_BAD_REQUEST, elsewhere=False, held=None,
          outcomes=("status_400",)),
    Fault(name="400_context", what="400: longer than the model reads.",
          make=_told(400, "Your prompt is too long: it exceeds the context window."),
          heard=Kind.CONTEXT_TOO_LONG, elsewhere=False, held=None, outcomes=("status_400",)),
    Fault(name="400_key", what="400 that speaks of our key.",
          make=_worded(_KEY, status=400), held=QUARANTINE, outcomes=("status_400",)),
    Fault(name="400_words", what="400 whose words speak of a bill or a key, without a code: perhaps only"
          " the client's own words, repeated.",
          make=_told(400, "Invalid value: 'billing'."), outcomes=("status_400",)),
    Fault(name="401", what="401: the credential is refused.",
          make=_told(401), held=QUARANTINE, outcomes=("account_refused",)),
    Fault(name="402", what="402: the account at the vendor has no money left.",
          make=_told(402), held=QUARANTINE, outcomes=("account_refused",)),
    Fault(name="403", what="403 with a reason in the vendor's own form.",
          make=_told(403), held=QUARANTINE, outcomes=("account_refused",)),
    Fault(name="403_page", what="403 as a page of HTML: a network in between refuses, not the vendor.",
          make=Page(403, "text/html", _HTML), outcomes=("account_refused",)),
    Fault(name="403_named", what="403 or 404 for a file or the like that the client names; another account"
          " may have it.",
          make=_told(403, "You do not have permission to access the File abc."),
          heard=Kind.UPSTREAM_BAD_REQUEST, held=None, outcomes=("status_403",)),
    Fault(name="404_model", what="404: the vendor does not have the model, or not for this account.",
          make=_told(404, _NO_MODEL, error_kind="not_found_error"), held=BLOCKED, outcomes=("account_refused",)),
    Fault(name="404_model_code", what="404 with the code `model_not_found`.",
          make=_told(404, error_kind="model_not_found"), held=BLOCKED,
          outcomes=("account_refused",)),
    Fault(name="404", what="404 for something else than the model.",
          make=_told(404, "There is no such thing here.", error_kind="not_found_error"),
          outcomes=("account_refused",)),
    Fault(name="404_page", what="404 as a page of HTML: the base URL may be wrong.",
          make=Page(404, "text/html", _HTML), outcomes=("account_refused",)),
    Fault(name="405", what="405: the base URL may be wrong.",
          make=_told(405), outcomes=("account_refused",)),
    Fault(name="408", what="408: the vendor was tired of waiting for the request.",
          make=_told(408), outcomes=("status_408",)),
    Fault(name="409", what="409: another call is in the way at the vendor.",
          make=_told(409), outcomes=("status_409",)),
    Fault(name="413", what="413: larger than the vendor takes.",
          make=_told(413), heard=Kind.BODY_TOO_LARGE, elsewhere=False, held=None,
          outcomes=("status_413",)),
    Fault(name="422", what="422: the vendor cannot read a field.",
          make=_told(422), heard=Kind.UPSTREAM_BAD_REQUEST, elsewhere=False, held=None,
          outcomes=("status_422",)),
    Fault(name="429_reset", what="429 that says to come back in a minute.",
          make=_told(429, headers={"retry-after": "60"}), heard=Kind.PROVIDER_RATE_LIMITED,
          held=MINUTE, outcomes=("status_429",)),
    Fault(name="429_far", what="429 that says to come back tomorrow.",
          make=_told(429, **_LONG_LIMIT), heard=Kind.PROVIDER_RATE_LIMITED, held=CAPPED,
          outcomes=("status_429",)),
    Fault(name="429", what="429 that does not say until when.",
          make=_told(429), heard=Kind.PROVIDER_RATE_LIMITED, held=BRIEF, outcomes=("status_429",)),
    Fault(name="429_quota", what="429 that speaks of the account's quota or bill.",
          make=_worded(_QUOTA, status=429), held=QUARANTINE, outcomes=("status_429",)),
    *(Fault(name=str(status), what=f"{status}: {what}", make=_told(status),
            outcomes=(f"status_{status}",))
      for status, what in (
          (500, "the vendor failed."), (502, "the vendor's gateway failed."),
          (503, "the vendor is not there for the moment."),
          (504, "the vendor waited in vain for itself."))),
    Fault(name="529", what="529: the vendor is overloaded.",
          make=_told(529), held=OVERLOAD, outcomes=("status_529",)),
    Fault(name="502_page", what="502 as a page of HTML.",
          make=Page(502, "text/html", _HTML), outcomes=("status_502",)),
    Fault(name="redirect", what="A redirect: it is not followed, a credential must not travel.",
          make=Script(lambda _wire: {"redirect": True}), outcomes=("redirected",)),
)  # fmt: skip
_IN_A_200 = (
    Fault(name="200_page", what="200 with a page of HTML.",
          make=Page(200, "text/html", _HTML), outcomes=("empty", "status_500")),
    Fault(name="200_error", what="200 with an error as its JSON.",
          make=Page(200, _JSON, _ERROR), outcomes=("status_500",)),
    Fault(name="200_empty", what="200 with an answer in which nothing is said.",
          make=Script(lambda _wire: {"empty": True, "usage": "none", "no_finish": True,
                                     "no_done": True}),
          outcomes=("empty",), wires=("chat", "gemini")),
    Fault(name="200_no_body", what="200 without a byte.",
          make=Page(200, _JSON, b""), outcomes=("empty", "status_500")),
    Fault(name="200_not_json", what="200 with what is no JSON.",
          make=Page(200, _JSON, b'{"choices": [oops'), outcomes=("empty", "status_500")),
    Fault(name="200_not_utf8", what="200 with what is no UTF-8.",
          make=Page(200, _JSON, b'{"choices": ["\xff\xfe\xc3("]}'), outcomes=("empty", "status_500")),
    Fault(name="event_error", what="200, then an error event before any content.",
          make=_at_start("error_event_after", error_kind="api_error"), modes=(STREAM,),
          wires=_STREAMED, outcomes=("status_500", "status_503")),
    Fault(name="event_rate", what="200, then an error event that speaks of a rate.",
          make=Script(lambda wire: {**_worded(_RATE).of(wire),
                                    "error_event_after": _BEFORE_CONTENT[wire]}),
          modes=(STREAM,), wires=("chat", "responses", "messages"), heard=Kind.PROVIDER_RATE_LIMITED, held=BRIEF,
          outcomes=("status_429",)),
    Fault(name="event_overloaded", what="200, then an error event that speaks of overload.",
          make=_at_start("error_event_after", error_kind="overloaded_error"), modes=(STREAM,),
          wires=("chat", "responses", "messages"), held=OVERLOAD, outcomes=("status_529",)),
    Fault(name="event_late", what="An error event after content.",
          make=_late("error_event_after", tokens=9), modes=(STREAM,), wires=_STREAMED,
          heard=None, elsewhere=False, held=COUNTED, outcomes=()),
)  # fmt: skip
_BROKEN = (
    Fault(name="first_byte", what="No first byte within the deadline.",
          make=Script(lambda _wire: {"hang": True}), heard=Kind.UPSTREAM_TIMEOUT,
          outcomes=("first_byte_timeout",)),
    Fault(name="stall", what="The answer begins and goes silent before content.",
          make=Raw(_OK + b"content-length: 100\r\n\r\n{", closes=False),
          heard=Kind.UPSTREAM_TIMEOUT, outcomes=("idle_timeout",)),
    Fault(name="stall_late", what="A stream goes silent after content.",
          make=_late("pause_after", tokens=9, pause_ms=60_000), modes=(STREAM,), wires=_STREAMED,
          heard=None, elsewhere=False, held=COUNTED, outcomes=()),
    Fault(name="cut_unanswered", what="The connection closes without an answer.",
          make=Raw(b""), outcomes=("closed_early",)),
    Fault(name="cut", what="The connection closes in the middle, before content.",
          make=Raw(_OK + b"content-length: 100\r\n\r\n{"), outcomes=("closed_early",)),
    Fault(name="cut_late", what="A stream is cut after content.",
          make=_late("cut_after", tokens=9), modes=(STREAM,), wires=_STREAMED,
          heard=None, elsewhere=False, held=COUNTED, outcomes=()),
    Fault(name="unfinished", what="A stream ends after content and never says that it is finished.",
          make=Script(lambda _wire: {"tokens": SAID_TOKENS, "no_finish": True, "no_done": True}),
          modes=(STREAM,), wires=_STREAMED, heard=None, elsewhere=False, held=COUNTED, outcomes=()),
    Fault(name="not_http", what="An answer that is no HTTP.",
          make=Raw(b"SSH-2.0-server\r\n\r\n"), outcomes=("protocol_error",)),
    Fault(name="bad_chunks", what="A chunked answer whose chunks do not add up.",
          make=Raw(_OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
          outcomes=("protocol_error",)),
    Fault(name="bad_encoding", what="An encoding that nobody asked for.",
          make=Raw(_OK + b"content-encoding: br\r\ncontent-length: 2\r\n\r\n{}"),
          outcomes=("bad_encoding",)),
    Fault(name="giant_head", what="A head without end.",
          make=Raw(b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 2_000_000 + b"\r\n\r\n"),
          outcomes=("head_too_large",)),
)  # fmt: skip
PARTS: Final = {
    "On the way to the vendor": _ON_THE_WAY,
    "Refusals": _REFUSED,
    "Inside a 200": _IN_A_200,
    "Answers that break": _BROKEN,
}
FAULTS: Final = tuple(fault for part in PARTS.values() for fault in part)
