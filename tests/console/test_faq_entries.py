"""The twin of console/faq_entries.py: lasting addresses, links that lead somewhere, enough answers."""

import re

import pytest

from tests.services.pages import House
from tollbridge.console.faq import CHAPTERS

ENTRIES = [entry for chapter in CHAPTERS for entry in chapter.entries]
_LINK = re.compile(r"\]\((/[^)#]*)(?:#([^)]*))?\)")
LINKS = {found for entry in ENTRIES for found in _LINK.findall(entry.answer)}
ELSEWHERE = {"/console/keys", "/console/keys/new", "/console/usage", "/console/wallet"}
"""Pages of others; that they are there is theirs to prove."""


def test_ids_are_lasting_words_and_each_is_there_once() -> None:
    ids = [entry.id for entry in ENTRIES]
    assert len(ids) == len(set(ids)) >= 25
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one) for one in ids)


def test_a_percent_sign_is_written_so_that_values_can_be_put_in() -> None:
    for entry in ENTRIES:
        assert entry.question % () == entry.question
        assert entry.answer % {"url": "u", "site": "s"}


@pytest.mark.parametrize(("path", "anchor"), sorted(LINKS))
async def test_links_lead_somewhere(house: House, path: str, anchor: str) -> None:
    if path in ELSEWHERE:
        return
    user_id = await house.user()
    async with house.browser(user_id) as browser:
        page = await browser.get(path)
    assert page.status_code == 200
    assert not anchor or f'id="{anchor}"' in page.text
