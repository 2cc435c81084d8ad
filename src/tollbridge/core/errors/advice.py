"""Owns what to do about an error: the seeds' tables by status, for the generated error page.

Pure data. Must not know how the page looks. The words are the seeds' own; only the address of a
status page became ours.
"""

# ruff: noqa: RUF001 (the seeds write en dashes)

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tollbridge.core.errors.kinds import Kind, Profile
from tollbridge.core.errors.profiles import effective


@dataclass(frozen=True, slots=True)
class Advice:
    """What a status means, why it happens and what to do; a seed without a column leaves it ''."""

    meaning: str
    cause: str
    fix: str


_UNREACHABLE = Advice(
    "Service temporarily unreachable",
    "Server-side failover in progress / wrong model name (e.g. gpt-5 without the version number)",
    "Check whether the model field is exact / /status",
)
_LEGACY = {
    401: Advice(
        "Authentication failed",
        "Wrong Key / extra spaces / wrong Channel platform",
        "Re-copy the Key; check that the Channel the Key is bound to matches your client's"
        " protocol",
    ),
    403: Advice(
        "No permission",
        "The Key is disabled / Balance is 0",
        "Check the Key status and your wallet Balance in the dashboard",
    ),
    404: Advice(
        "Path not found",
        "Wrong base URL / extra or missing /v1",
        "Check the exact base URL for each client",
    ),
    429: Advice(
        "Rate limited",
        "Too many requests in a short time",
        "Wait 1–5 minutes for automatic recovery",
    ),
    500: Advice(
        "Server error",
        "Temporary / intermittent server-side issue",
        "Retry once. If it persists, contact support",
    ),
    502: _UNREACHABLE,
    503: _UNREACHABLE,
    504: Advice(
        "Request processing timeout",
        "Single request too long / model is thinking",
        "Shorten the prompt, disable streaming, switch to a faster model",
    ),
}
_STATUS402 = {
    400: Advice(
        "invalid_request_error",
        "Bad JSON, wrong endpoint, unsupported parameter, invalid image size.",
        "Check the body and remove optional fields.",
    ),
    401: Advice(
        "authentication_error", "Missing or invalid key.", "Check Authorization: Bearer ..."
    ),
    402: Advice("insufficient_quota", "Not enough balance/quota.", "Top up or reduce the request."),
    403: Advice(
        "permission_error",
        "No model access or Telegram verification required.",
        "Check model id and account status.",
    ),
    404: Advice("not_found", "Wrong path or model id.", "Verify endpoint and exact id."),
    413: Advice(
        "context_length_exceeded",
        "Input/context too large.",
        "Reduce messages or use a larger-context model.",
    ),
    429: Advice(
        "rate_limit_error",
        "RPM/TPM/concurrency limit.",
        "Wait, reduce concurrency, add backoff.",
    ),
    500: Advice("api_error", "Internal error or unexpected provider response.", "Retry later."),
    502: Advice(
        "api_error",
        "Upstream temporarily unavailable or overloaded.",
        "Retry with backoff or choose another model.",
    ),
    503: Advice(
        "api_error", "No available channel for the model.", "Check model id or retry later."
    ),
}
_PLAIN = {
    401: Advice(
        "invalid_api_key",
        "",
        "Check your API key value and ensure it is prefixed with Bearer in the header",
    ),
    400: Advice(
        "invalid_request_error",
        "",
        "Check required fields and parameter types in your request body",
    ),
    429: Advice(
        "rate_limit_exceeded",
        "",
        "Implement exponential backoff; contact support to increase limits",
    ),
    500: Advice("server_error", "", "Retry after a short delay; report if it persists"),
}

TABLES: Mapping[Profile, Mapping[int, Advice]] = MappingProxyType(
    {
        Profile.STRICT: MappingProxyType({}),
        Profile.LEGACY: MappingProxyType(_LEGACY),
        Profile.STATUS402: MappingProxyType(_STATUS402),
        Profile.PLAIN: MappingProxyType(_PLAIN),
    }
)


def advice(kind: Kind, profile: Profile) -> Advice:
    """Return the profile's advice for the status that `kind` has there, else the catalogue's own."""
    seen = effective(kind, profile)
    own = Advice(seen.native.openai, "", seen.row.fix)
    return TABLES[profile].get(seen.status, own)
