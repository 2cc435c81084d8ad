"""What is refused on every surface before anything is sent: in the surface's own shape, and free.

No answer tells of upstreams: their names, addresses and secrets are in no byte that a client reads.
"""

import json

import pytest

from tests.faults.bazaar import EVERYWHERE, KEYS, PLATFORMS, SURFACES, asked, case
from tests.faults.till import refused

ENVIRON = {"MAX_BODY_BYTES": "20000"}
pytestmark = pytest.mark.asyncio(loop_scope="session")
NOBODY = f"sk-nobody-{'x' * 32}"
# Of OpenAI (type, code), of Anthropic, of Google.
KEY = ("authentication_error", "invalid_api_key", "authentication_error", "UNAUTHENTICATED")
BAD = ("invalid_request_error", None, "invalid_request_error", "INVALID_ARGUMENT")
DENIED = ("permission_error", None, "permission_error", "PERMISSION_DENIED")
MODEL = ("invalid_request_error", "model_not_found", "not_found_error", "NOT_FOUND")
LARGE = ("invalid_request_error", "request_too_large", "request_too_large", "INVALID_ARGUMENT")


def told_no(bazaar, answer, status, names, code=None):
    """Check a refusal's status, grammar, names and silence about upstreams; return its message."""
    surface = {"array": "gemini", "responses": "chat"}.get(bazaar.surface, bazaar.surface)
    error = refused(answer, status, surface)
    openai, usual, anthropic, google = names
    if surface == "messages":
        assert error["type"] == anthropic
    elif surface == "gemini":
        assert error["status"] == google
    else:
        assert error["type"] == openai
        assert error["code"] == (code or usual) or not (code or usual)
    shown = json.dumps(dict(answer.headers)).encode() + answer.body
    for word in ("-first", "-second", "fake-upstream", "Traceback", "base_url", NOBODY, bazaar.key):
        assert word.encode() not in shown, word
    assert answer.headers["x-should-retry"] == "false" and "retry-after" not in answer.headers
    return error["message"]


async def untouched(bazaar):
    """Check that nothing was booked and nobody was asked."""
    assert bazaar.booked() == []
    await bazaar.tried()


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "unary"])
async def test_what_is_not_admitted(bazaar, surface, stream):
    bazaar.at(surface, "openai")
    path, body = asked(surface, bazaar.model, stream=stream)
    raw = json.dumps(body).encode()
    with case("no key"):
        told_no(bazaar, await bazaar.send(path, body, None), 401, KEY)
    with case("unknown key"):
        told_no(bazaar, await bazaar.send(path, body, NOBODY), 401, KEY)
    with case("unknown model"):
        answer = await bazaar.call(stream=stream, model="gpt-5.5")
        assert "gpt-5.4" in told_no(bazaar, answer, 404, MODEL)
    bodies = {
        "half a body": (raw[:-3], "not valid JSON", "invalid_json"),
        "no body": (b"", "no body", "invalid_json"),
        "an array": (b"[" + raw + b"]", "must be a JSON object", "invalid_json"),
        "twice": (raw[:-1] + b',"user":"a","user":"b"}', "twice", "duplicate_field"),
        "deep": (
            raw[:-1] + b',"x":' + b"[" * 900 + b"]" * 900 + b"}",
            "too deeply",
            "invalid_json",
        ),
    }
    for name, (sent, words, code) in bodies.items():
        with case(name):
            assert words in told_no(bazaar, await bazaar.send(path, sent), 400, BAD, code)
    with case("too large"):
        told_no(bazaar, await bazaar.send(path, raw[:-1] + b" " * 20_000 + b"}"), 413, LARGE)
    await untouched(bazaar)


