"""The rows of the seeds' error tables that have to do with routing: every surface, every profile.

What is expected is written here by hand from the seeds. Each test bears the ids of its rows. Nothing
that is refused may reach a vendor or cost anything, and no answer may name an account.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from tests.conformance.crossroads import (
    ACCOUNTS,
    KEYS,
    MARKED,
    MODEL,
    OTHER,
    SURFACES,
    Crossroads,
    asked,
    open_crossroads,
)
from tests.faults.stage import Answer
from tests.faults.till import refused

PROFILES = ("strict", "legacy", "status402", "plain")
# What the SDKs of the other two vendors look at, by status.
ANTHROPIC = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error",
    403: "permission_error", 404: "not_found_error", 413: "request_too_large",
    429: "rate_limit_error", 502: "api_error", 503: "overloaded_error",
}  # fmt: skip
GEMINI = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED", 404: "NOT_FOUND", 413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED", 502: "UNAVAILABLE", 503: "UNAVAILABLE",
}  # fmt: skip


class Said(NamedTuple):
    """What one profile says: status, type and code of OpenAI's form, how the message begins."""

    status: int
    type: str
    code: str
    message: str = ""


@dataclass(frozen=True)
class Row:
    """One way to fail. A profile that is not named says what `strict` does.

    `pin` stands behind the key, `script` is what both accounts of `main` do.
    """

    strict: Said
    key: str | None
    model: str = MODEL
    pin: str = ""
    legacy: Said | None = None
    status402: Said | None = None
    plain: Said | None = None
    headers: dict[str, str] = field(default_factory=dict)
    script: dict[str, Any] = field(default_factory=dict)
    surfaces: tuple[str, ...] = SURFACES
    retry: bool = False


NOBODY = "nothing-like-that"
AUTH, DENIED, BAD = "authentication_error", "permission_error", "invalid_request_error"
QUOTA, API, RATE = "insufficient_quota", "api_error", "rate_limit_error"
SPENT = (
    "Your account balance is insufficient. Please recharge your account to continue using the API."
)
WRONG_MODEL = (
    "Incorrect model ID. Please request to view the model page or you do not have permission to use"
    " this model"
)
NO_TOKEN = "Unauthorized \u2013 no access token supplied; please log in and include a valid token."
BAD_TOKEN = "Unauthorized \u2013 access token is invalid or expired."
BUSY = "Rate limited by provider \u2013 contact support to request higher concurrency or try again later."
PLATFORM = "check that the Channel the Key is bound to matches your client's protocol"
UNAVAILABLE = Said(502, API, "service_unavailable", "Service temporarily unavailable")
NO_CHANNEL = Said(503, API, "model_not_found", f"No available channel for model {NOBODY}")
NO_MODEL = Said(404, BAD, "model_not_found", f"The model {NOBODY} does not exist here.")
EMPTY = Said(503, API, "no_available_account", "No available accounts")
FORBIDDEN = "Forbidden \u2013 "

