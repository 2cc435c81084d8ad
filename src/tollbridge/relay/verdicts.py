"""Owns what a failed attempt means: for the account, for the next attempt, for the client.

One table (errors.md, "Rules"): an upstream's 401 or 402 is a fault of the account, its 400 is the
client's, everything else is tried elsewhere. Pure.
"""

from dataclasses import dataclass

from tollbridge.core.errors import ApiError, Kind, clean_upstream_message
from tollbridge.protocols.facts import UpstreamFault
from tollbridge.upstreams.complaints import UpstreamComplaint
from tollbridge.upstreams.failures import Reason, UpstreamFailure

_TIMEOUTS = frozenset(
    {
        Reason.CONNECT_TIMEOUT,
        Reason.FIRST_BYTE_TIMEOUT,
        Reason.IDLE_TIMEOUT,
        Reason.TOTAL_TIMEOUT,
    }
)
_CLIENT_FAULTS = frozenset({400, 413, 415, 422})
_ACCOUNT_FAULTS = frozenset({401, 402, 403, 404, 405})
_TOO_MANY = 429
_NOT_FOUND = 404
_TOO_LARGE = 413
_RETRY_AFTER_DEFAULT_S = 5
_RETRY_AFTER_MAX_S = 120


@dataclass(frozen=True, slots=True)
class Verdict:
    """`outcome` goes into the attempt list; `error` is what the client hears if nothing helps."""

    outcome: str
    error: ApiError
    elsewhere: bool


def of_failure(failure: UpstreamFailure) -> Verdict:
    """Judge a connection that failed before content."""
    kind = Kind.UPSTREAM_TIMEOUT if failure.reason in _TIMEOUTS else Kind.UPSTREAM_FAILED
    return Verdict(failure.reason.value, ApiError(kind), elsewhere=True)


def of_status(status: int, complaint: UpstreamComplaint, retry_after: bytes | None) -> Verdict:
    """Judge an answer that is not a success, or an error inside a 200."""
    ours = complaint.about_account
    if (status == _TOO_MANY or complaint.about_rate) and not ours:
        wait_s = _seconds(retry_after, complaint.retry_after_s)
        error = ApiError(Kind.PROVIDER_RATE_LIMITED, retry_after_s=wait_s)
        return Verdict("status_429", error, elsewhere=True)
    clients = status in _CLIENT_FAULTS or (status == _NOT_FOUND and complaint.about_ability)
    if clients and not ours:
        return Verdict(f"status_{status}", _client_fault(status, complaint), elsewhere=False)
    name = "account_refused" if status in _ACCOUNT_FAULTS else f"status_{status}"
    return Verdict(name, ApiError(Kind.UPSTREAM_FAILED), elsewhere=True)


def of_complaint(fault: UpstreamFault) -> Verdict:
    """Judge an error that came inside a 200: by the status that it names or that its words imply."""
    return of_words(
        UpstreamComplaint(fault.message, fault.type or None, fault.code or None), fault.status
    )


def of_words(complaint: UpstreamComplaint, status: int | None = None) -> Verdict:
    """Judge an error that came without a status of its own."""
    return of_status(status or complaint.implied_status, complaint, None)


def of_empty() -> Verdict:
    """Judge an answer without any content, finish or usage."""
    return Verdict("empty", ApiError(Kind.UPSTREAM_FAILED), elsewhere=True)


def _client_fault(status: int, complaint: UpstreamComplaint) -> ApiError:
    message = clean_upstream_message(complaint.message) or None
    if complaint.about_context:
        return ApiError(Kind.CONTEXT_TOO_LONG, message)
    if status == _TOO_LARGE:
        return ApiError(Kind.BODY_TOO_LARGE, message)
    return ApiError(
        Kind.UPSTREAM_BAD_REQUEST,
        message,
        code=complaint.code,
        param=complaint.param,
    )


def _seconds(retry_after: bytes | None, said_s: int | None) -> int:
    if retry_after and retry_after.isdigit():
        said_s = int(retry_after[:6])
    if said_s is None:
        return _RETRY_AFTER_DEFAULT_S
    return max(1, min(said_s, _RETRY_AFTER_MAX_S))
