"""Signing in with another site, from the button to the session; linking, and taking the link away."""

from typing import Any

from tests.console.elsewhere import (
    GO,
    JOIN,
    house,
    link,
    linked,
    provider,
    rows,
    running_provider,
    travelled,
    untouched,
    word_in,
)
from tests.services.oidc import Provider
from tests.services.pages import COOKIE, House
from tollbridge.storage.ledger_tables import purse
from tollbridge.storage.people_tables import external_identities, sessions
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import working

__all__ = ["house", "provider", "running_provider"]


async def test_the_sign_in_page_offers_the_sites_and_carries_on_where_to(house: House) -> None:
    async with house.browser() as browser:
        answer = await browser.get("/sign-in?next=/console/keys")
    assert 'href="/sign-in/with/own?next=/console/keys"' in answer.text
    assert "Continue with Own login" in answer.text and "Continue with GitHub" in answer.text


async def test_so_does_the_sign_up_page_where_one_may_sign_up(house: House) -> None:
    for mode, offered in (("open", True), ("invite", True), ("closed", False)):
        await house.set_site(sign_up=mode)
        async with house.browser() as browser:
            answer = await browser.get("/sign-up")
        assert ('href="/sign-in/with/own"' in answer.text) == offered


async def test_a_newcomer_agrees_and_is_somebody_with_a_bonus(
    house: House, provider: Provider
) -> None:
    async with house.browser() as browser:
        offered = await travelled(browser, provider, f"{GO}?next=/console/keys")
        assert "eve@example.com" in offered.text and "$1.00" in offered.text
        assert await untouched(house)
        word = word_in(offered)
        again = await browser.post(JOIN, data={"word": word})
        assert again.status_code == 422 and await untouched(house)
        answer = await browser.post(JOIN, data={"word": word, "terms": "1"})
        assert answer.status_code == 303 and answer.headers["location"] == "/console/keys"
        replay = await browser.post(JOIN, data={"word": word, "terms": "1"})
        assert replay.status_code == 400
    (user,) = await rows(house, users)
    assert (user["email"], user["role"], user["password_hash"]) == ("eve@example.com", "user", None)
    assert user["verified_ms"] and user["terms_version"] == "1" and user["terms_ms"]
    (identity,) = await rows(house, external_identities)
    assert (identity["provider"], identity["subject"]) == ("own", "person-1")
    (wallet,) = await rows(house, purse)
    assert (wallet["owner_id"], wallet["available"]) == (user["id"], 1_000_000_000)
    (session,) = await rows(house, sessions)
    assert session["stage"] == "full" and session["user_id"] == user["id"]


async def test_who_is_known_comes_in_as_a_new_session(house: House, provider: Provider) -> None:
    user_id = await house.user("somebody@example.net")
    await linked(house, user_id)
    async with house.browser(user_id) as browser:
        before = browser.cookies[COOKIE]
        answer = await travelled(browser, provider, f"{GO}?next=/console/keys")
        assert answer.headers["location"] == "/console/keys"
        assert browser.cookies[COOKIE] != before
    assert [one["user_id"] for one in await rows(house, sessions)] == [user_id]


async def test_the_second_factor_is_asked_for_all_the_same(
    house: House, provider: Provider
) -> None:
    await linked(house, await house.user(totp_secret="sealed"))
    async with house.browser() as browser:
        answer = await travelled(browser, provider)
        assert answer.headers["location"].startswith("/sign-in/second")
        assert (await browser.get("/console")).headers["location"].startswith("/sign-in")
    assert [one["stage"] for one in await rows(house, sessions)] == ["second"]


async def test_who_is_suspended_stays_out(house: House, provider: Provider) -> None:
    user_id = await house.user()
    async with working(house.engine) as connection:
        await connection.execute(users.update().values(status="suspended"))
    await linked(house, user_id)
    async with house.browser() as browser:
        answer = await travelled(browser, provider)
    assert answer.status_code == 403 and not await rows(house, sessions)


