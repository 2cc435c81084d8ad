"""Owns the catalogue: every kind of error a customer can meet, one row a kind.

Pure data. Must not know how an error is rendered, nor what the profiles make of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from tollbridge.core.language import N_


class Surface(StrEnum):
    """The protocol that the client speaks."""

    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"
    GEMINI = "gemini"
    MEDIA = "media"


class Profile(StrEnum):
    """The error dialect of a site or channel; `strict` is the catalogue as it stands."""

    STRICT = "strict"
    LEGACY = "legacy"
    STATUS402 = "status402"
    PLAIN = "plain"


class Kind(StrEnum):
    """The name of a kind of error, as the catalogue, the metrics and the usage rows have it."""

    KEY_MISSING = "key_missing"
    KEY_INVALID = "key_invalid"
    KEY_EXPIRED = "key_expired"
    KEY_DISABLED = "key_disabled"
    USER_SUSPENDED = "user_suspended"
    ROLE_FORBIDDEN = "role_forbidden"
    IP_DENIED = "ip_denied"
    VERIFICATION_REQUIRED = "verification_required"
    CLIENT_NOT_ALLOWED = "client_not_allowed"
    CHANNEL_DISABLED = "channel_disabled"
    SURFACE_NOT_ALLOWED = "surface_not_allowed"
    PIN_FORBIDDEN = "pin_forbidden"
    PIN_BAD_ID = "pin_bad_id"
    BALANCE_INSUFFICIENT = "balance_insufficient"
    KEY_LIMIT_REACHED = "key_limit_reached"
    BUDGET_REACHED = "budget_reached"
    MODEL_UNKNOWN = "model_unknown"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    IMAGES_NOT_ENABLED = "images_not_enabled"
    MODEL_UNPRICED = "model_unpriced"
    NO_ACCOUNT = "no_account"
    RATE_LIMITED = "rate_limited"
    PROVIDER_RATE_LIMITED = "provider_rate_limited"
    UPSTREAM_FAILED = "upstream_failed"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_BAD_REQUEST = "upstream_bad_request"
    INVALID_REQUEST = "invalid_request"
    CONTEXT_TOO_LONG = "context_too_long"
    BODY_TOO_LARGE = "body_too_large"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    STREAM_BROKEN = "stream_broken"
    DRAINING = "draining"
    DATABASE_DOWN = "database_down"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Native:
    """What one status is called by each family of SDKs: OpenAI type, Anthropic type, Gemini status."""

    openai: str
    anthropic: str
    gemini: str


# What a status means natively, for rows that add nothing and for profiles that move a status.
BY_STATUS: Mapping[int, Native] = MappingProxyType(
    {
        400: Native("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
        401: Native("authentication_error", "authentication_error", "UNAUTHENTICATED"),
        402: Native("insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED"),
        403: Native("permission_error", "permission_error", "PERMISSION_DENIED"),
        404: Native("invalid_request_error", "not_found_error", "NOT_FOUND"),
        405: Native("not_found", "not_found_error", "NOT_FOUND"),
        413: Native("invalid_request_error", "request_too_large", "INVALID_ARGUMENT"),
        429: Native("rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"),
        500: Native("api_error", "api_error", "INTERNAL"),
        502: Native("api_error", "api_error", "UNAVAILABLE"),
        503: Native("api_error", "overloaded_error", "UNAVAILABLE"),
        504: Native("api_error", "timeout_error", "DEADLINE_EXCEEDED"),
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the catalogue (errors.md).

    `text` may name facts in braces. `fix` tells the customer what to do. `retry_after_s` is the
    wait in seconds that we advise when the raiser knows no better; 0 means a retry makes no sense.
    """

    status: int
    native: Native
    code: str
    text: str
    fix: str
    retry_after_s: int = 0

    @property
    def retryable(self) -> bool:
        """Whether an SDK should send the same request again by itself."""
        return self.retry_after_s > 0


