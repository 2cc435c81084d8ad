"""The twin of web/cookies.py: no neighbour plants one, no script reads one."""

from http.cookies import SimpleCookie

import pytest
from starlette.requests import Request
from starlette.responses import Response

from tollbridge.web.cookies import (
    FLOW,
    LANGUAGE,
    SAID,
    SESSION,
    THEME,
    drop_cookie,
    get_cookie,
    set_cookie,
    trustworthy,
)

NAMES = (SESSION, LANGUAGE, THEME, SAID, FLOW)


def planted(cookie: str) -> Request:
    return Request({"type": "http", "headers": [(b"cookie", cookie.encode())]})


@pytest.mark.parametrize(
    ("site_url", "expected"),
    [
        ("https://site.test", True), ("https://192.0.2.1:8443", True), ("http://localhost:1", True),
        ("http://127.0.0.1:8080", True), ("http://[::1]:8080", True), ("http://site.test", False),
        ("http://localhost.evil.test", False), ("http://192.0.2.1", False), ("", False),
    ],
)  # fmt: skip
def test_where_browsers_keep_secure_cookies(site_url: str, expected: bool):
    assert trustworthy(site_url) is expected


@pytest.mark.parametrize("name", NAMES)
def test_by_https_a_cookie_is_bound_to_this_host(name: str):
    response = Response()
    set_cookie(response, name, "value", "https://site.test")
    ((key, morsel),) = SimpleCookie(response.headers["set-cookie"]).items()
    assert key == f"__Host-{name}" and morsel.value == "value"
    assert (morsel["path"], morsel["domain"], morsel["samesite"]) == ("/", "", "lax")
    assert morsel["secure"] and morsel["httponly"] and int(morsel["max-age"]) >= 60
    assert get_cookie(planted(f"__Host-{name}=value"), name, "https://site.test") == "value"


@pytest.mark.parametrize("name", NAMES)
def test_by_plain_http_it_has_another_name(name: str):
    response = Response()
    set_cookie(response, name, "value", "http://site.test")
    ((key, morsel),) = SimpleCookie(response.headers["set-cookie"]).items()
    assert key == name and not morsel["secure"] and morsel["httponly"]


def test_what_was_planted_by_plain_http_does_not_count_by_https():
    assert get_cookie(planted("session=stolen"), SESSION, "https://site.test") == ""
    assert get_cookie(planted("__Host-session=s"), SESSION, "http://site.test") == ""


@pytest.mark.parametrize("site_url", ["https://site.test", "http://site.test"])
def test_a_cookie_is_taken_away_as_it_was_set(site_url: str):
    kept, gone = Response(), Response()
    set_cookie(kept, SESSION, "v", site_url)
    drop_cookie(gone, SESSION, site_url)
    ((name, one),) = SimpleCookie(kept.headers["set-cookie"]).items()
    ((other, two),) = SimpleCookie(gone.headers["set-cookie"]).items()
    assert name == other and two["max-age"] == "0" and two.value == ""
    for attribute in ("path", "domain", "secure", "httponly", "samesite"):
        assert one[attribute] == two[attribute]
