"""Owns how the error bodies of all platforms are read. Pure: bytes in, a complaint out; never raises.

They agree in `error.message`; OpenAI and Anthropic name a `type`, Gemini a `status` with details
(protocols.md 8.1).
"""

import math
import re
from dataclasses import dataclass
from typing import Any

import msgspec

_ACCOUNT_WORDS = re.compile(
    r"insufficient|exceeded your current quota|billing|credit balance|account.{0,20}"
    r"(?:deactivated|disabled|suspended)|api key",
    re.IGNORECASE,
)
# Whole sentences of vendors that have no code for it: no request can make them say just this.
_ACCOUNT_SENTENCES = re.compile(
    r"Your credit balance is too low to access the \w+ API\. Please go to Plans & Billing to upgrade or"
    r" purchase credits\.|This organization has been disabled\."
)
_ACCOUNT_CODES = frozenset(
    {
        "insufficient_quota",
        "invalid_api_key",
        "billing_hard_limit_reached",
        "account_deactivated",
        "authentication_error",
        "billing_error",
        "permission_error",
        "API_KEY_INVALID",
        "CONSUMER_SUSPENDED",
        "PERMISSION_DENIED",
        "UNAUTHENTICATED",
        # Google's word for a place or a plan from which it may not be used.
        "FAILED_PRECONDITION",
    }
)
_MODEL_CODES = frozenset({"model_not_found", "model_decommissioned", "DeploymentNotFound"})
_MODEL_WORDS = re.compile(r"\bmodels?\b|\bdeployment\b", re.IGNORECASE)
# Words that are never used for a bill that is due, unlike Google's.
_PLAIN_RATE_CODES = frozenset({"rate_limit_exceeded", "rate_limit_error", "RateLimitReached"})
_RATE_CODES = _PLAIN_RATE_CODES | frozenset(
    {
        "RATE_LIMIT_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        # A subscription's window is used up.
        "usage_limit_reached",
    }
)
_CONTEXT_CODES = frozenset({"context_length_exceeded", "model_context_window_exceeded"})
_CONTEXT_WORDS = re.compile(
    r"context (?:length|window|limit)|maximum prompt length|prompt is too long|input is too long"
    r"|token count\b.{0,40}\bexceeds the maximum",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
# Things that are kept at a vendor and named by clients; not as a part of a model's name.
_THINGS = re.compile(
    r"(?<![\w/.-])(?:files?|items?|responses?|conversations?|containers?|vector stores?|assistants?"
    r"|threads?|prompts?|batch(?:es)?|skills?|voices?|cached ?contents?)(?![\w/.-])",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"not found|no such|not exist|\bno \w+ found|permission to access", re.IGNORECASE
)
_ABILITY_WORDS = re.compile(
    r"\bnot supported (?:in|with|by|on|for) this model\b"
    r"|\bnot supported in the v1/\S+ endpoint\b|\bonly supported in v1/",
    re.IGNORECASE,
)
# What an error is worth as a status where none came with it.
_STATUSES = {
    **dict.fromkeys(_RATE_CODES, 429),
    **dict.fromkeys(_CONTEXT_CODES, 400),
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "INVALID_ARGUMENT": 400,
    "OUT_OF_RANGE": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "UNAVAILABLE": 503,
    "timeout_error": 504,
    "DEADLINE_EXCEEDED": 504,
    "overloaded_error": 529,
}
_WAIT_MAX_S = 999_999
_DELAY = re.compile(r"([0-9]{1,6})(?:\.[0-9]{1,9})?s")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PARAM = re.compile(r"[A-Za-z0-9_.\[\]-]{1,100}")


@dataclass(frozen=True, slots=True)
class UpstreamComplaint:
    """What an upstream said went wrong. `message` is raw: clean it before anybody sees it."""

    message: str = ""
    kind: str | None = None
    code: str | None = None
    param: str | None = None
    retry_after_s: int | None = None
    """What the body itself says of when to come again: Gemini's RetryInfo, a subscription's window."""

    @property
    def about_account(self) -> bool:
        """Whether this is about our account there and none of the client's business.

        One that says when to come again speaks of a rate: Google words a minute's quota like a plan's.
        """
        if self.proves_account:
            return True
        rate = self.code in _PLAIN_RATE_CODES or self.kind in _PLAIN_RATE_CODES
        wait = self.retry_after_s is not None
        return not (rate or wait) and bool(_ACCOUNT_WORDS.search(self.message))

    @property
    def proves_account(self) -> bool:
        """Whether it is about our account in a way that no request can bring about.

        Vendors repeat names and values of a request in their messages, so words alone prove nothing.
        """
        return (
            self.code in _ACCOUNT_CODES
            or self.kind in _ACCOUNT_CODES
            or bool(_ACCOUNT_SENTENCES.fullmatch(self.message))
        )

    @property
    def about_reference(self) -> bool:
        """Whether something is missing that the client names and that lies at the vendor.

        Another account of the pool may have it.
        """
        if self.lacks_model:
            return False
        said = _QUOTED.sub("", self.message)
        return bool(_THINGS.search(said) and _MISSING.search(said))

    @property
    def lacks_model(self) -> bool:
        """Whether the vendor does not have the model, or not for this account, whatever the status.

        We sell it, so that is no affair of the client's.
        """
        return self.code in _MODEL_CODES or self.kind in _MODEL_CODES

    @property
    def about_model(self) -> bool:
        """Whether it says or speaks of a model; where something is not found, it is the model."""
        return self.lacks_model or bool(_MODEL_WORDS.search(self.message))

    @property
    def about_rate(self) -> bool:
        """Whether there were too many calls or tokens in a while, whatever the status."""
        return self.code in _RATE_CODES or self.kind in _RATE_CODES

    @property
    def about_context(self) -> bool:
        """Whether the request is longer than the model reads; few vendors have a code for it."""
        return self.code in _CONTEXT_CODES or bool(_CONTEXT_WORDS.search(self.message))

    @property
    def about_ability(self) -> bool:
        """Whether the model cannot do what it was asked for: some vendors say so with a 404."""
        return bool(_ABILITY_WORDS.search(self.message))

    @property
    def implied_status(self) -> int:
        """The status that the vendor gives such an error where it has the choice; 500 by default."""
        named = _STATUSES.get(self.code or "") or _STATUSES.get(self.kind or "")
        return named or (400 if self.about_context else 500)


def read_complaint(body: bytes) -> UpstreamComplaint:
    """Read `{"error": {...}}`, `{"error": "text"}` or `{"message": ...}`; empty for all else."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return UpstreamComplaint()
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return UpstreamComplaint()
    error = document.get("error", document)
    if isinstance(error, str):
        return UpstreamComplaint(message=error)
    return from_fields(error) if isinstance(error, dict) else UpstreamComplaint()


def from_fields(error: dict[str, Any]) -> UpstreamComplaint:
    """Read the fields of an error object; names that are not plain words are dropped."""
    message = error.get("message")
    return UpstreamComplaint(
        message=message if isinstance(message, str) else "",
        kind=_word(error.get("type"), _CODE) or _word(error.get("status"), _CODE),
        code=_word(error.get("code"), _CODE) or _word(_detail(error, "reason"), _CODE),
        param=_word(error.get("param"), _PARAM),
        retry_after_s=_wait(error),
    )


def _detail(error: dict[str, Any], name: str) -> object:
    """Return a field of the first of Google's details that has it."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and detail.get(name):
            return detail[name]
    return None


def _wait(error: dict[str, Any]) -> int | None:
    """Return the seconds until a limit ends, in Google's words or in those of a subscription."""
    said = error.get("resets_in_seconds")
    if isinstance(said, int | float) and not isinstance(said, bool) and 0 <= said <= _WAIT_MAX_S:
        return math.ceil(said)
    return _seconds(_detail(error, "retryDelay"))


def _seconds(delay: object) -> int | None:
    found = _DELAY.fullmatch(delay) if isinstance(delay, str) else None
    return None if found is None else int(found[1]) + 1


def _word(value: object, shape: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and shape.fullmatch(value) else None
