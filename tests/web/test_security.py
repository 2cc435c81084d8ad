"""The twin of web/security.py: a form is taken from our own pages alone; every answer is guarded."""

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

from tests.services.pages import House
from tollbridge.web.assets import asset_url
from tollbridge.web.security import Guarded, from_here

PIECES = [
    "http",
    "https",
    "://",
    "site.test",
    "[",
    "]",
    ":443",
    "@",
    "null",
    "/",
    "\\",
    ".evil",
    "",
]
ORIGINS = st.lists(st.sampled_from(PIECES)).map("".join) | st.text(st.characters(max_codepoint=255))


def browser(site_url: str = "https://site.test", widget: str = "") -> httpx2.AsyncClient:
    app = Guarded(PlainTextResponse("a page"), site_url, widget)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://site.test")


@given(ORIGINS)
@example("http://[")
@example("null")
@example("https://site.test")
def test_an_origin_is_ours_or_not_and_never_an_error(origin: str):
    ours = from_here(Headers({"origin": origin, "host": "site.test"}))
    if ours:
        assert "://site.test" in f"{origin}/" or origin.lstrip().startswith("//site.test")
    assert not from_here(Headers({"origin": origin, "host": "other.test"})) or "other" in origin


@given(ORIGINS)
def test_without_a_host_nothing_is_ours(origin: str):
    assert not from_here(Headers({"origin": origin}))


@given(st.text(st.characters(max_codepoint=255)))
def test_what_the_browser_says_of_the_site_counts_alone(said: str):
    headers = Headers({"sec-fetch-site": said, "origin": "https://site.test", "host": "site.test"})
    assert from_here(headers) is (said == "same-origin")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
async def test_whatever_changes_something_must_come_from_here(method: str):
    async with browser() as client:
        refused = await client.request(method, "/")
        origin = await client.request(method, "/", headers={"origin": "http://["})
        taken = await client.request(method, "/", headers={"sec-fetch-site": "same-origin"})
    assert (refused.status_code, origin.status_code, taken.status_code) == (403, 403, 200)
    assert refused.headers["content-security-policy"] == taken.headers["content-security-policy"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_looking_is_free(method: str):
    async with browser() as client:
        answer = await client.request(method, "/", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200


async def test_every_answer_is_guarded():
    async with browser() as client:
        headers = (await client.get("/")).headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert policy["script-src"] == policy["style-src"] == policy["default-src"] == "'self'"
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["frame-src"] == "'none'" and policy["form-action"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "camera=()" in headers["permissions-policy"]


async def test_https_stays_https_where_there_is_https():
    async with browser() as client:
        assert (await client.get("/")).headers["strict-transport-security"] == "max-age=31536000"
    async with browser("http://127.0.0.1:1") as client:
        assert "strict-transport-security" not in (await client.get("/")).headers


async def test_a_captcha_may_load_its_script_and_frame_and_no_more():
    async with browser(widget="https://captcha.test") as client:
        policy = (await client.get("/")).headers["content-security-policy"]
    assert "script-src 'self' https://captcha.test;" in policy
    assert "frame-src https://captcha.test;" in policy
    assert policy.count("captcha.test") == 2


async def test_static_files_are_guarded_and_kept(house: House):
    async with house.browser() as client:
        pages = [await client.get(asset_url(name)) for name in ("app.js", "vendor/htmx.js")]
        pages.append(await client.get("/static/0/none.js"))
    for answer in pages:
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
        assert len(answer.headers.get_list("cache-control")) == 1
        assert "set-cookie" not in answer.headers
    assert [answer.headers["cache-control"] == "no-store" for answer in pages] == [
        False,
        False,
        True,
    ]


async def test_a_file_with_a_policy_of_its_own_keeps_it():
    answer = PlainTextResponse("a file", headers={"content-security-policy": "default-src 'none'"})
    transport = httpx2.ASGITransport(Guarded(answer, "https://site.test", ""))
    async with httpx2.AsyncClient(transport=transport, base_url="https://site.test") as client:
        headers = (await client.get("/")).headers
    assert headers.get_list("content-security-policy") == ["default-src 'none'"]
    assert headers["x-content-type-options"] == "nosniff"
