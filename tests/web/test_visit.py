"""The twin of web/visit.py: one request, answered in its language, and never sent off this site."""

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tests.services.pages import SITE, House
from tollbridge.core.clock import now_ms
from tollbridge.identity.doors import Door
from tollbridge.identity.scopes import Scope
from tollbridge.identity.sessions import Session
from tollbridge.web.pages import ANYBODY, SIGNED_IN, Pages
from tollbridge.web.site import make_site
from tollbridge.web.visit import Visit, own_path

PATHS = st.text() | st.lists(
    st.sampled_from([*("/", "\\", "//", "evil.test", "https:", "@", "\t", "\n", "%2f", "%5c", "?", "#"),
                    *("..", ".", ":", "javascript:", "a", "\x00", "[", "]", ";", " ", "\u2044")])
).map("".join)  # fmt: skip


@given(PATHS | PATHS.map("/".__add__))
@example("//evil.test")
@example("/\\evil.test")
@example("/\t/evil.test")
@example("https://evil.test")
@example("/[")
def test_nobody_is_sent_to_another_site(wish: str):
    path = own_path(wish, "/otherwise")
    parts = urlsplit(path)
    assert (parts.scheme, parts.netloc) == ("", "") and path.startswith("/")
    assert urlsplit(urljoin(f"{SITE}/sign-in", path)).netloc == "site.test"
    # Browsers read \ as / and drop tabs and line ends.
    assert not path.replace("\\", "/").startswith("//")
    assert path.isprintable() and path.isascii() and len(path) <= 500
    assert path in (wish, "/otherwise")


@pytest.mark.parametrize("wish", ["/", "/console/keys?new=1#a", "/docs/a-b_c.d~e", "/x?next=//y"])
def test_paths_of_this_site_are_kept(wish: str):
    assert own_path(wish, "/otherwise") == wish


@pytest.mark.parametrize("wish", ["", "console", "//x", "/\\x", "/a\\b", "/é", "/a\nb", "/" * 501])
def test_anything_else_is_not(wish: str):
    assert own_path(wish, "/otherwise") == "/otherwise"


def visit(
    house: House,
    session: Session | None = None,
    query: bytes = b"q=1",
    path_params: Mapping[str, str] | None = None,
    **headers: str,
) -> Visit:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http", "method": "GET", "path": "/here", "query_string": query,
        "headers": [(b"host", b"site.test"), *pairs], "client": ("192.0.2.7", 1),
        "scheme": "https", "server": ("site.test", 443), "state": {"tid": "t"},
        "path_params": path_params or {},
    }  # fmt: skip
    return Visit(Request(scope), house.services, session)


def signed_in(role: str = "user", **more) -> Session:
    at_ms = now_ms()
    values = dict.fromkeys(("created_ms", "seen_ms", "proved_ms"), at_ms) | {
        "id": 1, "stage": "full", "user_id": 2, "email": "ann@example.com", "role": role,
        "group": "default", "wallet_id": 3, "language": None, "zone": None, "second_factor": False,
    }  # fmt: skip
    return Session(**{**values, **more})


async def test_a_parameter_that_no_database_can_look_for_is_refused(house: House):
    asked = visit(house, query=b"q=a%00b")
    with pytest.raises(HTTPException) as refused:
        asked.query("q")
    assert refused.value.status_code == 400


@pytest.mark.parametrize("text", ["x", "-1", "", "\0", "9" * 19, "9" * 5000])
async def test_a_path_without_an_id_leads_nowhere(house: House, text: str):
    asked = visit(house, path_params={"id": text, "tid": text})
    for read in (lambda: asked.id, lambda: asked.call_tid):
        with pytest.raises(HTTPException) as refused:
            read()
        assert refused.value.status_code == 404


async def test_ids_of_a_path(house: House):
    tid = "0a" * 16
    asked = visit(house, path_params={"id": str(2**63 - 1), "tid": tid})
    assert (asked.id, asked.call_tid) == (2**63 - 1, tid)


async def test_the_language_is_the_browsers_choice_then_the_profiles_then_its_header(house: House):
    chinese = signed_in(language="zh_Hans")
    assert visit(house).language == "en"
    assert visit(house, accept_language="zh-CN").language == "zh_Hans"
    assert visit(house, chinese, accept_language="en").language == "zh_Hans"
    assert visit(house, chinese, cookie="__Host-language=en").language == "en"
    assert visit(house, cookie="__Host-language=xx", accept_language="zh").language == "zh_Hans"
    assert visit(house, cookie="language=zh_Hans").language == "en"


