"""What a client of each surface hears when each platform refuses, in every error profile.

Statuses, bodies in the vendor's own shape, pages of HTML, errors inside a 200: the client reads its own
surface's grammar, and never of the account behind it.
"""

import json
from itertools import cycle

import pytest

from tests.faults.bazaar import EVERYWHERE, PLATFORMS, SURFACES, Bazaar, case
from tests.faults.stage import Answer, playing
from tests.faults.till import refused
from tollbridge.core.errors import ApiError, Kind, Profile, Surface, render
from tollbridge.demo.fake_reply import recording

ENVIRON = {"FIRST_BYTE_TIMEOUT_S": "8", "IDLE_TIMEOUT_S": "1.5", "FINISH_SILENCE_S": "0.8"}
pytestmark = pytest.mark.asyncio(loop_scope="session")
PAGE = b"<html><body><h1>Bad Gateway</h1><p>edge-7.vendor.example</p></body></html>"
SECRETS = "see https://api.vendor.example/docs for org-abc123def with sk-secret0123456789"
TELLTALES = (b"vendor", b"Scripted", b"insufficient", b"org-", b"sk-secret", b"127.0.0.1", b"<h")
TOO_LONG = {
    "chat": "This model's maximum context length is 8192 tokens.",
    "responses": "Your input exceeds the context window of this model.",
    "messages": "prompt is too long: 215000 tokens > 200000 maximum",
    "gemini": "The input token count (2) exceeds the maximum number of tokens allowed (1).",
}
RECORDED = {
    "page 502": recording(502, {"content-type": "text/html"}, [PAGE]),
    "page 400": recording(400, {"content-type": "text/html"}, [PAGE]),
    "page 200": recording(200, {"content-type": "text/html"}, [PAGE]),
}
TID = "0" * 31 + "1"
FAILED, BUSY, BAD = "upstream_failed", "provider_rate_limited", "upstream_bad_request"
LONG, LARGE = "context_too_long", "body_too_large"
# Per profile: (status, code of OpenAI, type of OpenAI, type of Anthropic, status of Google).
_FAILED = (502, "service_unavailable", "api_error", "api_error", "UNAVAILABLE")
_CLIENT = ("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT")
_LARGE = ("invalid_request_error", "request_too_large", "INVALID_ARGUMENT")
_RATE = ("rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED")
_BUSY = (503, "provider_rate_limited", "api_error", "overloaded_error", "UNAVAILABLE")
HEARD = {
    FAILED: dict.fromkeys(("strict", "legacy", "status402", "plain"), _FAILED),
    BUSY: {
        "strict": _BUSY,
        "legacy": _BUSY,
        "status402": _FAILED,
        "plain": (429, "rate_limit_exceeded", *_RATE),
    },
    BAD: dict.fromkeys(("strict", "legacy", "status402", "plain"), (400, None, *_CLIENT)),
    LONG: {
        **dict.fromkeys(("strict", "legacy", "plain"), (400, "context_length_exceeded", *_CLIENT)),
        "status402": (413, "context_length_exceeded", *_LARGE),
    },
    LARGE: dict.fromkeys(
        ("strict", "legacy", "status402", "plain"), (413, "request_too_large", *_LARGE)
    ),
}


def error_in_200(wire):
    """Return an error document with status 200, in a vendor's shape."""
    error = {"message": SECRETS, "type": "server_error", "code": None}
    if wire == "messages":
        error = {"type": "api_error", "message": SECRETS}
    elif wire == "gemini":
        error = {"code": 500, "message": SECRETS, "status": "INTERNAL"}
    body = {"type": "error", "error": error} if wire == "messages" else {"error": error}
    return recording(200, {"content-type": "application/json"}, [json.dumps(body).encode()])


