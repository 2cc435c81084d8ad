"""The catalogue has every kind once, with the columns that the design gives it."""

import pytest

from tollbridge.core.errors import CATALOGUE, CODE_TEXTS, Kind, Surface
from tollbridge.core.errors.kinds import BY_STATUS

# kind: status, OpenAI type, code, Anthropic type, Gemini status, retry
AUTH = ("authentication_error", "authentication_error", "UNAUTHENTICATED")
DENIED = ("permission_error", "permission_error", "PERMISSION_DENIED")
BROKE = ("insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED")
INVALID = ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT")
LOST = ("not_found", "not_found_error", "NOT_FOUND")
BUSY = ("api_error", "overloaded_error", "UNAVAILABLE")
TABLE = {
    "key_missing": (401, AUTH, "invalid_api_key", False),
    "key_invalid": (401, AUTH, "invalid_api_key", False),
    "key_expired": (401, AUTH, "api_key_expired", False),
    "key_disabled": (403, DENIED, "key_disabled", False),
    "user_suspended": (403, DENIED, "account_suspended", False),
    "role_forbidden": (403, DENIED, "forbidden", False),
    "ip_denied": (403, DENIED, "ip_not_allowed", False),
    "verification_required": (403, DENIED, "verification_required", False),
    "client_not_allowed": (403, DENIED, "client_not_allowed", False),
    "channel_disabled": (403, DENIED, "channel_disabled", False),
    "surface_not_allowed": (403, DENIED, "surface_not_allowed", False),
    "pin_forbidden": (403, DENIED, "pin_forbidden", False),
    "pin_bad_id": (400, INVALID, "pin_bad_id", False),
    "balance_insufficient": (402, BROKE, "insufficient_quota", False),
    "key_limit_reached": (402, BROKE, "key_limit_reached", False),
    "budget_reached": (402, BROKE, "budget_reached", False),
    "model_unknown": (
        404,
        ("invalid_request_error", "not_found_error", "NOT_FOUND"),
        "model_not_found",
        False,
    ),
    "model_not_allowed": (403, DENIED, "model_not_allowed", False),
    "images_not_enabled": (403, DENIED, "images_not_enabled", False),
    "model_unpriced": (
        503,
        ("api_error", "api_error", "FAILED_PRECONDITION"),
        "model_price_error",
        False,
    ),
    "no_account": (503, BUSY, "no_available_account", True),
    "rate_limited": (
        429,
        ("rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"),
        "rate_limit_exceeded",
        True,
    ),
    "provider_rate_limited": (503, BUSY, "provider_rate_limited", True),
    "upstream_failed": (
        502,
        ("api_error", "api_error", "UNAVAILABLE"),
        "service_unavailable",
        True,
    ),
    "upstream_timeout": (504, ("api_error", "timeout_error", "DEADLINE_EXCEEDED"), "timeout", True),
    "upstream_bad_request": (400, INVALID, "invalid_request_error", False),
    "invalid_request": (400, INVALID, "invalid_request_error", False),
    "context_too_long": (400, INVALID, "context_length_exceeded", False),
    "body_too_large": (
        413,
        ("invalid_request_error", "request_too_large", "INVALID_ARGUMENT"),
        "request_too_large",
        False,
    ),
    "not_found": (404, LOST, "not_found", False),
    "method_not_allowed": (405, LOST, "not_found", False),
    "stream_broken": (502, ("api_error", "api_error", "UNAVAILABLE"), "stream_broken", False),
    "draining": (503, BUSY, "service_unavailable", True),
    "database_down": (503, BUSY, "service_unavailable", True),
    "internal": (500, ("api_error", "api_error", "INTERNAL"), "server_error", True),
}


def test_names_are_those_of_the_design():
    assert {kind.value for kind in Kind} == set(TABLE)
    assert set(CATALOGUE) == set(Kind)
    assert {surface.value for surface in Surface} == {
        "chat",
        "responses",
        "messages",
        "gemini",
        "media",
    }


@pytest.mark.parametrize("name", TABLE)
def test_row(name):
    row = CATALOGUE[Kind(name)]
    native = (row.native.openai, row.native.anthropic, row.native.gemini)
    assert (row.status, native, row.code, row.retryable) == TABLE[name]


@pytest.mark.parametrize("kind", Kind)
def test_every_row_speaks(kind):
    row = CATALOGUE[kind]
    assert row.text and row.fix
    assert row.status in BY_STATUS
    assert 0 <= row.retry_after_s <= 120


def test_s0_nogroup_and_no_account_have_the_seed_s_words():
    assert (
        CATALOGUE[Kind.IMAGES_NOT_ENABLED].text == "Image generation is not enabled for this group"
    )
    assert CATALOGUE[Kind.NO_ACCOUNT].text == "No available accounts"
    assert CATALOGUE[Kind.UPSTREAM_FAILED].text == "Service temporarily unavailable"


def test_specific_codes_have_texts():
    assert CODE_TEXTS["n_not_within_range"] == "invalid value of n"
    assert len(CODE_TEXTS) == 5
