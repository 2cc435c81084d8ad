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
from tollbridge.core.language import N_


@dataclass(frozen=True, slots=True)
class Advice:
    """What a status means, why it happens and what to do; a seed without a column leaves it ''."""

    meaning: str
    cause: str
    fix: str


_UNREACHABLE = Advice(
    N_("Service temporarily unreachable"),
    N_(
        "Server-side failover in progress / wrong model name (e.g. gpt-5 without the version number)"
    ),
    N_("Check whether the model field is exact / /status"),
)
_LEGACY = {
    401: Advice(
        N_("Authentication failed"),
        N_("Wrong Key / extra spaces / wrong Channel platform"),
        N_(
            "Re-copy the Key; check that the Channel the Key is bound to matches your client's"
            " protocol"
        ),
    ),
    403: Advice(
        N_("No permission"),
        N_("The Key is disabled / Balance is 0"),
        N_("Check the Key status and your wallet Balance in the dashboard"),
    ),
    404: Advice(
        N_("Path not found"),
        N_("Wrong base URL / extra or missing /v1"),
        N_("Check the exact base URL for each client"),
    ),
    429: Advice(
        N_("Rate limited"),
        N_("Too many requests in a short time"),
        N_("Wait 1–5 minutes for automatic recovery"),
    ),
    500: Advice(
        N_("Server error"),
        N_("Temporary / intermittent server-side issue"),
        N_("Retry once. If it persists, contact support"),
    ),
    502: _UNREACHABLE,
    503: _UNREACHABLE,
    504: Advice(
        N_("Request processing timeout"),
        N_("Single request too long / model is thinking"),
        N_("Shorten the prompt, disable streaming, switch to a faster model"),
    ),
}
_STATUS402 = {
    400: Advice(
        "invalid_request_error",
        N_("Bad JSON, wrong endpoint, unsupported parameter, invalid image size."),
        N_("Check the body and remove optional fields."),
    ),
    401: Advice(
        "authentication_error", N_("Missing or invalid key."), N_("Check Authorization: Bearer ...")
    ),
    402: Advice(
        "insufficient_quota", N_("Not enough balance/quota."), N_("Top up or reduce the request.")
    ),
    403: Advice(
        "permission_error",
        N_("No model access or Telegram verification required."),
        N_("Check model id and account status."),
    ),
    404: Advice("not_found", N_("Wrong path or model id."), N_("Verify endpoint and exact id.")),
    413: Advice(
        "context_length_exceeded",
        N_("Input/context too large."),
        N_("Reduce messages or use a larger-context model."),
    ),
    429: Advice(
        "rate_limit_error",
        N_("RPM/TPM/concurrency limit."),
        N_("Wait, reduce concurrency, add backoff."),
    ),
    500: Advice(
        "api_error", N_("Internal error or unexpected provider response."), N_("Retry later.")
    ),
    502: Advice(
        "api_error",
        N_("Upstream temporarily unavailable or overloaded."),
        N_("Retry with backoff or choose another model."),
    ),
    503: Advice(
        "api_error", N_("No available channel for the model."), N_("Check model id or retry later.")
    ),
}
_PLAIN = {
    401: Advice(
        "invalid_api_key",
        "",
        N_("Check your API key value and ensure it is prefixed with Bearer in the header"),
    ),
    400: Advice(
        "invalid_request_error",
        "",
        N_("Check required fields and parameter types in your request body"),
    ),
    429: Advice(
        "rate_limit_exceeded",
        "",
        N_("Implement exponential backoff; contact support to increase limits"),
    ),
    500: Advice("server_error", "", N_("Retry after a short delay; report if it persists")),
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
