"""Each row of the seeds' error tables, rendered in its dialect."""

# ruff: noqa: RUF001, N802 (the seeds write en dashes; names carry the rows' ids)

import json

import pytest

from tollbridge.core.errors import ApiError, Kind, Profile, Surface, effective, render
from tollbridge.core.errors.profiles import OVERRIDES

TID = "0193a5b0c0de7abc8def0123456789ab"
FACTS = {"model": "gpt-5", "key_last6": "a1b2c3", "method": "POST", "path": "/v1/x"}


def answer(profile, kind, **given):
    facts = FACTS | given.pop("facts", {})
    rendered = render(ApiError(kind, facts=facts, **given), Surface.CHAT, profile, TID)
    error = json.loads(rendered.body)["error"]
    assert error["status"] == rendered.status
    assert error["tid"] == TID
    return rendered.status, error


LIMITED = (
    "Rate limited by provider – contact support to request higher concurrency or try again later."
)
UNKNOWN = (
    "Incorrect model ID. Please request to view the model page or you do not have permission to"
    " use this model"
)
BALANCE = (
    "Your account balance is insufficient. Please recharge your account to continue using the API."
)
NO_KEY = "Unauthorized – no access token supplied; please log in and include a valid token."
BAD_KEY = "Unauthorized – access token is invalid or expired."
NO_MODEL = "Forbidden – key(a1b2c3) not authorized to access the requested model."
S1 = [
    (503, Kind.MODEL_UNKNOWN, UNKNOWN),
    (503, Kind.PROVIDER_RATE_LIMITED, LIMITED),
    (429, Kind.RATE_LIMITED, "The gpt-5 model Too many requests; please try again later."),
    (403, Kind.BALANCE_INSUFFICIENT, BALANCE),
    (403, Kind.USER_SUSPENDED, "Account suspended."),
    (403, Kind.ROLE_FORBIDDEN, "Forbidden – insufficient permissions."),
    (403, Kind.IP_DENIED, "Forbidden – key(a1b2c3) allowed only from approved IP ranges."),
    (403, Kind.MODEL_NOT_ALLOWED, NO_MODEL),
    (403, Kind.PIN_FORBIDDEN, "Key error;(a1b2c3)"),
    (403, Kind.CHANNEL_DISABLED, "Forbidden – channel has been disabled."),
    (401, Kind.KEY_MISSING, NO_KEY),
    (401, Kind.KEY_INVALID, BAD_KEY),
    (401, Kind.KEY_EXPIRED, BAD_KEY),
    (400, Kind.PIN_BAD_ID, "Bad Request – invalid channel ID."),
]


@pytest.mark.parametrize(("status", "kind", "text"), S1, ids=[row[1].value for row in S1])
def test_S1_row(status, kind, text):
    got_status, error = answer(Profile.LEGACY, kind, message="our own words")
    assert (got_status, error["message"]) == (status, text)


def test_S1_balance_has_its_identifier():
    for kind in (Kind.BALANCE_INSUFFICIENT, Kind.KEY_LIMIT_REACHED, Kind.BUDGET_REACHED):
        status, error = answer(Profile.LEGACY, kind)
        assert (status, error["code"]) == (403, "insufficient_user_quota")


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("prompt_missing", "prompt is required"),
        ("prompt_too_long", "prompt is too long"),
        ("text_too_long", "input is too long"),
        ("size_not_supported", "size not supported"),
        ("n_not_within_range", "invalid value of n"),
    ],
)
def test_S1_parameter_rows(profile, code, text):
    status, error = answer(profile, Kind.INVALID_REQUEST, code=code, param="prompt")
    assert (status, error["code"], error["message"]) == (400, code, text)
    assert error["param"] == "prompt"


def test_S1_upstream_400_passes_through():
    status, error = answer(
        Profile.LEGACY,
        Kind.UPSTREAM_BAD_REQUEST,
        message="temperature must be at most 2",
        code="invalid_value",
        facts={"type": "invalid_request_error"},
    )
    assert (status, error["message"]) == (400, "temperature must be at most 2")
    assert error["code"] == "invalid_value"


def test_S1_suspended_key_shows_six_characters_even_of_a_whole_key():
    secret = "sk-tb-" + "Z" * 30 + "a1b2c3"
    _, error = answer(Profile.LEGACY, Kind.PIN_FORBIDDEN, facts={"key_last6": secret})
    assert error["message"] == "Key error;(a1b2c3)"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Kind.KEY_INVALID),
        (401, Kind.SURFACE_NOT_ALLOWED),
        (403, Kind.KEY_DISABLED),
        (403, Kind.BALANCE_INSUFFICIENT),
        (404, Kind.NOT_FOUND),
        (429, Kind.RATE_LIMITED),
        (500, Kind.INTERNAL),
        (502, Kind.UPSTREAM_FAILED),
        (503, Kind.NO_ACCOUNT),
        (503, Kind.MODEL_UNKNOWN),
        (504, Kind.UPSTREAM_TIMEOUT),
    ],
)
def test_S0_errors_row(status, kind):
    assert answer(Profile.LEGACY, kind)[0] == status


