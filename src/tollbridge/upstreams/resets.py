"""Owns when a vendor's limit ends, by the headers and the body of its refusal.

Each vendor says it in its own way (protocols.md 8.2): seconds, durations, dates. What cannot be read
or lies far away counts as not said, so that no cooldown outlives its cause. Pure; must not know
accounts.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

RESET_MAX_S: Final = 8 * 86_400.0

_NUMBER = re.compile(r"[0-9]{1,13}(?:\.[0-9]{1,9})?")
_PIECE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_EPOCH_FROM: Final = 1_000_000_000.0
_MILLIS_FROM: Final = 1_000_000_000_000.0
# The window that refused is the one that is spent; where nobody says which, the sooner one is tried.
_WINDOWS: Final = (b"5h", b"7d")
_RESETS: Final = (
    b"x-ratelimit-reset-requests",
    b"x-ratelimit-reset-tokens",
    b"x-ratelimit-reset-input-tokens",
    b"x-ratelimit-reset-input-images",
    b"x-ratelimit-reset-project-tokens",
    b"x-ratelimit-reset",
    b"anthropic-ratelimit-requests-reset",
    b"anthropic-ratelimit-tokens-reset",
    b"anthropic-ratelimit-input-tokens-reset",
    b"anthropic-ratelimit-output-tokens-reset",
)


def reset_s(headers: Mapping[bytes, bytes], body_s: float | None, now_s: float) -> float | None:
    """Return after how many seconds the limit is over, None when nobody says.

    `body_s` is what the refusal's body says; `now_s` is the wall clock in seconds since 1970, for
    vendors that name a date. Never raises.
    """
    retry = headers.get(b"retry-after-ms")
    if retry is not None and (wait := _number(retry)) is not None:
        return _sane(wait / 1000)
    retry = headers.get(b"retry-after")
    if retry is not None and (wait := moment(retry, now_s)) is not None:
        return _sane(wait)
    unified = _unified(headers, now_s)
    if unified is not None:
        return unified
    codex = _codex(headers)
    if codex is not None:
        return codex
    if body_s is not None:
        return _sane(body_s)
    return _spent(headers, now_s)


def moment(value: bytes, now_s: float) -> float | None:
    """Return the seconds until a point in time, written in any of the ways vendors do."""
    text = value.decode("latin-1").strip()
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number >= _MILLIS_FROM:
            return number / 1000 - now_s
        return number - now_s if number >= _EPOCH_FROM else number
    pieces = _PIECE.findall(text)
    if pieces and "".join(amount + unit for amount, unit in pieces) == text:
        return sum(float(amount) * _UNITS[unit] for amount, unit in pieces)
    return _date(text, now_s)


def _date(text: str, now_s: float) -> float | None:
    try:
        when = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
        return when.timestamp() - now_s
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _unified(headers: Mapping[bytes, bytes], now_s: float) -> float | None:
    """Read Anthropic's windows: the end of the longest one that is spent, else the sooner end."""
    spent, ends = [], []
    for window in _WINDOWS:
        prefix = b"anthropic-ratelimit-unified-" + window
        end = headers.get(prefix + b"-reset")
        wait = None if end is None else moment(end, now_s)
        if wait is None:
            continue
        ends.append(wait)
        if headers.get(prefix + b"-status") == b"rejected":
            spent.append(wait)
    if not ends:
        end = headers.get(b"anthropic-ratelimit-unified-reset")
        wait = None if end is None else moment(end, now_s)
        return None if wait is None else _sane(wait)
    return _sane(max(spent) if spent else min(ends))


def _codex(headers: Mapping[bytes, bytes]) -> float | None:
    """Read the windows of OpenAI's subscription accounts: those that are used up, the longest."""
    waits = []
    for window in (b"primary", b"secondary"):
        used = _number(headers.get(b"x-codex-" + window + b"-used-percent", b""))
        wait = _number(headers.get(b"x-codex-" + window + b"-reset-after-seconds", b""))
        if used is not None and wait is not None and used >= 100:
            waits.append(wait)
    return _sane(max(waits)) if waits else None


def _spent(headers: Mapping[bytes, bytes], now_s: float) -> float | None:
    """Return the latest end among the allowances that have nothing left."""
    waits = []
    for name in _RESETS:
        value = headers.get(name)
        if value is None or not _is_spent(headers, name):
            continue
        wait = moment(value, now_s)
        if wait is not None:
            waits.append(wait)
    return _sane(max(waits)) if waits else None


def _is_spent(headers: Mapping[bytes, bytes], reset: bytes) -> bool:
    if reset.startswith(b"anthropic"):
        left = headers.get(reset.removesuffix(b"reset") + b"remaining")
    else:
        left = headers.get(reset.replace(b"-reset", b"-remaining", 1))
    return left is None or left.strip() == b"0"


def _number(value: bytes) -> float | None:
    text = value.decode("latin-1").strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _sane(wait: float) -> float | None:
    """Return a wait that can be meant; what is over already is over in a moment."""
    return max(wait, 0.0) if wait <= RESET_MAX_S else None
