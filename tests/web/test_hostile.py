"""What a browser in the wrong hands may send to any page: none fails, none leads away, none is kept."""

from http.cookies import SimpleCookie
from itertools import count
from urllib.parse import quote_plus, urlencode

import httpx2
import pytest

from tests.backoffice.filled import forms_in
from tests.services.hostile import declared, furnished
from tests.services.pages import COOKIE, SITE, House
from tollbridge.storage.counters_memory import MemoryCounters

VALUES = (
    "\0", "-1", str(2**63), "٣٤", "9" * 5000, "1e9", "2100-01-01", "0001-01-01", "\u202e\ud7ff", "[",
    "9999-12-31T23:59", "../..", "%s %(x)s %", "<b>", "2099-12-31", "http://[", "a\r\nx: y",
)  # fmt: skip
QUERIES = (
    "account", "action", "actor", "after", "batch", "before", "by", "channel", "days", "error",
    "from", "group", "invite", "key", "kind", "least", "model", "month", "next", "period", "platform",
    "profile", "provider", "q", "role", "skip", "state", "status", "subject", "tid", "to", "token",
    "until", "upto", "user", "zone",
)  # fmt: skip
AWAY = (
    "https://evil.test", "//evil.test", "/\\evil.test", "\\\\evil.test", "/\t/evil.test", " //evil.test",
    "javascript:alert(1)", "/%5cevil.test/\\", "///evil.test", "http:evil.test", "/\r\nx: y",
    "/ü", "/" + "x" * 600, "data:text/html,x", "@evil.test", "?x", "",
)  # fmt: skip
SPOILT = (
    *VALUES, "", "a\0b", str(2**64), "\uff11\uff12", '{"a": "\\ud800"}', '{"a": "\\u0000"}', '{"a": 1e999}', "NaN",
    "x = y\0", "0.0.0.0/99", "*" * 64, "x: y\r\nz: a", "99999999999.999999999", "\U0001f389" * 64,
)  # fmt: skip
DAMAGED = (b"\xff\xfe", b"name=%ff", b"%", b"&&&", b"a=1&" * 600, b"=", b"x" * 300_000, b"name=%00")
_OPEN = (200, 303, 403, 404, 405, 410, 415, 422)


def raising_nothing(house: House) -> httpx2.ASGITransport:
    """Return a way to the site that answers a fault as a server does."""
    return httpx2.ASGITransport(house.app, raise_app_exceptions=False, client=("192.0.2.7", 1234))


def fresh(house: House) -> None:
    """Open all doors again that were knocked at too often."""
    house.services.doors._counters = MemoryCounters()


async def test_no_address_makes_a_page_fail(house: House) -> None:
    world = await furnished(house)
    async with house.browser(world.admin) as browser:
        browser._transport = raising_nothing(house)
        for path in declared("GET"):
            for value in VALUES:
                query = "&".join(
                    f"{name}={quote_plus(value)}" for name in QUERIES if len(value) < 99
                )
                for one in (query, f"q={quote_plus(value)}&tid={quote_plus(value)}"):
                    answer = await browser.get(f"{world.path(path)}?{one}")
                    fresh(house)
                    assert answer.status_code < 500, (path, value[:20], answer.status_code)


async def test_no_form_makes_a_page_fail(house: House) -> None:
    """Every form as its page has it, with one field spoilt at a time; each value comes up in turn."""
    world = await furnished(house)
    turn, sent = count(), 0
    async with house.browser(world.admin) as browser:
        browser._transport = raising_nothing(house)
        forms: dict[str, dict[str, list[str]]] = {}
        for path in declared("GET"):
            answer = await browser.get(world.path(path))
            forms |= forms_in(answer.text)
        for path in (world.path(path) for path in declared("POST")):
            fields = forms.get(path, {})
            for name in (*fields, "name"):
                body = urlencode({**fields, name: SPOILT[next(turn) % len(SPOILT)]}, doseq=True)
                await post(house, browser, path, body.encode())
                sent += 1
            for body in DAMAGED:
                await post(house, browser, path, body)
            browser.cookies.set(COOKIE, await house.session(world.admin), domain="site.test")
    assert sent > 200


async def post(house: House, browser: httpx2.AsyncClient, path: str, body: bytes) -> None:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = await browser.post(path, content=body, headers=kind)
    fresh(house)
    assert answer.status_code < 500, (path, body[:200], answer.status_code)


