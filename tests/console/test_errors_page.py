"""The twin of console/errors_page.py: no error without what it means and what to do."""

import re

import pytest

from tests.services.pages import House
from tollbridge.console.error_words import GLANCE, MEANINGS
from tollbridge.console.errors_page import glance_of, shown_of
from tollbridge.core.errors import CATALOGUE, CODE_TEXTS, Kind, Profile, effective
from tollbridge.core.language import translations

STATUSES = (401, 403, 404, 429, 500, 502, 503, 504)
"""What the page must help with, whatever the profile."""


@pytest.mark.parametrize("profile", Profile)
def test_every_kind_has_its_meaning_and_what_to_do(profile: Profile) -> None:
    shown = {one.kind: one for one in shown_of(profile)}
    assert set(shown) == {kind.value for kind in Kind} == {kind.value for kind in MEANINGS}
    for kind in Kind:
        one = shown[kind.value]
        assert one.meaning.endswith(".") and one.fix and one.message
        assert one.seen == effective(kind, profile)
    assert [one.seen.status for one in shown_of(profile)] == sorted(
        effective(kind, profile).status for kind in Kind
    )


@pytest.mark.parametrize("profile", Profile)
def test_every_status_has_what_to_do(profile: Profile) -> None:
    glance = dict(glance_of(profile))
    assert set(glance) >= {effective(kind, profile).status for kind in Kind} | set(STATUSES)
    for advice in glance.values():
        assert advice.meaning and advice.cause and advice.fix
    assert set(GLANCE) >= {row.status for row in CATALOGUE.values()}


@pytest.mark.parametrize("profile", Profile)
async def test_the_page_has_every_kind_and_code_once(house: House, profile: Profile) -> None:
    await house.set_site(error_profile=profile.value)
    async with house.browser() as browser:
        page = await browser.get("/docs/errors")
    assert page.status_code == 200
    ids = re.findall(r'\bid="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))
    codes = {effective(kind, profile).code for kind in Kind}
    assert set(ids) >= {kind.value for kind in Kind} | codes | set(CODE_TEXTS)
    marked = page.text.split("this site")[0].rsplit("<a ", 1)[1]
    assert f">{profile.value}</a>" in marked


async def test_another_profile_can_be_looked_at(house: House) -> None:
    async with house.browser() as browser:
        legacy = await browser.get("/docs/errors?profile=legacy")
        odd = await browser.get("/docs/errors?profile=%3Cscript%3E")
    assert "insufficient_user_quota" in legacy.text
    assert "This site uses the profile strict" in legacy.text
    # The advice that customers of that dialect know.
    assert "Re-copy the Key" in legacy.text
    assert odd.status_code == 200 and "insufficient_user_quota" not in odd.text


def test_what_to_do_can_be_translated() -> None:
    # The empty text would be answered with the header of the catalogue.
    assert all(translations("zh_Hans").gettext(row.fix) for row in CATALOGUE.values())
    assert all(row.fix for row in CATALOGUE.values())
