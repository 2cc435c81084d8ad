"""Owns how the error bodies of all platforms are read. Pure: bytes in, a complaint out; never raises.

They agree in `error.message`; OpenAI and Anthropic name a `type`, Gemini a `status` with details
(protocols.md 8.1).
"""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

_ACCOUNT_WORDS = re.compile(
    r"insufficient|exceeded your current quota|billing|credit balance|account.{0,20}"
    r"(?:deactivated|disabled|suspended)|api key",
    re.IGNORECASE,
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
    }
)
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
    """What the body itself says of when to come again (Gemini's RetryInfo)."""

    @property
    def about_account(self) -> bool:
        """Whether this is about our account there and none of the client's business."""
        return (
            self.code in _ACCOUNT_CODES
            or self.kind in _ACCOUNT_CODES
            or bool(_ACCOUNT_WORDS.search(self.message))
        )


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
        retry_after_s=_seconds(_detail(error, "retryDelay")),
    )


def _detail(error: dict[str, Any], name: str) -> object:
    """Return a field of the first of Google's details that has it."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and detail.get(name):
            return detail[name]
    return None


def _seconds(delay: object) -> int | None:
    found = _DELAY.fullmatch(delay) if isinstance(delay, str) else None
    return None if found is None else int(found[1]) + 1


def _word(value: object, shape: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and shape.fullmatch(value) else None
