"""Proof that a wrong path or method is answered in its own grammar and names the right one."""

import pytest

from tests.faults.till import BEARER, CHAT, Till, refused, request
from tests.services.gateway import KEY, chat

pytestmark = pytest.mark.asyncio(loop_scope="session")

BODY = str(chat()).replace("'", '"').encode()
MEANT = {
    "/v1/v1/chat/completions": CHAT,
    "/chat/completions": CHAT,
    "/chat/completions/": CHAT,
    "/v1/chat/completion": CHAT,
    "/v1/chat": CHAT,
    "/v1/chat/completions/": CHAT,
    "/v1//chat/completions": CHAT,
    "//v1/chat/completions": CHAT,
    "/V1/Chat/Completions": CHAT,
    "/api/v1/chat/completions": CHAT,
    "/openai/v1/chat/completions": CHAT,
    "/v1/chat/completions/chat/completions": CHAT,
    "/v1/chat/completions/v1/chat/completions": CHAT,
    "/v1/completion": "/v1/completions",
    "/completions": "/v1/completions",
    "/v1/completions/": "/v1/completions",
    "/v1/model": "/v1/models",
    "/v1/v1/models": "/v1/models",
}
HOPELESS = [
    "/",
    "/v1",
    "/v1/",
    "/v1/nothing",
    "/v2/chat/completions",
    "/v1/chat%2Fcompletions",
    "/v1/chat/../chat/completions",
    "/v1/%2e%2e/etc/passwd",
    "/v1/chat/completions;a=b",
    "/v1/chat/completions%00",
    "/%ff",
    "/" + "a" * 5000,
    "/v1" * 2000,
    "/.env",
    "/docs",
    "/openapi.json",
]


@pytest.mark.parametrize("path", MEANT)
async def test_a_wrong_path_names_the_right_one(till: Till, path: str):
    answer = await till.ask(request(path, BODY, BEARER))
    error = refused(answer, answer.status)
    # Two slashes at the start are another host to some readers: the edge takes no such target.
    assert answer.status == (400 if path.startswith("//") else 404)
    assert f"did you mean {MEANT[path]}?" in error["message"]


@pytest.mark.parametrize("path", HOPELESS)
async def test_a_path_beyond_guessing_is_told_so(till: Till, path: str):
    error = refused(await till.ask(request(path, BODY, BEARER)), 404)
    assert (error["type"], error["code"]) == ("not_found", "not_found")
    assert error["message"].startswith("Invalid URL (POST /")


@pytest.mark.parametrize(
    ("path", "surface"),
    [
        ("/claude/v1/message", "messages"),
        ("/claude/v1/nothing", "messages"),
        ("/claude/v1/v1/messages", "messages"),
        ("/claude", "messages"),
        ("/v1/messages/nothing", "messages"),
        ("/v1beta/models/gpt-test:generateContents", "gemini"),
        ("/v1beta/nothing", "gemini"),
        ("/gemini/v1beta/nothing", "gemini"),
        ("/v1/responses/a/b/c", "responses"),
        ("/v1/images/nothing", "media"),
    ],
)
async def test_each_family_speaks_its_own_shape(till: Till, path: str, surface: str):
    error = refused(await till.ask(request(path, BODY, BEARER)), 404, surface)
    if surface == "messages":
        assert error["type"] == "not_found_error"
    if surface == "gemini":
        assert error["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("line", "surface"),
    [("/claude/v1/messages", "messages"), ("/v1beta/models/x:generateContent", "gemini")],
)
async def test_the_edge_speaks_each_familys_shape_too(till: Till, line: str, surface: str):
    refused(await till.ask(request(line, BODY, "host: b")), 400, surface)
    refused(await till.ask(request(line, BODY, "transfer-encoding: chunked")), 400, surface)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD"])
@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
async def test_a_wrong_method_names_the_right_one(till: Till, method: str, path: str):
    raw = request(path, b"", BEARER, method=method)
    answer = await till.ask(raw, head=method == "HEAD")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    if method != "HEAD":
        assert f"({method} {path})" in refused(answer, 405)["message"]


async def test_a_list_is_not_posted_to(till: Till):
    answer = await till.ask(request("/v1/models", BODY, BEARER))
    refused(answer, 405)
    assert answer.headers["allow"] == "GET,HEAD"


async def test_a_key_in_the_query_of_a_wrong_path_is_not_repeated(till: Till):
    answer = await till.ask(request(f"/v1/nothing?key={KEY}", BODY))
    assert KEY.encode() not in answer.body
    refused(answer, 404)
