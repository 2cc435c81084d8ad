"""Owns what a failed attempt means: for the account, for the next attempt, for the client.

One table (errors.md, "Rules"): an upstream's 401 or 402 is a fault of the account, its 400 is the
client's, everything else is tried elsewhere. Pure.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tollbridge.core.errors import ApiError, Kind, clean_upstream_message
from tollbridge.protocols.facts import UpstreamFault
from tollbridge.relay.effects import (
    FAILING,
    MODEL_GONE,
    OVERLOADED,
    PROXY_DOWN,
    QUARANTINED,
    Effect,
    rate_limited,
    signed_out,
)
from tollbridge.upstreams.complaints import UpstreamComplaint
from tollbridge.upstreams.failures import NoToken, Reason, UpstreamFailure

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
_REFUSALS = frozenset({401, 402, 403})
_UNSEEN = frozenset({403, 404})
# No request can make a vendor answer with one of these, whatever it says there.
_SPEAKING = frozenset({401, 402, 403, 429})
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY, _OVERLOADED = 401, 403, 404, 429, 529
# What a reason says of the account; a failed connection is counted like a failed answer.
_OF_REASON: Mapping[Reason, Effect | None] = MappingProxyType(
    {
        Reason.PROXY_FAILED: PROXY_DOWN,
        # Too much for us, not too little from the upstream.
        Reason.REPLY_TOO_LARGE: None,
        Reason.TOTAL_TIMEOUT: None,
    }
)
_TOO_LARGE = 413
_RETRY_AFTER_DEFAULT_S = 5
_RETRY_AFTER_MAX_S = 120


@dataclass(frozen=True, slots=True)
class Verdict:
    """`outcome` goes into the attempt list; `error` is what the client hears if nothing helps.

    `effect` is what it does to the account that failed, None when that is not to blame.
    `unproven`: the upstream does not accept the credential.
    """

    outcome: str
    error: ApiError
    elsewhere: bool
    effect: Effect | None = None
    unproven: bool = False


def of_failure(failure: UpstreamFailure) -> Verdict:
    """Judge a connection that failed before content."""
    kind = Kind.UPSTREAM_TIMEOUT if failure.reason in _TIMEOUTS else Kind.UPSTREAM_FAILED
    effect = _OF_REASON.get(failure.reason, FAILING)
    if isinstance(failure, NoToken):
        effect = signed_out(failure.for_s)
    return Verdict(failure.reason.value, ApiError(kind), elsewhere=True, effect=effect)


def of_status(
    status: int,
    complaint: UpstreamComplaint,
    retry_after: bytes | None,
    reset_s: float | None = None,
) -> Verdict:
    """Judge an answer that is not a success, or an error inside a 200.

    `reset_s`: after how many seconds a limit is over, as far as the upstream said so.
    """
    if status in _UNSEEN and complaint.about_reference:
        return Verdict(f"status_{status}", _client_fault(status, complaint), elsewhere=True)
    ours = complaint.about_account or complaint.lacks_model
    if (status == _TOO_MANY or complaint.about_rate) and not ours:
        if reset_s is None and complaint.retry_after_s is not None:
            reset_s = float(complaint.retry_after_s)
        wait_s = _seconds(retry_after, reset_s)
        error = ApiError(Kind.PROVIDER_RATE_LIMITED, retry_after_s=wait_s)
        return Verdict("status_429", error, elsewhere=True, effect=rate_limited(reset_s))
    clients = status in _CLIENT_FAULTS or (status == _NOT_FOUND and complaint.about_ability)
    if clients and not ours:
        return Verdict(f"status_{status}", _client_fault(status, complaint), elsewhere=False)
    name = "account_refused" if status in _ACCOUNT_FAULTS else f"status_{status}"
    return Verdict(
        name,
        ApiError(Kind.UPSTREAM_FAILED),
        elsewhere=True,
        effect=_effect_of(status, complaint),
        unproven=status == _UNAUTHORIZED,
    )


def _effect_of(status: int, complaint: UpstreamComplaint) -> Effect:
    if status == _OVERLOADED:
        return OVERLOADED
    if complaint.lacks_model:
        return MODEL_GONE
    if complaint.proves_account or (status in _SPEAKING and complaint.about_account):
        return QUARANTINED
    # Where another thing is missing, or the whole path, it is not the model that others ask for.
    if status == _NOT_FOUND and complaint.about_model:
        return MODEL_GONE
    # A refusal that is a bare page comes from something on the way, not from the vendor.
    if status in _REFUSALS and (complaint.message or status != _FORBIDDEN):
        return QUARANTINED
    return FAILING


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
    return Verdict("empty", ApiError(Kind.UPSTREAM_FAILED), elsewhere=True, effect=FAILING)


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


def _seconds(retry_after: bytes | None, reset_s: float | None) -> int:
    """Return when the client may come again: as the header says, else when the limit is over."""
    if retry_after and retry_after.isdigit():
        said_s = int(retry_after[:6])
    elif reset_s is not None:
        said_s = math.ceil(reset_s)
    else:
        return _RETRY_AFTER_DEFAULT_S
    return max(1, min(said_s, _RETRY_AFTER_MAX_S))
