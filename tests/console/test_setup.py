"""Proof that the first page of a new site opens to its link alone, and to nobody once it was used."""

import asyncio

from sqlalchemy import func, select

from tests.services.pages import COOKIE, SITE, House
from tollbridge.console.setup import DOOR
from tollbridge.core.clock import now_ms
from tollbridge.core.secrets import Secrets
from tollbridge.people.setup_link import LIFE_MS, new_link
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading

FORM = {
    "email": "op@example.com",
    "password": "a long enough password",
    "site": "Acme",
    "sign_up": "invite",
    "bonus": "2.50",
}


async def token_of(house: House, at_ms: int | None = None, secrets: Secrets | None = None) -> str:
    found = await new_link(house.engine, secrets or house.secrets, SITE, at_ms or now_ms())
    assert found is not None
    return found.partition("token=")[2]


async def admins(house: House) -> int:
    async with reading(house.engine) as connection:
        query = select(func.count()).select_from(users).where(users.c.role == "admin")
        return int((await connection.execute(query)).scalar_one())


async def test_the_link_makes_an_admin_who_is_signed_in(house: House) -> None:
    token = await token_of(house)
    async with house.browser() as browser:
        page = await browser.get("/setup", params={"token": token})
        assert page.status_code == 200 and token in page.text
        assert page.headers["referrer-policy"] == "no-referrer"
        # To choose a language or theme does not lose the link.
        assert f'value="/setup?token={token}"' in page.text
        done = await browser.post("/setup", data={**FORM, "token": token})
        assert (done.status_code, done.headers["location"]) == (303, "/setup/channel")
        assert browser.cookies.get(COOKIE)
        assert (await browser.get("/setup/channel")).status_code == 200
    await house.refresh()
    site = house.snapshot.site
    assert (site.name, site.sign_up, site.sign_up_bonus) == ("Acme", "invite", 2_500_000_000)


async def test_afterwards_there_is_nothing_there(house: House) -> None:
    token = await token_of(house)
    async with house.browser() as browser:
        await browser.post("/setup", data={**FORM, "token": token})
    for params in ({"token": token}, {}, {"token": "x"}):
        async with house.browser() as other:
            assert (await other.get("/setup", params=params)).status_code == 404
            again = await other.post("/setup", data={**FORM, **params})
            assert again.status_code == 404
    assert await admins(house) == 1


async def test_wrong_old_and_foreign_links_open_nothing(house: House) -> None:
    old = await token_of(house, now_ms() - LIFE_MS)
    replaced = await token_of(house)
    foreign = await token_of(house, secrets=Secrets(b"q" * 32, {"k1": b"k" * 32}, "k1"))
    for token in (old, replaced, foreign, "", "x", "\u2603", "x" * 4_000):
        async with house.browser() as browser:
            seen = await browser.get("/setup", params={"token": token})
            done = await browser.post("/setup", data={**FORM, "token": token})
            assert (seen.status_code, done.status_code) == (403, 403), token
            assert "not set up yet" in seen.text
            assert browser.cookies.get(COOKIE) is None
    assert await admins(house) == 0


async def test_two_at_once_make_one_admin(house: House) -> None:
    token = await token_of(house)

    async def attempt(number: int) -> int:
        form = {**FORM, "email": f"op{number}@example.com", "token": token}
        async with house.browser() as browser:
            return (await browser.post("/setup", data=form)).status_code

    assert sorted(await asyncio.gather(*map(attempt, range(3)))) == [303, 404, 404]
    assert await admins(house) == 1


async def test_faults_are_shown_and_the_link_stays_good(house: House) -> None:
    token = await token_of(house)
    faults = [
        {"email": "nobody"},
        {"email": ""},
        {"password": "short"},
        {"password": ""},
        {"site": ""},
        {"site": "x" * 65},
        {"sign_up": "perhaps"},
        {"bonus": "-1"},
        {"bonus": "much"},
        {"bonus": ""},
        {"bonus": "9" * 20},
    ]
    async with house.browser() as browser:
        for fault in faults:
            answer = await browser.post("/setup", data={**FORM, "token": token, **fault})
            assert answer.status_code == 422, fault
            assert 'role="alert"' in answer.text and FORM["password"] not in answer.text, fault
        assert (await browser.post("/setup", data={**FORM, "token": token})).status_code == 303


async def test_who_guesses_is_sent_away(house: House) -> None:
    async with house.browser() as browser:
        answers = [
            (await browser.get("/setup", params={"token": str(number)})).status_code
            for number in range(DOOR.per_minute + 1)
        ]
    assert answers[:-1] == [403] * DOOR.per_minute and answers[-1] == 429