async def test_who_it_is_and_from_where(house: House):
    nobody = visit(house, user_agent="x" * 999)
    assert (nobody.zone.key, nobody.tid, nobody.address) == ("UTC", "t", "192.0.2.7")
    assert nobody.agent == "x" * 200 and nobody.query("q") == "1" and nobody.query("none") == ""
    ann = visit(house, signed_in(zone="Asia/Shanghai"))
    assert ann.zone.key == "Asia/Shanghai"
    assert (ann.actor.user_id, ann.actor.name, ann.actor.via) == (2, "ann@example.com", "console")
    with pytest.raises(AssertionError):
        visit(house).user  # noqa: B018 -- the look is what is tested


async def test_what_a_role_may_do(house: House):
    assert not visit(house).may(Scope.USERS_READ)
    assert not visit(house, signed_in()).may("users:read")
    assert visit(house, signed_in("staff")).may("users:read")
    assert not visit(house, signed_in("staff")).may("users:write")
    assert visit(house, signed_in("admin")).may("users:write")


async def test_strangers_come_back_where_they_were_going(house: House):
    assert visit(house).sign_in_first().headers["location"] == "/sign-in?next=%2Fhere%3Fq%3D1"


async def test_the_way_back_has_the_parameters_of_a_page(house: House):
    assert visit(house).here == "/here?q=1"
    async with house.browser() as browser:
        page = (await browser.get("/sign-in?next=/console/keys")).text
        assert page.count('name="back" value="/sign-in?next=/console/keys"') == 2
        faulty = (await browser.post("/sign-in?x=1", data={})).text
    assert faulty.count('name="back" value="/sign-in"') == 2


@pytest.mark.parametrize(
    ("page", "back"),
    [
        ("https://site.test/console?days=7", "%2Fconsole%3Fdays%3D7"),
        ("https://site.test//elsewhere.test", "%2Fconsole"),
        ("http://[", "%2Fconsole"),
        ("", "%2Fconsole"),
    ],
)
async def test_a_page_whose_part_a_stranger_asks_for_is_left(house: House, page: str, back: str):
    refused = visit(house, hx_request="true", hx_current_url=page).sign_in_first()
    assert (refused.status_code, refused.body) == (401, b"")
    assert refused.headers["hx-redirect"] == f"/sign-in?next={back}"


async def test_words_are_shown_once_on_the_next_page(house: House):
    async def do(visit: Visit):
        return visit.go("/status", said="saved", page="2")

    async def show(visit: Visit):
        return visit.show("error.html", 404)

    pages = Pages()
    pages.post("/status", ANYBODY)(do)
    pages.get("/status", ANYBODY)(show)
    house.app = with_state(make_site(house.services, (pages,)))
    async with house.browser() as browser:
        done = await browser.post("/status", data={})
        assert (done.status_code, done.headers["location"]) == (303, "/status?page=2")
        assert "Saved." in (await browser.get("/status")).text
        assert "Saved." not in (await browser.get("/status")).text
        planted = await browser.get("/status", headers={"cookie": "__Host-said=You+won"})
        assert planted.status_code == 404 and "You" not in planted.text


async def test_a_door_answers_429_and_says_when_to_come_back(house: House):
    async def knock(visit: Visit):
        await visit.knock(Door("test", 2), visit.address)
        return visit.go("/")

    pages = Pages()
    pages.get("/status", ANYBODY)(knock)
    house.app = with_state(make_site(house.services, (pages,)))
    async with house.browser() as browser:
        answers = [await browser.get("/status") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [303, 303, 429]
    assert int(answers[2].headers["retry-after"]) >= 1
    assert "Too many tries" in answers[2].text


async def test_a_part_of_a_page_is_for_who_has_the_rest(house: House):
    async def show(visit: Visit):
        if visit.partial:
            return visit.show_part("error.html", "title", 404)
        return visit.show("error.html", 404)

    pages = Pages()
    pages.get("/status", SIGNED_IN)(show)
    house.app = with_state(make_site(house.services, (pages,)))
    async with house.browser(await house.user()) as browser:
        whole = await browser.get("/status")
        part = await browser.get("/status", headers={"hx-request": "true"})
    assert "<html" in whole.text and part.text == "There is no such page"


def with_state(app):
    """Give requests the trace id that the server gives them."""

    async def stated(scope, receive, send):
        scope.setdefault("state", {})["tid"] = "t"
        await app(scope, receive, send)

    return stated
