"""What guards every page, whoever asks."""

import httpx2
import pytest
from starlette.responses import Response

from tests.services.pages import SITE, House
from tollbridge.api.traced import Traced
from tollbridge.backoffice.parts import PARTS as OFFICE
from tollbridge.console.parts import PARTS as CONSOLE
from tollbridge.storage.engine import BadData
from tollbridge.web.lazy import SEGMENTS
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.site import make_site, paths_of
from tollbridge.web.visit import Visit

PARTS = (*CONSOLE, *OFFICE)


def test_every_page_is_found_by_the_first_part_of_its_path() -> None:
    assert paths_of(PARTS) <= SEGMENTS


async def test_a_page_that_is_not_there_says_so_in_html_with_its_trace_id(house: House) -> None:
    async with house.browser() as browser:
        answer = await browser.get("/console/nothing")
    assert answer.status_code == 404
    assert answer.headers["x-request-id"] in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'self'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("error", "status"), [(BadData(), 400), (OSError(), 503), (RuntimeError(), 500)]
)
async def test_who_is_at_fault_is_told_apart(house: House, error: Exception, status: int) -> None:
    broken = Pages()

    @broken.get("/broken", ANYBODY)
    async def fail(_visit: Visit) -> Response:
        raise error

    app = Traced(make_site(house.services, [broken]))
    site = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=site, base_url=SITE) as browser:
        answer = await browser.get("/broken")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_form_of_another_site_is_refused(house: House) -> None:
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ):
        async with house.browser() as browser:
            answer = await browser.post("/console/theme", data={"theme": "dark"}, headers=headers)
        assert answer.status_code == 403, headers
    async with house.browser() as browser:
        del browser.headers["sec-fetch-site"]
        bare = await browser.post("/console/theme", data={"theme": "dark"})
        other = await browser.post(
            "/console/theme", data={"theme": "dark"}, headers={"origin": "https://site.test.evil"}
        )
        own = await browser.post(
            "/console/theme", data={"theme": "dark"}, headers={"origin": "https://site.test"}
        )
    assert (bare.status_code, other.status_code, own.status_code) == (403, 403, 303)


async def test_pages_that_need_somebody_send_strangers_to_sign_in(house: House) -> None:
    needing = [
        (method, path)
        for part in PARTS
        for (method, path), need in part.needs.items()
        if need is not ANYBODY and need.signed_in
    ]
    async with house.browser() as browser:
        for method, path in needing:
            real = path.replace("{id}", "1").replace("{", "").replace("}", "")
            answer = await browser.request(method, real, data={} if method == "POST" else None)
            assert answer.status_code == 303, (method, path)
            assert answer.headers["location"].startswith("/sign-in"), (method, path)
