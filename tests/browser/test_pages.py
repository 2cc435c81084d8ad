"""Every page in both languages, both themes and both widths: nothing fails, sticks out or is unreadable."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import httpx2
import pytest
from playwright.sync_api import Browser

from tests.browser import walk
from tests.browser.crowd import LONG, Crowd
from tests.browser.layout import axe_faults, layout_faults
from tests.browser.people import NARROW, WIDE, Look, Person, session_of, somebody
from tests.browser.shots import Shots
from tests.browser.stage import Stage

AREAS = {
    "visitor": walk.for_visitors,
    "customer": walk.for_users,
    "admin": walk.for_operators,
}
LOOKS = [Look(*pair) for pair in product(("en", "zh_Hans"), ("light", "dark"))]
# What a page is asked for besides, because it is another one then.
MORE = {
    "/console": ("?days=90&by=key",),
    "/console/usage": ("?status=failed", "?from=2026-02-01&to=2026-01-01"),
    "/backoffice/users": ("?q=suspended",),
}


def cookie_of(stage: Stage, crowd: Crowd, area: str) -> str:
    user_id = {"customer": crowd.customer, "admin": crowd.admin}.get(area)
    return session_of(stage, user_id) if user_id else ""


@contextmanager
def asked(stage: Stage, session: str) -> Iterator[httpx2.Client]:
    headers = {"cookie": f"__Host-session={session}"} if session else {}
    with httpx2.Client(
        base_url=stage.url, headers=headers, trust_env=False, timeout=30, follow_redirects=True
    ) as client:
        yield client


@pytest.fixture(scope="module")
def found(crowded: tuple[Stage, Crowd]) -> dict[str, walk.Found]:
    stage, crowd = crowded
    made = {}
    for area, paths in AREAS.items():
        with asked(stage, cookie_of(stage, crowd, area)) as client:
            made[area] = walk.Walk(client, paths()).go()
    return made


@pytest.mark.parametrize("area", AREAS)
def test_every_declared_page_is_reached(area: str, found: dict[str, walk.Found]) -> None:
    assert found[area].missing == []


def test_nobody_is_excused_who_is_not_there() -> None:
    assert set(walk.EXCUSED) <= {*walk.for_visitors(), *walk.for_users(), *walk.for_operators()}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look.language}-{look.theme}")
def test_a_page_is_in_order(
    look: Look,
    area: str,
    chromium: Browser,
    crowded: tuple[Stage, Crowd],
    found: dict[str, walk.Found],
    shots: Shots,
) -> None:
    stage, crowd = crowded
    faults = []
    with somebody(chromium, stage, look, cookie_of(stage, crowd, area)) as person:
        for path, link in found[area].pages.items():
            for query in ("", *MORE.get(path, ())):
                faults += seen(person, link + query, path + query, look, area, shots)
        for link in known(area, crowd):
            faults += seen(person, link, link, look, area, shots)
    assert not faults, "\n" + "\n".join(faults) + f"\npictures: {shots.folder}"


def known(area: str, crowd: Crowd) -> Iterator[str]:
    """Yield addresses of pages that have more to show than those that are found first."""
    if area == "admin":
        yield f"/backoffice/users/{crowd.customer}"
        yield f"/backoffice/codes?batch={LONG[:-3]}-00"


def seen(
    person: Person, link: str, path: str, look: Look, area: str, shots: Shots
) -> Iterator[str]:
    """Yield what is wrong with a page, as wide as a desk's and as narrow as a pocket's."""
    page = person.page
    page.set_viewport_size(WIDE)
    answer = page.goto(link)
    # A filter that cannot be used is answered by the page itself, which is looked at as well.
    faults = [f"status {answer.status}"] if answer.status >= 400 and answer.status != 422 else []
    for size in (WIDE, NARROW):
        page.set_viewport_size(size)
        found = [f"{size['width']}: {one}" for one in layout_faults(page)]
        shots.take(page, look, area, path, faulty=bool(found))
        faults += found
    faults += [one for one in person.heard() if answer.status < 400 or "status of 422" not in one]
    # The colours of the dark theme are the same ones in either language.
    if look.theme == "light" or look.language == "en":
        faults += axe_faults(page, colours_only=look.theme == "dark")
        person.heard()
    yield from (f"{link} ({look.language}, {look.theme}): {one}" for one in faults)
