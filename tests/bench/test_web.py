"""Visiting the pages of a generated database: every page answers and has a verdict."""

from bench.pages import TARGET_MS
from bench.rows import make
from bench.visitors import Visitors
from bench.web import Visited, addresses, first_visits, measure
from tests.services.control_plane import database_url
from tollbridge.backoffice.parts import PARTS as OFFICE
from tollbridge.console.parts import PARTS as CONSOLE
from tollbridge.identity.scopes import Scope
from tollbridge.web.pages import ANYBODY, SIGNED_IN, Pages, operator
from tollbridge.web.visit import Visit

__all__ = ["database_url"]


async def test_every_page_is_visited(database_url: str) -> None:
    await make(database_url, 4_000, days=2)
    heard: list[Visited] = []
    found = await measure(database_url, runs=1, tell=heard.append)
    assert heard == found
    assert len({page.name for page in found}) == len(found)
    paths = {
        route.path for part in (*CONSOLE, *OFFICE) for route in part.routes if _looked_at(route)
    }
    assert len(found) >= len(paths) > 30
    assert all(page.first > 0 and page.p95 > 0 and page.cpu > 0 for page in found)
    # Nobody was sent away from a page that shows how much was called.
    shown = {page.name for page in found if page.status == 200}
    assert {"/console", "/console/keys", "/console/usage", "/console/usage.csv"} <= shown
    assert {"/backoffice/users", "/backoffice/audit"} <= shown
    few = await measure(database_url, runs=1, only="/console/usage.csv")
    assert [page.name for page in few] == ["/console/usage.csv"]


def test_who_visits_what() -> None:
    pages = Pages()

    async def shown(visit: Visit):
        raise AssertionError(visit)

    pages.get("/open", ANYBODY)(shown)
    pages.get("/mine/keys/{id}/calls", SIGNED_IN)(shown)
    pages.get("/mine/{other}", SIGNED_IN)(shown)
    pages.get("/console/overview.csv", operator(Scope.USERS_READ))(shown)
    pages.get("/backoffice/accounts/new", operator(Scope.USERS_READ))(shown)
    pages.post("/mine", SIGNED_IN)(shown)
    visitors = Visitors("heavy", "admin", {"keys": ("7", "8"), "channels": ("9",)})
    assert list(addresses([pages], visitors)) == [
        ("/open", ""),
        ("/mine/keys/7/calls", "heavy"),
        ("/mine/keys/8/calls", "heavy"),
        ("/mine/0", "heavy"),
        ("/console/overview.csv", "admin"),
        ("/console/overview.csv?days=90&by=key", "admin"),
        ("/backoffice/accounts/new", "admin"),
        ("/backoffice/accounts/new?channel=9", "admin"),
    ]


def test_a_broken_page_is_not_ok() -> None:
    quick = Visited("a", 1.0, 1.0, 1.0, 200, 3.0)
    slow = Visited("b", 1.0, TARGET_MS + 1, 1.0, 200, 9.0)
    broken = Visited("c 500", 1.0, 1.0, 1.0, 500, 1.0)
    assert (quick.ok, slow.ok, broken.ok) == (True, False, False)
    assert (slow.broken, broken.broken) == (False, True)
    assert first_visits([quick, slow, broken]) == "first visits, ms: median 3.0, most 9.0 (b)"


def _looked_at(route) -> bool:
    return "GET" in route.methods