async def test_no_method_makes_a_page_fail_and_none_is_kept(house: House) -> None:
    world = await furnished(house)
    async with house.browser(world.admin) as browser:
        browser._transport = raising_nothing(house)
        for path in sorted({*declared("GET"), *declared("POST")} - {"/sign-out"}):
            for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "BREW"):
                answer = await browser.request(method, world.path(path))
                fresh(house)
                assert answer.status_code in _OPEN or answer.status_code == 204, (method, path)
                assert method in ("GET", "HEAD") or answer.status_code == 405, (method, path)
                assert method != "HEAD" or not answer.content, path
                kept = answer.headers["cache-control"]
                assert kept == "no-store" or path in ("/status", "/status.json"), (path, kept)
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("wish", AWAY)
async def test_no_way_on_leaves_the_site(house: House, wish: str) -> None:
    user = await house.user(password="ten letters or more")
    seen = 0
    for who, method, path, field in (
        (user, "GET", "/sign-in", "next"),
        (None, "GET", "/sign-in/second", "next"),
        (None, "POST", "/sign-in", "next"),
        (user, "POST", "/prove", "next"),
        (user, "POST", "/sign-out", "next"),
        (None, "POST", "/console/theme", "back"),
        (None, "POST", "/console/language", "back"),
    ):
        given = {field: wish}
        form = {**given, "email": "ann@example.com", "password": "ten letters or more"}
        form |= {"theme": "dark", "language": "en"}
        async with house.browser(who) as browser:
            if method == "GET":
                answer = await browser.get(path, params=given)
            else:
                answer = await browser.post(path, data=form)
            fresh(house)
        assert answer.status_code == 303, (method, path, answer.status_code)
        there = httpx2.URL(f"{SITE}{path}").join(answer.headers["location"])
        assert there.host == "site.test" and there.scheme == "https", answer.headers["location"]
        assert "evil" not in answer.headers["location"]
        seen += 1
    assert seen == 7


async def test_every_cookie_is_for_this_host_and_no_script(house: House) -> None:
    await house.user(password="ten letters or more")
    await house.set_site(sign_up="open")
    person = {"email": "ann@example.com", "password": "ten letters or more", "terms": "1"}
    names = set()
    async with house.browser() as browser:
        for path, form in (
            ("/console/theme", {"theme": "dark"}),
            ("/console/language", {"language": "en"}),
            ("/sign-up", person),
            ("/sign-in", person),
            ("/console/profile/place", {"language": "en", "zone": "UTC"}),
            ("/sign-out", {}),
            ("/console", None),
        ):
            answer = (
                await browser.post(path, data=form) if form is not None else await browser.get(path)
            )
            for text in answer.headers.get_list("set-cookie"):
                (cookie,) = SimpleCookie(text).values()
                assert cookie.key.startswith("__Host-"), text
                assert cookie["httponly"] and cookie["secure"] and cookie["path"] == "/", text
                assert cookie["samesite"].lower() == "lax" and not cookie["domain"], text
                names.add(cookie.key)
    assert names == {"__Host-theme", "__Host-language", "__Host-flow", COOKIE, "__Host-said"}


async def test_static_files_are_those_of_the_package_alone(house: House) -> None:
    async with house.browser() as browser:
        for name in (
            "../web/site.py", "..%2fweb%2fsite.py", "%2e%2e/web/site.py", "..%5cweb%5csite.py",
            "/etc/passwd", "%2fetc%2fpasswd", "app.css%00.js", "app.css/", "./app.css", "x" * 9000,
            "....//app.css", "%ff", "file:///etc/passwd", "APP.CSS",
        ):  # fmt: skip
            answer = await browser.get(f"/static/1/{name}")
            # What a client makes shorter before it asks is no page either.
            assert answer.status_code in (404, 400) or name == "./app.css", name
            assert "root:x:" not in answer.text and "import" not in answer.text, name
        assert (await browser.get("/static/1/app.css")).status_code == 200


async def test_an_address_of_any_length_is_answered(house: House) -> None:
    user = await house.user()
    async with house.browser(user) as browser:
        for path in (
            "/console/keys/" + "9" * 60_000,
            "/console/usage/" + "f" * 60_000,
            "/" + "a/" * 30_000,
        ):
            assert (await browser.get(path)).status_code == 404
        for name in ("q", "next", "key", "month", "tid"):
            for page in ("/console/usage", "/console/channels", "/docs/faq", "/sign-in", "/prove"):
                answer = await browser.get(f"{page}?{name}={'y' * 50_000}")
                assert answer.status_code in (200, 303, 404, 422), (page, name)
                assert len(answer.headers.get("location", "")) < 2_000


async def test_no_id_makes_a_page_fail(house: House) -> None:
    user = await house.user("root@example.com", "admin")
    ids = ("0", "-1", str(2**63), str(2**63 - 1), "9" * 400, "%D9%A3", "a", "%00", "..%2f", "%ff",
           "1.0", "f" * 32, "f" * 32 + "%00", "9999-01.csv", "0000-01.pdf", "2026-13.html")  # fmt: skip
    async with house.browser(user) as browser:
        browser._transport = raising_nothing(house)
        browser.headers["content-type"] = "application/x-www-form-urlencoded"
        for method in ("GET", "POST"):
            for path in (path for path in declared(method) if "{" in path):
                for one in ids:
                    real = "/".join(one if "{" in step else step for step in path.split("/"))
                    answer = await browser.request(
                        method, real, content=b"wait=" if method == "POST" else None
                    )
                    fresh(house)
                    assert answer.status_code in (303, 404, 422), (method, real, answer.status_code)