async def test_github_signs_in_too(house: House, provider: Provider) -> None:
    user_id = await house.user()
    await linked(house, user_id, "gh", "42")
    async with house.browser() as browser:
        answer = await travelled(browser, provider, "/sign-in/with/gh")
    assert answer.headers["location"] == "/console"
    assert [one["user_id"] for one in await rows(house, sessions)] == [user_id]


SHUT_OUT: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({}, {"email_verified": False}),
    ({}, {"email": None}),
    ({}, {"email": "no address@x"}),
    ({"sign_up": "closed"}, {}),
    ({"sign_up": "invite"}, {}),
    ({"sign_up": "open", "email_blocked": ["example.com"]}, {}),
    ({"email_blocked": [], "email_aliases": "refuse"}, {"email": "eve+a@example.com"}),
)


async def test_who_may_not_sign_up_may_not_by_this_way(house: House, provider: Provider) -> None:
    for site, options in SHUT_OUT:
        await house.set_site(**site)
        provider.reset()
        provider.tell(**options)
        async with house.browser() as browser:
            answer = await travelled(browser, provider)
        assert answer.status_code == 403 and "Create" not in answer.text, (site, options)
    assert await untouched(house)


async def test_domains_bind_even_who_is_known(house: House, provider: Provider) -> None:
    await linked(house, await house.user(), "staff")
    async with house.browser() as browser:
        refused = await travelled(browser, provider, "/sign-in/with/staff")
        provider.tell(email="eve@example.org", email_verified=False)
        unsure = await travelled(browser, provider, "/sign-in/with/staff")
        provider.tell(email_verified=True)
        answer = await travelled(browser, provider, "/sign-in/with/staff")
    assert (refused.status_code, unsure.status_code, answer.status_code) == (403, 403, 303)


async def test_a_no_of_the_other_site_is_a_page(house: House, provider: Provider) -> None:
    provider.tell(callback={"code": "", "error": "access_denied", "error_description": "WORDS"})
    async with house.browser() as browser:
        answer = await travelled(browser, provider)
    assert answer.status_code == 400 and "WORDS" not in answer.text
    assert "Own login did not confirm" in answer.text


async def test_a_site_that_is_down_is_a_page(house: House, provider: Provider) -> None:
    provider.tell(answers={"/.well-known/openid-configuration": [503, "WORDS"]})
    async with house.browser() as browser:
        answer = await browser.get(GO)
    assert answer.status_code == 502 and "WORDS" not in answer.text


async def test_a_user_links_another_site_and_comes_in_by_it(
    house: House, provider: Provider
) -> None:
    user_id = await house.user("eve@example.com", password="a password")
    async with house.browser(user_id) as browser:
        answer = await browser.get(await link(browser, provider))
        assert answer.headers["location"] == "/console/profile"
        await browser.get(await link(browser, provider))
    assert [one["user_id"] for one in await rows(house, external_identities)] == [user_id]
    async with house.browser() as browser:
        assert (await travelled(browser, provider)).status_code == 303


async def test_an_identity_is_taken_away_but_not_the_last_way_in(
    house: House, provider: Provider
) -> None:
    user_id, other = await house.user(), await house.user("other@example.com")
    gone_site = await linked(house, user_id, "closed", "x")
    first = await linked(house, user_id)
    foreign = await linked(house, other, "own", "person-22")
    async with house.browser(user_id) as browser:
        for word in ("0", "x", "9" * 30, "٣", str(foreign)):
            answer = await browser.post(f"/console/profile/unlink/{word}")
            assert answer.status_code == 404, word
        last = await browser.post(f"/console/profile/unlink/{first}")
        assert last.status_code == 409
        assert (await browser.post(f"/console/profile/unlink/{gone_site}")).status_code == 303
        second = await linked(house, user_id, "gh", "424242")
        answer = await browser.post(f"/console/profile/unlink/{first}")
        assert answer.headers["location"] == "/console/profile"
    left = {one["id"] for one in await rows(house, external_identities)}
    assert left == {second, foreign}