def _row(status: int, code: str, text: str, fix: str, retry_after_s: int = 0) -> Row:
    return Row(status, BY_STATUS[status], code, text, fix, retry_after_s)


_NOT_FOUND = Native("not_found", "not_found_error", "NOT_FOUND")
_UNPRICED = Native("api_error", "api_error", "FAILED_PRECONDITION")
_TOP_UP = N_("Top up the wallet, or ask for less.")
_LATER = N_("Retry with backoff; the status page shows known incidents.")
_SPEAK_KEY = N_("Copy the key again, without spaces, and send it as Authorization: Bearer ….")

CATALOGUE: Mapping[Kind, Row] = MappingProxyType(
    {
        Kind.KEY_MISSING: _row(
            401,
            "invalid_api_key",
            "No API key provided. Send it as Authorization: Bearer …, x-api-key or x-goog-api-key.",
            _SPEAK_KEY,
        ),
        Kind.KEY_INVALID: _row(401, "invalid_api_key", "The API key is not valid.", _SPEAK_KEY),
        Kind.KEY_EXPIRED: _row(
            401,
            "api_key_expired",
            "The API key has expired.",
            N_("Create a new key, or give this one a later expiry, in the console."),
        ),
        Kind.KEY_DISABLED: _row(
            403,
            "key_disabled",
            "The API key is disabled.",
            N_("Enable the key in the console, or use another one."),
        ),
        Kind.USER_SUSPENDED: _row(
            403, "account_suspended", "This account is suspended.", N_("Contact support.")
        ),
        Kind.ROLE_FORBIDDEN: _row(
            403,
            "forbidden",
            "This account may not do that.",
            N_("Ask an administrator for the right."),
        ),
        Kind.IP_DENIED: _row(
            403,
            "ip_not_allowed",
            "The key ending in {key_last6} may not be used from this network address.",
            N_("Add the address to the key's list in the console."),
        ),
        Kind.VERIFICATION_REQUIRED: _row(
            403,
            "verification_required",
            "Telegram verification required.",
            N_("Bind your Telegram account under Profile in the console."),
        ),
        Kind.CLIENT_NOT_ALLOWED: _row(
            403,
            "client_not_allowed",
            "This channel does not accept this client.",
            N_("Use a client that the channel allows, or a key of another channel."),
        ),
        Kind.CHANNEL_DISABLED: _row(
            403,
            "channel_disabled",
            "The channel of this key is disabled.",
            N_("Choose another channel for the key."),
        ),
        Kind.SURFACE_NOT_ALLOWED: _row(
            403,
            "surface_not_allowed",
            "The channel of this key does not serve this protocol.",
            N_("Use the endpoint that the channel serves, or a key of another channel."),
        ),
        Kind.PIN_FORBIDDEN: _row(
            403,
            "pin_forbidden",
            "The key ending in {key_last6} may not choose a channel by itself.",
            N_("Remove the channel from the key or the header, or ask for the right."),
        ),
        Kind.PIN_BAD_ID: _row(
            400,
            "pin_bad_id",
            "The channel that the call asks for does not exist.",
            N_("Check the channel's name after the key or in X-Tollbridge-Channel."),
        ),
        Kind.BALANCE_INSUFFICIENT: _row(
            402, "insufficient_quota", "The balance does not cover this call.", _TOP_UP
        ),
        Kind.KEY_LIMIT_REACHED: _row(
            402,
            "key_limit_reached",
            "The API key has reached its spending limit.",
            N_("Raise the key's limit in the console, or use another key."),
        ),
        Kind.BUDGET_REACHED: _row(
            402,
            "budget_reached",
            "The budget for this period is used up.",
            N_("Raise the budget in the console, or wait for the next period."),
        ),
        Kind.MODEL_UNKNOWN: _row(
            404,
            "model_not_found",
            "The model {model} does not exist here. Names are exact and case-sensitive.",
            N_("List the models with GET /v1/models and use the exact name."),
        ),
        Kind.MODEL_NOT_ALLOWED: _row(
            403,
            "model_not_allowed",
            "The key ending in {key_last6} may not use the model {model}.",
            N_("Allow the model for the key in the console, or use another key."),
        ),
        Kind.IMAGES_NOT_ENABLED: _row(
            403,
            "images_not_enabled",
            "Image generation is not enabled for this group",
            N_("Use a key of a channel that has image generation."),
        ),
        Kind.MODEL_UNPRICED: Row(
            503,
            _UNPRICED,
            "model_price_error",
            "The model {model} has no price yet and cannot be sold.",
            N_("Choose another model, or tell support."),
        ),
        Kind.NO_ACCOUNT: _row(
            503, "no_available_account", "No available accounts", _LATER, retry_after_s=10
        ),
        Kind.RATE_LIMITED: _row(
            429,
            "rate_limit_exceeded",
            "Too many requests for this key; slow down and try again.",
            N_("Wait as long as Retry-After says, and send fewer calls at once."),
            retry_after_s=5,
        ),
        Kind.PROVIDER_RATE_LIMITED: _row(
            503,
            "provider_rate_limited",
            "The provider limits the rate of this model at the moment; try again later.",
            _LATER,
            retry_after_s=10,
        ),
        Kind.UPSTREAM_FAILED: _row(
            502, "service_unavailable", "Service temporarily unavailable", _LATER, retry_after_s=2
        ),
        Kind.UPSTREAM_TIMEOUT: _row(
            504,
            "timeout",
            "The model did not answer in time.",
            N_("Shorten the prompt, stream the answer, or use a faster model."),
            retry_after_s=2,
        ),
        Kind.UPSTREAM_BAD_REQUEST: _row(
            400,
            "invalid_request_error",
            "The provider refused the request as invalid.",
            N_("Check the request against the provider's documentation."),
        ),
        Kind.INVALID_REQUEST: _row(
            400,
            "invalid_request_error",
            "The request is invalid.",
            N_("Check the fields that the message names."),
        ),
        Kind.CONTEXT_TOO_LONG: _row(
            400,
            "context_length_exceeded",
            "The input is longer than the context window of the model.",
            N_("Shorten the messages, or use a model with a larger context window."),
        ),
        Kind.BODY_TOO_LARGE: _row(
            413,
            "request_too_large",
            "The request body is too large.",
            N_("Send fewer or smaller attachments."),
        ),
        Kind.NOT_FOUND: Row(
            404,
            _NOT_FOUND,
            "not_found",
            "Invalid URL ({method} {path})",
            N_("Check the base URL: a missing or doubled /v1 is the usual cause."),
        ),
        Kind.METHOD_NOT_ALLOWED: Row(
            405,
            _NOT_FOUND,
            "not_found",
            "Invalid URL ({method} {path})",
            N_("Check the method: generating calls are POST, lists are GET."),
        ),
        # Whether to pay for another try of a half-delivered answer is the client's decision.
        Kind.STREAM_BROKEN: _row(
            502,
            "stream_broken",
            "The stream broke before the answer was complete.",
            N_("Send the call again if you still need the whole answer."),
        ),
        Kind.DRAINING: _row(
            503,
            "service_unavailable",
            "The service is restarting; try again in a moment.",
            _LATER,
            retry_after_s=2,
        ),
        Kind.DATABASE_DOWN: _row(
            503, "service_unavailable", "Service temporarily unavailable", _LATER, retry_after_s=5
        ),
        Kind.INTERNAL: _row(
            500,
            "server_error",
            "The server had an error while handling the request.",
            N_("Retry once; if it persists, contact support with the trace id."),
            retry_after_s=1,
        ),
    }
)

# Texts of the specific codes of `invalid_request` (S1), for a raiser that names only the code.
CODE_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "prompt_missing": "prompt is required",
        "prompt_too_long": "prompt is too long",
        "text_too_long": "input is too long",
        "size_not_supported": "size not supported",
        "n_not_within_range": "invalid value of n",
    }
)
