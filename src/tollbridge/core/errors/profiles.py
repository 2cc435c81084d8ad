"""Owns the dialects: what each profile changes of the catalogue, word for word as the seeds have it.

Pure data. An override leaves alone what it does not name. An overloaded upstream (529 and its like)
has no kind of its own: it is `upstream_failed`, which every profile answers with a plain 502.
"""

# ruff: noqa: RUF001 (the seeds write en dashes)

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tollbridge.core.errors.kinds import BY_STATUS, CATALOGUE, Kind, Native, Profile, Row


@dataclass(frozen=True, slots=True)
class Override:
    """What a profile changes of one row; None keeps the catalogue's value.

    `type` is the OpenAI type. `fixed_text` replaces `text` when the call is tied to one channel.
    """

    status: int | None = None
    type: str | None = None
    code: str | None = None
    text: str | None = None
    fixed_text: str | None = None


_BROKE = Override(402, code="insufficient_quota")
_BROKE_LEGACY = Override(403, "insufficient_quota", "insufficient_user_quota")
_UNAUTHORIZED = Override(401, text="Unauthorized – access token is invalid or expired.")
_DENIED_402 = Override(403, "permission_error")

LEGACY: Mapping[Kind, Override] = MappingProxyType(
    {
        Kind.BALANCE_INSUFFICIENT: Override(
            403,
            "insufficient_quota",
            "insufficient_user_quota",
            "Your account balance is insufficient. Please recharge your account to continue using"
            " the API.",
        ),
        Kind.KEY_LIMIT_REACHED: _BROKE_LEGACY,
        Kind.BUDGET_REACHED: _BROKE_LEGACY,
        Kind.MODEL_UNKNOWN: Override(
            503,
            text="Incorrect model ID. Please request to view the model page or you do not have"
            " permission to use this model",
            fixed_text="No available accounts",
        ),
        Kind.NO_ACCOUNT: Override(503, text="No available accounts"),
        Kind.PROVIDER_RATE_LIMITED: Override(
            503,
            text="Rate limited by provider – contact support to request higher concurrency or try"
            " again later.",
        ),
        Kind.RATE_LIMITED: Override(
            429, text="The {model} model Too many requests; please try again later."
        ),
        Kind.KEY_MISSING: Override(
            401,
            text="Unauthorized – no access token supplied; please log in and include a valid token.",
        ),
        Kind.KEY_INVALID: _UNAUTHORIZED,
        Kind.KEY_EXPIRED: _UNAUTHORIZED,
        Kind.SURFACE_NOT_ALLOWED: Override(
            401,
            text="Authentication failed: check that the Channel the Key is bound to matches your"
            " client's protocol",
        ),
        Kind.USER_SUSPENDED: Override(403, text="Account suspended."),
        Kind.ROLE_FORBIDDEN: Override(403, text="Forbidden – insufficient permissions."),
        Kind.IP_DENIED: Override(
            403, text="Forbidden – key({key_last6}) allowed only from approved IP ranges."
        ),
        Kind.MODEL_NOT_ALLOWED: Override(
            403, text="Forbidden – key({key_last6}) not authorized to access the requested model."
        ),
        Kind.PIN_FORBIDDEN: Override(403, text="Key error;({key_last6})"),
        Kind.PIN_BAD_ID: Override(400, text="Bad Request – invalid channel ID."),
        Kind.CHANNEL_DISABLED: Override(403, text="Forbidden – channel has been disabled."),
        Kind.CONTEXT_TOO_LONG: Override(400),
        Kind.INTERNAL: Override(500),
    }
)

STATUS402: Mapping[Kind, Override] = MappingProxyType(
    {
        Kind.BALANCE_INSUFFICIENT: _BROKE,
        Kind.KEY_LIMIT_REACHED: _BROKE,
        Kind.BUDGET_REACHED: _BROKE,
        Kind.MODEL_UNKNOWN: Override(
            503, "api_error", "model_not_found", "No available channel for model {model}"
        ),
        Kind.NO_ACCOUNT: Override(503, "api_error", text="No available channel for model {model}"),
        # The code changes with the status: one word of "rate" would show what the 502 hides.
        Kind.PROVIDER_RATE_LIMITED: Override(
            502, "api_error", "service_unavailable", "Service temporarily unavailable"
        ),
        Kind.UPSTREAM_FAILED: Override(502, "api_error", text="Service temporarily unavailable"),
        Kind.RATE_LIMITED: Override(429, "rate_limit_error"),
        Kind.KEY_MISSING: Override(401, "authentication_error"),
        Kind.KEY_INVALID: Override(401, "authentication_error"),
        Kind.KEY_EXPIRED: Override(401, "authentication_error"),
        Kind.SURFACE_NOT_ALLOWED: _DENIED_402,
        Kind.USER_SUSPENDED: _DENIED_402,
        Kind.ROLE_FORBIDDEN: _DENIED_402,
        Kind.IP_DENIED: _DENIED_402,
        Kind.MODEL_NOT_ALLOWED: _DENIED_402,
        Kind.PIN_FORBIDDEN: _DENIED_402,
        Kind.PIN_BAD_ID: _DENIED_402,
        Kind.CHANNEL_DISABLED: _DENIED_402,
        Kind.CONTEXT_TOO_LONG: Override(413, code="context_length_exceeded"),
        Kind.INTERNAL: Override(500, "api_error"),
    }
)

PLAIN: Mapping[Kind, Override] = MappingProxyType(
    {
        Kind.PROVIDER_RATE_LIMITED: Override(429, code="rate_limit_exceeded"),
        Kind.UPSTREAM_FAILED: Override(502),
        Kind.RATE_LIMITED: Override(429, code="rate_limit_exceeded"),
        Kind.KEY_MISSING: Override(401, code="invalid_api_key"),
        Kind.KEY_INVALID: Override(401, code="invalid_api_key"),
        Kind.KEY_EXPIRED: Override(401, code="invalid_api_key"),
        Kind.SURFACE_NOT_ALLOWED: Override(403),
        Kind.CONTEXT_TOO_LONG: Override(400),
        Kind.INTERNAL: Override(500, code="server_error"),
    }
)

OVERRIDES: Mapping[Profile, Mapping[Kind, Override]] = MappingProxyType(
    {
        Profile.STRICT: MappingProxyType({}),
        Profile.LEGACY: LEGACY,
        Profile.STATUS402: STATUS402,
        Profile.PLAIN: PLAIN,
    }
)
_NOTHING = Override()


@dataclass(frozen=True, slots=True)
class Effective:
    """A row of the catalogue as one profile shows it.

    `text` is None where the profile has no words of its own, so that a raiser's message may speak.
    """

    row: Row
    status: int
    native: Native
    code: str
    text: str | None
    fixed_text: str | None


def effective(kind: Kind, profile: Profile) -> Effective:
    """Return what `profile` makes of `kind`.

    A profile that moves a status moves the native names with it: an SDK picks its exception by
    status, and a body that contradicts the status helps nobody.
    """
    row = CATALOGUE[kind]
    override = OVERRIDES[profile].get(kind, _NOTHING)
    status = override.status or row.status
    native = row.native if status == row.status else BY_STATUS[status]
    if override.type is not None:
        native = Native(override.type, native.anthropic, native.gemini)
    return Effective(
        row, status, native, override.code or row.code, override.text, override.fixed_text
    )