def test_S0_503_for_a_bound_or_pinned_channel():
    given = {"fixed_channel": "openai-main"}
    status, error = answer(Profile.LEGACY, Kind.MODEL_UNKNOWN, facts=given)
    assert (status, error["message"]) == (503, "No available accounts")
    assert answer(Profile.LEGACY, Kind.NO_ACCOUNT)[1]["message"] == "No available accounts"


def test_S0_channel_names_the_nearest_exact_names():
    for profile in Profile:
        _, error = answer(profile, Kind.MODEL_UNKNOWN, facts={"nearest": "gpt-5.4, gpt-5.5"})
        assert error["message"].endswith(" (did you mean gpt-5.4 or gpt-5.5?)")
    text = answer(Profile.LEGACY, Kind.MODEL_UNKNOWN, facts={"nearest": "gpt-5.4"})[1]["message"]
    assert text.startswith(UNKNOWN)


def test_S0_401_says_what_to_check_when_the_surface_is_wrong():
    _, error = answer(Profile.LEGACY, Kind.SURFACE_NOT_ALLOWED)
    asked = "check that the Channel the Key is bound to matches your client's protocol"
    assert asked in error["message"]


S2 = [
    (400, "invalid_request_error", Kind.INVALID_REQUEST),
    (401, "authentication_error", Kind.KEY_MISSING),
    (401, "authentication_error", Kind.KEY_INVALID),
    (401, "authentication_error", Kind.KEY_EXPIRED),
    (402, "insufficient_quota", Kind.BALANCE_INSUFFICIENT),
    (402, "insufficient_quota", Kind.KEY_LIMIT_REACHED),
    (402, "insufficient_quota", Kind.BUDGET_REACHED),
    (403, "permission_error", Kind.MODEL_NOT_ALLOWED),
    (403, "permission_error", Kind.VERIFICATION_REQUIRED),
    (403, "permission_error", Kind.PIN_BAD_ID),
    (403, "permission_error", Kind.SURFACE_NOT_ALLOWED),
    (404, "not_found", Kind.NOT_FOUND),
    (413, "context_length_exceeded", Kind.CONTEXT_TOO_LONG),
    (429, "rate_limit_error", Kind.RATE_LIMITED),
    (500, "api_error", Kind.INTERNAL),
    (502, "api_error", Kind.UPSTREAM_FAILED),
    (503, "api_error", Kind.NO_ACCOUNT),
    (503, "api_error", Kind.MODEL_UNKNOWN),
]


@pytest.mark.parametrize(
    ("status", "word", "kind"), S2, ids=[f"{row[0]}-{row[2].value}" for row in S2]
)
def test_S2_row(status, word, kind):
    got_status, error = answer(Profile.STATUS402, kind)
    assert got_status == status
    assert word in {error["type"], error["code"]}


def test_S2_sample_word_for_word():
    facts = {"model": "openai/unknown-model"}
    _, error = answer(Profile.STATUS402, Kind.MODEL_UNKNOWN, facts=facts)
    del error["tid"]
    assert error == {
        "message": "No available channel for model openai/unknown-model",
        "type": "api_error",
        "param": None,
        "code": "model_not_found",
        "status": 503,
    }


def test_S2_overload_is_hidden_behind_a_plain_502():
    status, plain = answer(Profile.STATUS402, Kind.UPSTREAM_FAILED)
    assert (status, plain["message"]) == (502, "Service temporarily unavailable")
    limited = answer(Profile.STATUS402, Kind.PROVIDER_RATE_LIMITED, message="account 7 is hot")
    assert limited == (502, plain)


def test_S2_telegram_verification():
    _, error = answer(Profile.STATUS402, Kind.VERIFICATION_REQUIRED)
    assert error["message"] == "Telegram verification required."


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "invalid_api_key", Kind.KEY_MISSING),
        (401, "invalid_api_key", Kind.KEY_INVALID),
        (401, "invalid_api_key", Kind.KEY_EXPIRED),
        (400, "invalid_request_error", Kind.INVALID_REQUEST),
        (429, "rate_limit_exceeded", Kind.RATE_LIMITED),
        (429, "rate_limit_exceeded", Kind.PROVIDER_RATE_LIMITED),
        (500, "server_error", Kind.INTERNAL),
        (402, "insufficient_quota", Kind.BALANCE_INSUFFICIENT),
    ],
)
def test_S3_row(status, code, kind):
    got_status, error = answer(Profile.PLAIN, kind)
    assert (got_status, error["code"]) == (status, code)
    assert error["message"]


@pytest.mark.parametrize("kind", Kind)
def test_strict_is_the_catalogue(kind):
    seen = effective(kind, Profile.STRICT)
    assert (seen.status, seen.native, seen.code) == (
        seen.row.status,
        seen.row.native,
        seen.row.code,
    )
    assert seen.text is None
    assert not OVERRIDES[Profile.STRICT]


def test_a_moved_status_moves_the_native_names():
    seen = effective(Kind.MODEL_UNKNOWN, Profile.LEGACY)
    assert (seen.native.anthropic, seen.native.gemini) == ("overloaded_error", "UNAVAILABLE")
    assert effective(Kind.SURFACE_NOT_ALLOWED, Profile.LEGACY).native.anthropic == (
        "authentication_error"
    )
