"""Owns what no log line and no error may show: how secrets, addresses and queries are masked in text.

Pure text in, text out. Must not know who logs or who renders.
"""

import re

TEXT_LIMIT = 2000
_SHOWN = 6
_WHOLE = 2 * _SHOWN

# A word that opens a credential, then the credential itself, of which the last 6 remain. Plain
# words after the opener (`Basic authentication`) stay readable.
_CREDENTIALS = re.compile(
    r"(?P<lead>\b(?:bearer|basic)\s+)(?P<scheme>(?=[^\s\"',;]*\d)[^\s\"',;]{6,}|[^\s\"',;]{20,})"
    r"|\b(?P<prefixed>(?:sk|pk|rk|sess)-[\w*.\-]{6,}|tbp_\w{6,}|AIza[\w\-]{16,}|eyJ[\w\-]{10,}[\w.\-]*"
    r"|AKIA[0-9A-Z]{12,}|gh[opsu]_\w{16,}|xox[a-z]-[\w\-]{10,})",
    re.IGNORECASE,
)
# `password=…`, `"api_key": "…"`, `x-api-key: …`: the name says that what follows is secret.
_ASSIGNED = re.compile(
    r"(?P<lead>(?:authorization|api[_\-]?key|goog[_\-]?api[_\-]?key|secret|passw(?:or)?d|token|cookie)"
    r"[\"']?\s*[=:]\s*[\"']?)(?P<value>(?!bearer\b|basic\b)[^\s\"',;&}]+)",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(?P<lead>\w://)[^\s/@]+@")
# Between a path and a word a question mark opens a query; elsewhere it is punctuation.
_QUERY = re.compile(r"(?P<path>/[^\s?\"'<>]*)\?(?=[\w%&=])[^\s\"'<>]+")
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_CONTROLS |= {9: "\\t", 10: "\\n", 13: "\\r", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def last6(secret: str) -> str:
    """Return what may be shown of a secret: its last 6 characters, of a short one at most half."""
    shown = min(_SHOWN, len(secret) // 2)
    return secret[-shown:] if shown else ""


def mask_secrets(text: str) -> str:
    """Mask what looks like a credential to its last 6 characters, and cut queries off paths."""
    text = _USERINFO.sub(r"\g<lead>", text)
    text = _QUERY.sub(r"\g<path>", text)
    text = _ASSIGNED.sub(_mask_assigned, text)
    return _CREDENTIALS.sub(_mask_credential, text)


def one_line(text: str) -> str:
    """Return text that cannot start a new log line, move a terminal's cursor or break UTF-8."""
    return well_formed(text).translate(_CONTROLS)


def well_formed(text: str) -> str:
    """Return text that encodes as UTF-8: a lone surrogate becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clipped(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return at most `limit` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _masked(secret: str) -> str:
    return "…" + secret[-_SHOWN:] if len(secret) >= _WHOLE else "…"


def _mask_credential(match: re.Match[str]) -> str:
    lead = match["lead"]
    if lead is not None:
        return lead + _masked(match["scheme"])
    return _masked(match["prefixed"])


def _mask_assigned(match: re.Match[str]) -> str:
    return f"{match['lead']}…"
