"""Owns the one exception by which a call to an upstream fails, and the list of its reasons.

It must not know of accounts, retries or what the customer is told: the relay decides that from
`reason`, `sent` and `head_seen`.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a call failed; the values are stable and go into the usage row's attempt list."""

    REFUSED_ADDRESS = "refused_address"
    DNS_FAILED = "dns_failed"
    CONNECT_FAILED = "connect_failed"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_FAILED = "tls_failed"
    PROXY_FAILED = "proxy_failed"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    CLOSED_EARLY = "closed_early"
    PROTOCOL_ERROR = "protocol_error"
    REPLY_TOO_LARGE = "reply_too_large"
    BAD_ENCODING = "bad_encoding"
    REDIRECTED = "redirected"
    HEAD_TOO_LARGE = "head_too_large"
    SIGNED_OUT = "signed_out"


_TEXTS = {
    Reason.REFUSED_ADDRESS: "the upstream's address may not be dialled",
    Reason.DNS_FAILED: "the upstream's name could not be resolved",
    Reason.CONNECT_FAILED: "no connection to the upstream",
    Reason.CONNECT_TIMEOUT: "connecting to the upstream took too long",
    Reason.TLS_FAILED: "the TLS handshake with the upstream failed",
    Reason.PROXY_FAILED: "the proxy refused or broke the tunnel",
    Reason.FIRST_BYTE_TIMEOUT: "the upstream did not begin to answer in time",
    Reason.IDLE_TIMEOUT: "the upstream fell silent in the middle of its answer",
    Reason.TOTAL_TIMEOUT: "the call took longer than allowed",
    Reason.CLOSED_EARLY: "the upstream closed the connection before its answer was complete",
    Reason.PROTOCOL_ERROR: "the upstream's answer is not valid HTTP/1.1",
    Reason.REPLY_TOO_LARGE: "the upstream's answer is larger than allowed",
    Reason.BAD_ENCODING: "the upstream's answer has an unusable content encoding",
    Reason.REDIRECTED: "the upstream answered with a redirect",
    Reason.HEAD_TOO_LARGE: "the upstream's answer has too many or too long headers",
    Reason.SIGNED_OUT: "the account has no valid token",
}


class UpstreamFailure(Exception):
    """A call to an upstream failed. Its text never holds a URL, a host, a header or a body.

    `sent`: the request may have reached the upstream, so trying it again may do it twice.
    `head_seen`: the head of the final reply had been reported before.
    """

    def __init__(self, reason: Reason, *, sent: bool = False, head_seen: bool = False) -> None:
        super().__init__(_TEXTS[reason])
        self.reason = reason
        self.sent = sent
        self.head_seen = head_seen


class NoToken(UpstreamFailure):
    """The account has no token to send, so nothing was sent; for `for_s` seconds nobody will fetch one.

    0: not known.
    """

    def __init__(self, for_s: float = 0.0) -> None:
        super().__init__(Reason.SIGNED_OUT)
        self.for_s = for_s
