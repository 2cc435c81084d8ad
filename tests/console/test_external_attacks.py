"""Attacks on signing in with another site: replays, other browsers, other sites, other people's accounts."""

from typing import Any

import httpx2
import pytest

from tests.console.elsewhere import (
    BACK,
    GO,
    JOIN,
    gone,
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
from tests.services.pages import COOKIE, SITE, House
from tollbridge.core.clock import now_ms
from tollbridge.identity.one_time import Purpose, issue
from tollbridge.storage.people_tables import external_identities, one_time, sessions
from tollbridge.storage.unit_of_work import working

__all__ = ["house", "provider", "running_provider"]

FLOW = "__Host-flow"


async def test_an_account_with_the_address_is_never_taken_over(
    house: House, provider: Provider
) -> None:
    await house.user("eve@example.com")
    for email in ("eve@example.com", "EVE@example.com", "eve+a@example.com"):
        provider.tell(email=email)
        async with house.browser() as browser:
            answer = await travelled(browser, provider)
        assert answer.status_code == 409 and "link it in your profile" in answer.text, email
    assert not await rows(house, external_identities) and not await rows(house, sessions)


async def test_an_account_that_is_made_meanwhile_is_not_taken_over_either(
    house: House, provider: Provider
) -> None:
    async with house.browser() as browser:
        word = word_in(await travelled(browser, provider))
        await house.user("eve@example.com")
        answer = await browser.post(JOIN, data={"word": word, "terms": "1"})
    assert answer.status_code == 409
    assert not await rows(house, external_identities) and not await rows(house, sessions)


async def test_a_state_works_once(house: House, provider: Provider) -> None:
    await linked(house, await house.user())
    async with house.browser() as browser:
        url = await gone(browser, provider)
        assert (await browser.get(url)).status_code == 303
        tokens = len(provider.asked("/token"))
        assert (await browser.get(url)).status_code == 400
    assert len(provider.asked("/token")) == tokens and len(await rows(house, sessions)) == 1


async def test_a_state_of_another_browser_is_refused(house: House, provider: Provider) -> None:
    await linked(house, await house.user())
    async with house.browser() as attacker, house.browser() as victim:
        url = await gone(attacker, provider)
        assert (await victim.get(url)).status_code == 400
        await gone(victim, provider)
        url = await gone(attacker, provider)
        assert (await victim.get(url)).status_code == 400
    assert not await rows(house, sessions) and not provider.asked("/token")


async def test_an_offer_is_bound_to_the_browser_the_site_and_its_kind(
    house: House, provider: Provider
) -> None:
    async with house.browser() as browser, house.browser() as other:
        await gone(other, provider)
        word = word_in(await travelled(browser, provider))
        form = {"word": word, "terms": "1"}
        assert (await other.post(JOIN, data=form)).status_code == 400
        assert (await browser.post("/sign-in/with/twin/join", data=form)).status_code == 400
        # A state is no offer, and an offer is no state.
        state = httpx2.URL(await gone(browser, provider)).params["state"]
        wrong = await browser.post(JOIN, data={"word": state, "terms": "1"})
        assert wrong.status_code == 400
        assert (await browser.get(f"{BACK}?code=x&state={word}")).status_code == 400
    assert await untouched(house) and len(provider.asked("/token")) == 1


async def test_an_answer_meant_for_another_site_is_refused(
    house: House, provider: Provider
) -> None:
    await linked(house, await house.user(), "twin")
    async with house.browser() as browser:
        url = httpx2.URL(await gone(browser, provider))
        answer = await browser.get(url.copy_with(path="/sign-in/with/twin/back"))
        named = await gone(browser, provider, "/sign-in/with/twin")
        evil = await browser.get(f"{named}&iss=https://evil.example")
    assert (answer.status_code, evil.status_code) == (400, 502)
    assert not await rows(house, sessions) and not provider.asked("/token")


UNPROVEN: tuple[dict[str, Any], ...] = (
    {"claims": {"nonce": "another"}},
    {"claims": {"iss": "https://evil.example"}},
    {"claims": {"aud": "somebody"}},
    {"claims": {"exp": 1}},
    {"sign": "none"},
    {"sign": "HS256"},
    {"sign": "stranger"},
    {"kid": "nobody-s"},
    {"answers": {"/token": [500, "PROVIDER-WORDS"]}},
    {"answers": {"/token": [200, "PROVIDER-WORDS"]}},
)


async def test_tokens_that_prove_nothing_let_nobody_in(
    house: House,
    provider: Provider,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await linked(house, await house.user())
    for options in UNPROVEN:
        provider.reset()
        provider.tell(**options)
        async with house.browser() as browser:
            answer = await travelled(browser, provider)
        assert answer.status_code == 502 and "PROVIDER" not in answer.text, options
    assert not await rows(house, sessions)
    captured = capfd.readouterr()
    logged = captured.out + captured.err + caplog.text
    assert "external_sign_in_failed" in logged
    assert "PROVIDER" not in logged and "person-1" not in logged
    provider.reset()
    async with house.browser() as browser:
        assert (await travelled(browser, provider)).status_code == 303


async def test_a_way_back_that_nobody_went_is_a_page(house: House) -> None:
    async with house.browser() as browser:
        for query in ("", "?state=x", "?state=x&code=y", "?code=y&state=%ff", "?error=a"):
            assert (await browser.get(BACK + query)).status_code == 400, query


async def test_sites_that_are_not_configured_are_not_there(house: House) -> None:
    user_id = await house.user()
    async with house.browser(user_id) as browser:
        for path in ("/sign-in/with/evil", "/sign-in/with/evil/back"):
            assert (await browser.get(path)).status_code == 404
        for path in ("/sign-in/with/evil/join", "/console/profile/link/evil"):
            assert (await browser.post(path, data={})).status_code == 404


async def test_the_way_goes_on_to_no_other_site(house: House, provider: Provider) -> None:
    await linked(house, await house.user())
    for wish in ("https://evil.example", "//evil.example", "/\\evil.example", "evil", "/a\n"):
        async with house.browser() as browser:
            url = str(httpx2.URL(GO, params={"next": wish}))
            answer = await travelled(browser, provider, url)
        assert answer.headers["location"] == "/console", wish


async def test_the_way_back_is_ours_whatever_the_host_says(
    house: House, provider: Provider
) -> None:
    async with house.browser() as browser:
        headers = {"host": "evil.example", "x-forwarded-host": "evil.example"}
        # The cookie belongs to the real host, so the location is all there is to see.
        answer = await browser.get(GO, headers=headers)
    sent = httpx2.URL(answer.headers["location"]).params
    assert sent["redirect_uri"] == f"{SITE}{BACK}"


async def test_nothing_that_opens_a_journey_is_stored(house: House, provider: Provider) -> None:
    async with house.browser() as browser:
        answer = await browser.get(GO)
        flow = browser.cookies[FLOW]
    sent = httpx2.URL(answer.headers["location"]).params
    (row,) = await rows(house, one_time)
    for word in (sent["state"], sent["nonce"], sent["code_challenge"], flow):
        assert word and word not in str(dict(row))
    assert row["expires_ms"] - row["created_ms"] == 600_000


async def test_a_journey_that_is_late_is_over(house: House, provider: Provider) -> None:
    async with house.browser() as browser:
        url = await gone(browser, provider)
        async with working(house.engine) as connection:
            await connection.execute(one_time.update().values(expires_ms=now_ms() - 1))
        assert (await browser.get(url)).status_code == 400


async def test_an_identity_of_somebody_else_is_not_linked(house: House, provider: Provider) -> None:
    await linked(house, await house.user("first@example.com"))
    second = await house.user("second@example.com")
    async with house.browser(second) as browser:
        answer = await browser.get(await link(browser, provider))
    assert answer.status_code == 409 and len(await rows(house, external_identities)) == 1


async def test_a_link_that_another_user_began_is_not_finished(
    house: House, provider: Provider
) -> None:
    ann, bob = await house.user("ann@example.com"), await house.user("bob@example.com")
    async with house.browser(ann) as browser:
        url = await link(browser, provider)
        browser.cookies.set(COOKIE, await house.session(bob), domain="site.test")
        assert (await browser.get(url)).status_code == 400
        url = await link(browser, provider)
        browser.cookies.delete(COOKIE, domain="site.test")
        assert (await browser.get(url)).status_code == 400
    assert not await rows(house, external_identities)


async def test_linking_needs_a_proof_and_a_form_of_ours(house: House, provider: Provider) -> None:
    user_id = await house.user()
    async with house.browser(user_id) as browser:
        foreign = await browser.post(
            "/console/profile/link/own", headers={"sec-fetch-site": "cross-site"}
        )
        async with working(house.engine) as connection:
            await connection.execute(sessions.update().values(proved_ms=1))
        unproved = await browser.post("/console/profile/link/own")
        away = await browser.post("/console/profile/unlink/1")
    assert foreign.status_code == 403
    for answer in (unproved, away):
        assert answer.headers["location"].startswith("/prove")


async def test_words_of_other_purposes_open_nothing(house: House) -> None:
    async with working(house.engine) as connection:
        word = await issue(connection, house.secrets, Purpose.RESET, at_ms=now_ms(), life_ms=60_000)
    async with house.browser() as browser:
        assert (await browser.get(f"{BACK}?code=x&state={word}")).status_code == 400
        assert (await browser.post(JOIN, data={"word": word})).status_code == 400


async def test_who_comes_too_often_waits(house: House, provider: Provider) -> None:
    async with house.browser() as browser:
        away = [(await browser.get(GO)).status_code for _ in range(21)]
        back = [(await browser.get(BACK)).status_code for _ in range(21)]
    assert (away, back) == ([303] * 20 + [429], [400] * 20 + [429])