def complaints(wire):
    """Return the scripts of a vendor's refusals, the kind of each and the wait that it tells."""
    quota = {"error_kind": {"messages": "billing_error", "gemini": "CONSUMER_SUSPENDED"}.get(
        wire, "insufficient_quota")}  # fmt: skip
    key = {"error_kind": {"messages": "authentication_error", "gemini": "API_KEY_INVALID"}.get(
        wire, "invalid_api_key")}  # fmt: skip
    return {
        "400": ({"status": 400, "error_text": f"'temperature' is too hot: {SECRETS}"}, BAD, None),
        "422": ({"status": 422, "error_text": f"'temperature' is too hot: {SECRETS}"}, BAD, None),
        "401": ({"status": 401, "error_text": SECRETS}, FAILED, None),
        "402": ({"status": 402, "error_text": SECRETS}, FAILED, None),
        "403": ({"status": 403, "error_text": SECRETS}, FAILED, None),
        "404": ({"status": 404, "error_text": SECRETS}, FAILED, None),
        "413": ({"status": 413, "error_text": "Too large."}, LARGE, None),
        # Google tells the wait in the body, with fractions of a second.
        "429": ({"status": 429, "retry_after": 7}, BUSY, "8" if wire == "gemini" else "7"),
        "429 bare": ({"status": 429}, BUSY, "5"),
        **{str(n): ({"status": n, "error_text": SECRETS}, FAILED, None) for n in (500, 502, 503)},
        **{str(n): ({"status": n, "error_text": SECRETS}, FAILED, None) for n in (504, 529)},
        "quota": ({"status": 429, "error_text": SECRETS, **quota}, FAILED, None),
        "key 400": ({"status": 400, "error_text": SECRETS, **key}, FAILED, None),
        "balance": ({"status": 400, "error_text": "Your credit balance is low."}, FAILED, None),
        "context": ({"status": 400, "error_text": TOO_LONG[wire]}, LONG, None),
        "page 502": ({"replay": "page 502"}, FAILED, None),
        "page 400": ({"replay": "page 400"}, BAD, None),
        "page 200": ({"replay": "page 200"}, FAILED, None),
        "error in 200": ({"replay": "error in 200"}, FAILED, None),
    }


def heard(surface, answer, profile, kind):
    """Check that a client hears a kind of error as the profile has it, in its surface's grammar."""
    status, code, openai, anthropic, gemini = HEARD[kind][profile]
    surface = {"array": "gemini", "responses": "chat"}.get(surface, surface)
    error = refused(answer, status, surface)
    if surface == "messages":
        assert error["type"] == anthropic
    elif surface == "gemini":
        assert error["status"] == gemini
    else:
        assert error["type"] == openai
        assert code is None or error["code"] == code
    assert not [word for word in TELLTALES if word in answer.body]
    retry = kind in {FAILED, BUSY}
    assert answer.headers["x-should-retry"] == ("true" if retry else "false")
    return error


async def check(bazaar, profile, names=None):
    """Make a call for each refusal, streamed or not, and check what is heard and what is booked."""
    recordings = bazaar.fake.books.recordings
    recordings.update(RECORDED)
    recordings["error in 200"] = error_in_200(bazaar.wire)
    for name, (script, kind, wait_s) in complaints(bazaar.wire).items():
        for stream in (False, True) if names is None or name in names else ():
            with case(name, stream):
                bazaar.begin()
                bazaar.script(**script)
                answer = await bazaar.call(stream=stream)
                error = heard(bazaar.surface, answer, profile, kind)
                if name in {"400", "422"}:
                    assert error["message"].startswith("'temperature' is too hot: see […]")
                if wait_s is not None:
                    assert answer.headers["retry-after"] == wait_s
                # What is no answer at all says nothing.
                empty = name == "page 200" and not stream
                await bazaar.billed(
                    await bazaar.entry(answer.tid), charge=0,
                    end_state="empty" if empty else "upstream_error", status=answer.status, error_kind=kind,
                )  # fmt: skip
                tries = 2 if kind in {FAILED, BUSY} else 1
                await bazaar.tried(*[("first", "done"), ("second", "done")][:tries])


@EVERYWHERE
async def test_every_refusal_is_heard_in_the_clients_own_words(bazaar, surface, platform):
    bazaar.at(surface, platform)
    await check(bazaar, "strict")


@pytest.mark.parametrize(
    ("surface", "platform"), list(zip(SURFACES, cycle(PLATFORMS), strict=False))
)
async def test_another_profile_has_its_own_status_for_them(bazaars, surface, platform):
    async with playing(await bazaars(ENVIRON, "status402"), Bazaar) as bazaar:
        bazaar.at(surface, platform)
        await check(bazaar, "status402", {"400", "401", "413", "429", "529", "context"})
        await bazaar.close()


@pytest.mark.parametrize("surface", SURFACES)
async def test_every_profile_renders_them_for_every_surface(surface):
    spoken = Surface.GEMINI if surface == "array" else Surface(surface)
    for kind, profiles in HEARD.items():
        for profile in profiles:
            with case(kind, profile):
                made = render(ApiError(Kind(kind)), spoken, Profile(profile), TID)
                headers = {name.decode(): value.decode() for name, value in made.headers}
                heard(surface, Answer(made.status, headers, made.body), profile, kind)