@pytest.mark.parametrize("surface", [one for one in SURFACES if one != "chat"])
async def test_a_channel_that_does_not_serve_the_surface(bazaar, surface):
    bazaar.at(surface, "openai")
    path, body = asked(surface, bazaar.model, stream=True)
    answer = await bazaar.send(path, body, KEYS["shy"])
    told_no(bazaar, answer, 403, DENIED, "surface_not_allowed")
    await untouched(bazaar)


IMAGES = {
    "chat": {"modalities": ["text", "image"]},
    "responses": {"tools": [{"type": "image_generation"}]},
    "gemini": {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}},
    "array": {"generation_config": {"response_modalities": ["IMAGE"]}},
}


@pytest.mark.parametrize("surface", IMAGES)
async def test_images_of_a_channel_that_makes_none(bazaar, surface):
    bazaar.at(surface, "openai")
    for stream in (True, False):
        path, body = asked(surface, bazaar.model, stream=stream, **IMAGES[surface])
        answer = await bazaar.send(path, body, KEYS["plain"])
        told_no(bazaar, answer, 403, DENIED, "images_not_enabled")
    await untouched(bazaar)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("surface", ["gemini", "array"])
async def test_contents_without_a_role(bazaar, surface, platform):
    bazaar.at(surface, platform)
    contents = [{"role": "user", "parts": [{"text": "a"}]}, {"parts": [{"text": "b"}]}]
    answer = await bazaar.call(contents=contents)
    message = told_no(bazaar, answer, 400, BAD)
    assert message.startswith("Request contains an invalid argument") and "role" in message
    await untouched(bazaar)


# For each surface, fields that other vendors cannot be told, and which part of them is named.
UNTOLD = {
    "chat": {
        "anthropic": ({"n": 2}, "n"),
        "gemini": ({"unheard_of": 1}, "unheard_of"),
    },
    "responses": {
        "compatible": ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        "anthropic": ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        "gemini": ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    },
    "messages": {
        "openai": ({"container": "container_1"}, "container"),
        "compatible": ({"container": "container_1"}, "container"),
        "gemini": ({"container": "container_1"}, "container"),
    },
    "gemini": {
        "openai": ({"cachedContent": "cachedContents/1"}, "cachedContent"),
        "compatible": ({"cachedContent": "cachedContents/1"}, "cachedContent"),
        "anthropic": ({"cachedContent": "cachedContents/1"}, "cachedContent"),
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("surface", "platform"), [(one, other) for one, all_ in UNTOLD.items() for other in all_]
)
async def test_what_the_vendor_cannot_be_told_is_named_and_free(bazaar, surface, platform):
    bazaar.at(surface, platform)
    fields, name = UNTOLD[surface][platform]
    for stream in (True, False):
        with case(stream):
            answer = await bazaar.call(stream=stream, **fields)
            assert f"'{name}'" in told_no(bazaar, answer, 400, BAD)
            await bazaar.billed(
                await bazaar.entry(answer.tid), end_state="refused", status=400, charge=0,
                error_kind="invalid_request",
            )  # fmt: skip
    await bazaar.tried()


@EVERYWHERE
async def test_no_answer_tells_of_upstreams(bazaar, surface, platform):
    bazaar.at(surface, platform)
    secret = f"{platform}-first"
    [where] = {row["base_url"] for row in bazaar.rows("SELECT base_url FROM accounts")}
    scripts = [
        {"tokens": 3},
        {"status": 400, "error_text": f"Bad: {where}/v1 says no to org-{secret}"},
        {"status": 500, "error_text": f"{where} {secret}"},
        {"error_event_after": 30, "error_text": f"{where} {secret}", "tokens": 99},
    ]
    for script in scripts:
        bazaar.script(headers={"x-vendor-secret": secret, "server": where}, **script)
        for stream in (True, False):
            with case(script, stream):
                answer = await bazaar.call(stream=stream)
                shown = json.dumps(dict(answer.headers)).encode() + answer.body
                for word in (secret, where, where.rpartition(":")[2], "fake-upstream", "x-vendor"):
                    assert word.encode() not in shown, word