ROWS = {
    "S1-401 S2-401 S3-401 no key": Row(
        Said(401, AUTH, "invalid_api_key", "No API key provided."), None,
        legacy=Said(401, AUTH, "invalid_api_key", NO_TOKEN),
    ),
    "S1-401 S2-401 S3-401 wrong key": Row(
        Said(401, AUTH, "invalid_api_key", "The API key is not valid."), "auto", pin="x",
        legacy=Said(401, AUTH, "invalid_api_key", BAD_TOKEN),
    ),
    "S1-403 S2-402 no money": Row(
        Said(402, QUOTA, QUOTA, "The balance does not cover this call"), "broke",
        legacy=Said(403, QUOTA, "insufficient_user_quota", SPENT),
    ),
    "S1-403 suspended": Row(
        Said(403, DENIED, "account_suspended", "This account is suspended."), "suspended",
        legacy=Said(403, DENIED, "account_suspended", "Account suspended."),
    ),
    "S1-403 network": Row(
        Said(403, DENIED, "ip_not_allowed", "The key ending in ------ may not be used"), "walled",
        legacy=Said(403, DENIED, "ip_not_allowed",
                    f"{FORBIDDEN}key(------) allowed only from approved IP ranges."),
    ),
    "S1-403 S2-403 model not authorised": Row(
        Said(403, DENIED, "model_not_allowed", "The key ending in ------ may not use the model"),
        "narrow",
        legacy=Said(403, DENIED, "model_not_allowed",
                    f"{FORBIDDEN}key(------) not authorized to access the requested model."),
    ),
    "S1-403 S4-fixed-route not an administrator, suffix": Row(
        Said(403, DENIED, "pin_forbidden", "The key ending in ------ may not choose"), "main",
        pin="#spare", legacy=Said(403, DENIED, "pin_forbidden", "Key error;(------)"),
    ),
    "S1-403 S4-fixed-route not an administrator, header": Row(
        Said(403, DENIED, "pin_forbidden", "The key ending in ------ may not choose"), "staff",
        headers={"x-tollbridge-channel": "spare"},
        legacy=Said(403, DENIED, "pin_forbidden", "Key error;(------)"),
    ),
    "S1-403 channel disabled": Row(
        Said(403, DENIED, "channel_disabled", "The channel of this key is disabled."), "closed",
        legacy=Said(403, DENIED, "channel_disabled", f"{FORBIDDEN}channel has been disabled."),
    ),
    "S1-400 invalid channel id, suffix": Row(
        Said(400, BAD, "pin_bad_id", "The channel that the call asks for does not exist."), "may",
        pin="#nobody", legacy=Said(400, BAD, "pin_bad_id", "Bad Request \u2013 invalid channel ID."),
        status402=Said(403, DENIED, "pin_bad_id", "The channel that the call asks for"),
    ),
    "S1-400 invalid channel id, header": Row(
        Said(400, BAD, "pin_bad_id", "The channel that the call asks for does not exist."), "admin",
        headers={"x-tollbridge-channel": "1"},
        legacy=Said(400, BAD, "pin_bad_id", "Bad Request \u2013 invalid channel ID."),
        status402=Said(403, DENIED, "pin_bad_id", "The channel that the call asks for"),
    ),
    "S0-503 S2-503 the model is not listed": Row(
        NO_MODEL, "main", NOBODY, legacy=Said(503, API, "model_not_found", "No available accounts"),
        status402=NO_CHANNEL,
    ),
    "S0-key another channel's model": Row(
        Said(404, BAD, "model_not_found", f"The model {OTHER} does not exist here."), "main", OTHER,
        legacy=Said(503, API, "model_not_found", "No available accounts"),
        status402=Said(503, API, "model_not_found", f"No available channel for model {OTHER}"),
    ),
    "S1-503 incorrect model": Row(
        NO_MODEL, "auto", NOBODY, legacy=Said(503, API, "model_not_found", WRONG_MODEL),
        status402=NO_CHANNEL,
    ),
    "S0-503 S2-503 no account": Row(
        EMPTY, "empty", retry=True,
        status402=Said(503, API, "no_available_account", f"No available channel for model {MODEL}"),
    ),
    "S0-503 S2-503 every account taken out": Row(
        EMPTY, "weary", retry=True,
        status402=Said(503, API, "no_available_account", f"No available channel for model {MODEL}"),
    ),
    "S0-key S0-401 a surface that the channel does not serve": Row(
        Said(403, DENIED, "surface_not_allowed", "The channel of this key does not serve"), "shy",
        legacy=Said(401, AUTH, "surface_not_allowed", f"Authentication failed: {PLATFORM}"),
        surfaces=SURFACES[1:],
    ),
    "S0-channel another client": Row(
        Said(403, DENIED, "client_not_allowed", "This channel does not accept this client."), "code"
    ),
    "S2-403 Telegram": Row(
        Said(403, DENIED, "verification_required", "Telegram verification required."), "marked",
        MARKED,
    ),
    "S2-403 Telegram, any channel": Row(
        Said(403, DENIED, "verification_required", "Telegram verification required."), "auto",
        MARKED,
    ),
    "S1-503 the provider's limit": Row(
        Said(503, API, "provider_rate_limited", "The provider limits the rate of this model"), "main",
        script={"status": 429, "error_text": "Slow down, org-acme."}, retry=True,
        legacy=Said(503, API, "provider_rate_limited", BUSY), status402=UNAVAILABLE,
        plain=Said(429, RATE, "rate_limit_exceeded", "The provider limits"),
    ),
    "S0-502 S2-502 overloaded": Row(
        UNAVAILABLE, "main", script={"status": 529, "error_text": "Overloaded."}, retry=True
    ),
    "S2-402 the account's own bill is no business of the customer": Row(
        UNAVAILABLE, "main", script={"status": 402, "error_text": "Pay us."}, retry=True
    ),
    "S2-413 too long": Row(
        Said(400, BAD, "context_length_exceeded", ""), "main",
        script={"status": 400, "error_text": "The prompt is too long for the context window."},
        status402=Said(413, BAD, "context_length_exceeded", ""),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crossroads]:
    with open_crossroads(tmp_path_factory.mktemp("crossroads")) as one:
        yield one


@pytest.fixture(scope="module", params=PROFILES)
def spoken(request: pytest.FixtureRequest, shared: Crossroads) -> tuple[Crossroads, str]:
    shared.speak(request.param)
    return shared, request.param


def heard(answer: Answer, surface: str, said: Said, *, retry: bool) -> str:
    """Check an error in the grammar of its surface and return what it says."""
    grammar = surface if surface in {"messages", "gemini"} else "chat"
    error = refused(answer, said.status, grammar)
    if surface == "messages":
        assert error["type"] == ANTHROPIC[said.status]
    elif surface == "gemini":
        assert error["status"] == GEMINI[said.status]
    else:
        assert (error["type"], error["code"]) == (said.type, said.code)
    assert error["message"].startswith(said.message)
    # `refused` has seen that what may be tried again says when.
    assert answer.headers["x-should-retry"] == ("true" if retry else "false")
    assert not retry or 1 <= int(answer.headers["retry-after"]) <= 120
    shown = f"{answer.headers} {answer.body.decode()}"
    for name in ACCOUNTS:
        assert name not in shown
    for secret in KEYS.values():
        assert secret not in shown
    text: str = error["message"]
    return text


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_the_seeds_on_every_surface(spoken: tuple[Crossroads, str], name: str):
    crossroads, profile = spoken
    row = ROWS[name]
    said = getattr(row, profile) or row.strict
    # What is held meanwhile is not taken.
    wallets = "SELECT id, available FROM purse ORDER BY id"
    before = crossroads.shop.gateway.rows(wallets)
    for surface in row.surfaces:
        crossroads.script(*(("main-a", "main-b") if row.script else ()), **row.script)
        answer = crossroads.call(surface, row.key, row.model, pin=row.pin, **row.headers)
        heard(answer, surface, said, retry=row.retry)
        tries = ["main-a", "main-b"][: 0 if not row.script else 2 if row.retry else 1]
        assert crossroads.called() == tries
    assert crossroads.shop.gateway.rows(wallets) == before


IMAGE_ASKS = {
    "media": ("/v1/images/generations", {"model": "gpt-image-1", "prompt": "a cat"}),
    "chat": (asked("chat", MODEL)[0], {**asked("chat", MODEL)[1], "modalities": ["text", "image"]}),
    "responses": (
        asked("responses", MODEL)[0],
        {**asked("responses", MODEL)[1], "tools": [{"type": "image_generation"}]},
    ),
    "gemini": (
        asked("gemini", MODEL)[0],
        {
            **asked("gemini", MODEL)[1],
            "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]},
        },
    ),
}


@pytest.mark.parametrize("surface", IMAGE_ASKS)
def test_s0_nogroup_images_on_a_channel_without_them(spoken: tuple[Crossroads, str], surface: str):
    crossroads, _profile = spoken
    crossroads.script()
    path, body = IMAGE_ASKS[surface]
    answer = crossroads.send(path, body, {"authorization": f"Bearer {KEYS['plain']}"})
    said = Said(403, DENIED, "images_not_enabled")
    told = heard(answer, surface, said, retry=False)
    assert told == "Image generation is not enabled for this group"
    assert crossroads.called() == []


PATHS = {
    "chat": "/v1/chat/nothing",
    "messages": "/claude/v1/nothing",
    "gemini": "/gemini/v1beta/nothing",
}


@pytest.mark.parametrize("surface", PATHS)
def test_s0_404_s2_404_a_wrong_path(spoken: tuple[Crossroads, str], surface: str):
    crossroads, _profile = spoken
    path = PATHS[surface]
    answer = crossroads.send(path, {}, {"authorization": f"Bearer {KEYS['main']}"})
    said = Said(404, "not_found", "not_found", f"Invalid URL (POST {path})")
    heard(answer, surface, said, retry=False)


LIMITED = Said(429, RATE, "rate_limit_exceeded", "The key's limit of 1 ")
LEGACY_LIMITED = Said(
    429,
    RATE,
    "rate_limit_exceeded",
    f"The {MODEL} model Too many requests; please try again later.",
)


@pytest.mark.parametrize("limit", ["rpm", "tpm"])
def test_s0_429_s1_429_s2_429_s3_429_a_limit_a_minute(spoken: tuple[Crossroads, str], limit: str):
    crossroads, profile = spoken
    crossroads.script()
    said = LEGACY_LIMITED if profile == "legacy" else LIMITED
    for surface in SURFACES:
        # Where the minute is over, this takes what came back.
        answers = [crossroads.call(surface, limit) for _ in range(2)]
        heard(answers[-1], surface, said, retry=True)


def test_s0_429_s2_429_calls_at_once_recover_by_themselves(spoken: tuple[Crossroads, str]):
    crossroads, profile = spoken
    crossroads.script("main-a", tokens=5_000, event_delay_ms=20)
    path, body = asked("chat", MODEL)
    bearer = {"authorization": f"Bearer {KEYS['calls']}"}
    http = crossroads.shop.http
    with http.stream("POST", path, json={**body, "stream": True}, headers=bearer) as running:
        # Whoever lets go of the pieces hangs up.
        pieces = running.iter_raw()
        assert running.status_code == 200 and next(pieces)
        said = LEGACY_LIMITED if profile == "legacy" else LIMITED
        for surface in SURFACES:
            heard(crossroads.call(surface, "calls"), surface, said, retry=True)
        assert crossroads.called() == ["main-a"]
    crossroads.script()
    deadline = time.monotonic() + 20
    while crossroads.call("chat", "calls").status != 200:
        assert time.monotonic() < deadline, "the slot was not given back"
        time.sleep(0.02)
