"""The twin of web/pages.py: a page is reached by who may, and by nobody else."""

import pytest
from sqlalchemy import select, update

from tests.services.pages import COOKIE, House
from tests.web.test_visit import with_state
from tollbridge.console import keys, legal
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import ROLE_SCOPES, Scope
from tollbridge.identity.sessions import IDLE_MS, PROOF_MS, SEEN_EVERY_MS, start_session
from tollbridge.storage.people_tables import sessions
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web.pages import ANYBODY, PROVED, SIGNED_IN, Pages, operator, parts_of
from tollbridge.web.site import make_site

NEEDS = {
    "/status": ANYBODY,
    "/console": SIGNED_IN,
    "/prove": PROVED,
    "/backoffice": operator(Scope.USERS_READ),
    "/setup": operator(Scope.SETTINGS_WRITE, proved=True),
}


@pytest.fixture
def site(house: House) -> House:
    """A site of pages that say who came, one for each need, to look at and to send forms to."""
    pages = Pages()

    async def answer(visit):
        return visit.go("/in", who=str(visit.session and visit.session.user_id))

    for path, need in NEEDS.items():
        pages.get(path, need)(answer)
        pages.post(path, need)(answer)
    house.app = with_state(make_site(house.services, (pages,)))
    return house


async def outcome(browser, method: str, path: str) -> str:
    """Return what becomes of a visit: "in", "sign in", "prove", or the status."""
    answer = await browser.request(method, path, data={} if method == "POST" else None)
    if answer.status_code != 303:
        return str(answer.status_code)
    place = answer.headers["location"].partition("?")[0]
    return {"/in": "in", "/sign-in": "sign in", "/prove": "prove"}[place]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_matrix_of_needs_and_visitors(site: House, method: str):
    for role in (None, "user", "staff", "admin"):
        who = role and await site.user(f"{role}@example.com", role)
        async with site.browser(who) as browser:
            for path, need in NEEDS.items():
                if not need.signed_in:
                    expected = "in"
                elif role is None:
                    expected = "sign in"
                elif need.scope is not None and need.scope not in ROLE_SCOPES[role]:
                    expected = "404"
                else:
                    expected = "in"
                assert await outcome(browser, method, path) == expected, (role, path)


async def test_an_old_proof_is_asked_for_again(site: House):
    admin = await site.user(role="admin")
    async with site.browser(admin) as browser:
        async with working(site.engine) as connection:
            old = update(sessions).values(proved_ms=now_ms() - PROOF_MS)
            await connection.execute(old)
        assert await outcome(browser, "GET", "/console") == "in"
        look = await browser.get("/setup?x=1")
        send = await browser.post("/setup", data={})
    assert look.headers["location"] == "/prove?next=%2Fsetup"
    assert send.headers["location"] == "/prove?next=%2Fconsole%2Fprofile"


async def test_who_may_not_enter_is_not_told_to_prove_anything(site: House):
    async with site.browser(await site.user()) as browser:
        async with working(site.engine) as connection:
            await connection.execute(update(sessions).values(proved_ms=0))
        assert await outcome(browser, "GET", "/setup") == "404"


async def test_a_session_that_waits_for_its_second_factor_is_nobody(site: House):
    user_id = await site.user()
    async with working(site.engine) as connection:
        token = await start_session(
            connection, site.secrets, user_id, "second", now_ms(), address="", agent=""
        )
    async with site.browser() as browser:
        browser.cookies.set(COOKIE, token, domain="site.test")
        assert await outcome(browser, "GET", "/console") == "sign in"
        assert (await browser.get("/status")).headers["location"] == "/in?who=None"


async def test_a_suspended_user_and_an_ended_session_are_nobody(site: House):
    async with site.browser(await site.user()) as browser:
        assert await outcome(browser, "GET", "/console") == "in"
        async with working(site.engine) as connection:
            await connection.execute(update(users).values(status="suspended"))
        assert await outcome(browser, "GET", "/console") == "sign in"
        async with working(site.engine) as connection:
            await connection.execute(update(users).values(status="active"))
            await connection.execute(update(sessions).values(seen_ms=now_ms() - IDLE_MS))
        assert await outcome(browser, "GET", "/console") == "sign in"


@pytest.mark.parametrize("cookie", ["", "x", "x" * 4_000, "%00", '"quoted"'])
async def test_a_planted_cookie_is_nobody(site: House, cookie: str):
    async with site.browser() as browser:
        answer = await browser.get("/console", headers={"cookie": f"{COOKIE}={cookie}"})
    assert answer.headers["location"].startswith("/sign-in")


async def test_a_visit_is_written_down_once_a_minute(site: House):
    async def seen() -> int:
        async with reading(site.engine) as connection:
            return (await connection.execute(select(sessions.c.seen_ms))).scalar_one()

    async with site.browser(await site.user()) as browser:
        first = await seen()
        await browser.get("/console")
        assert await seen() == first
        async with working(site.engine) as connection:
            await connection.execute(update(sessions).values(seen_ms=first - SEEN_EVERY_MS))
        await browser.get("/console")
        assert await seen() >= first


def test_every_page_says_what_it_needs():
    pages = Pages()

    async def handler(visit):
        raise AssertionError

    assert pages.get("/a", SIGNED_IN)(handler) is handler
    pages.post("/a", PROVED)(handler)
    assert pages.needs == {("GET", "/a"): SIGNED_IN, ("POST", "/a"): PROVED}
    assert [route.methods for route in pages.routes] == [{"GET", "HEAD"}, {"POST"}]
    with pytest.raises(TypeError):
        pages.get("/b")  # type: ignore[call-arg]


def test_files_of_pages_are_named_once() -> None:
    package = "tollbridge.console"
    assert parts_of(package, ("legal", "keys")) == (legal.pages, keys.pages)
    for name in ("nothing", "tokens"):
        with pytest.raises((ImportError, AttributeError), match=name):
            parts_of(package, (name,))
