"""The twin of console/faq.py: every question is found by its words, its address, in any language."""

import pytest

from tests.services.pages import House
from tollbridge.console.faq import CHAPTERS

ENTRIES = [entry for chapter in CHAPTERS for entry in chapter.entries]


async def test_all_are_shown_with_the_address_of_this_site(house: House) -> None:
    async with house.browser() as browser:
        page = await browser.get("/docs/faq")
    assert page.status_code == 200
    for entry in ENTRIES:
        assert f'id="{entry.id}"' in page.text
    assert "https://site.test/v1" in page.text and "%(" not in page.text
    assert page.text.count("<article") == len(ENTRIES)


@pytest.mark.parametrize(
    ("wish", "found", "not_found"),
    [
        ("429", "rate-429", "gemini-url"),
        ("ROLE contents", "gemini-400", "rate-429"),
        ("  refund ", "refund", "gemini-400"),
    ],
)
async def test_a_search_shows_what_has_every_word(
    house: House, wish: str, found: str, not_found: str
) -> None:
    async with house.browser() as browser:
        page = await browser.get("/docs/faq", params={"q": wish})
    assert f'id="{found}"' in page.text and f'id="{not_found}"' not in page.text


async def test_nothing_found_says_so_and_shows_what_was_asked_harmlessly(house: House) -> None:
    async with house.browser() as browser:
        page = await browser.get("/docs/faq", params={"q": '"><script>x'})
    assert page.status_code == 200
    assert "Nothing matches" in page.text and "<script>x" not in page.text
