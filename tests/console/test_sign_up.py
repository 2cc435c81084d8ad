"""Whoever asks for an account is told the same whether there is one, and only the mail tells more."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from tests.console.letters import letters
from tests.services.pages import SITE, House
from tests.services.token_server import token_server
from tollbridge.api.traced import Traced
from tollbridge.console import sign_up
from tollbridge.core.clock import now_ms
from tollbridge.core.settings import Settings
from tollbridge.identity.audit import SHELL
from tollbridge.identity.one_time import Purpose, look_at
from tollbridge.people.invites import Wish, make_invite
from tollbridge.storage.people_tables import one_time
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web.site import make_site

PASSWORD = "ten letters or more"
FLOW = "__Host-flow"


def fields(email: str = "ann@example.com", **changes: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD, "terms": "1", **changes}


async def post(house: House, data: Mapping[str, str], **options: Any) -> httpx2.Response:
    async with house.browser() as browser:
        return await browser.post("/sign-up", data=data, **options)


async def rows(house: House, table: Any) -> int:
    async with reading(house.engine) as connection:
        query = select(func.count()).select_from(table)
        return int((await connection.execute(query)).scalar_one())


async def test_the_form_is_shown_with_the_bonus_and_the_terms(house: House) -> None:
    await house.set_site(sign_up="open", sign_up_bonus="2.50")
    async with house.browser() as browser:
        page = await browser.get("/sign-up")
    assert page.status_code == 200
    assert "$2.50" in page.text and '<a href="/legal/terms"' in page.text
    assert 'name="invite"' not in page.text and "captcha" not in page.text


async def test_whoever_is_signed_in_is_sent_to_the_console(house: House) -> None:
    await house.set_site(sign_up="open")
    async with house.browser(await house.user()) as browser:
        answer = await browser.get("/sign-up")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")


async def test_a_closed_site_takes_nobody(house: House) -> None:
    async with house.browser() as browser:
        page = await browser.get("/sign-up")
        answer = await browser.post("/sign-up", data=fields())
    assert (page.status_code, answer.status_code) == (200, 403)
    for text in (page.text, answer.text):
        assert "<form method" not in text.partition("<main")[2] and "/sign-in" in text
    assert await rows(house, one_time) == 0 and not await letters(house)


async def test_who_asks_gets_a_letter_and_nothing_is_there_yet(house: House) -> None:
    await house.set_site(sign_up="open", terms_version="2026-05")
    async with house.browser() as browser:
        answer = await browser.post("/sign-up", data=fields("Ann@example.com"))
        flow = browser.cookies.get(FLOW)
    assert answer.status_code == 200 and "Ann@example.com" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    (mail,) = await letters(house)
    assert mail["to"] == "Ann@example.com"
    word = mail["text"].partition(f"{SITE}/verify?token=")[2].split()[0]
    async with reading(house.engine) as connection:
        found = await look_at(connection, house.secrets, Purpose.SIGN_UP, word, now_ms())
    assert found is not None
    assert found.data["terms_version"] == "2026-05" and found.data["language"] == "en"
    assert found.data["password_hash"].startswith("$argon2id$")
    assert flow and flow not in repr(found.data) and PASSWORD not in repr(found.data)
    assert await rows(house, users) == 0


async def test_nobody_learns_whether_an_address_has_an_account(house: House) -> None:
    await house.set_site(sign_up="open")
    await house.user("has@example.com")
    answers = [await post(house, fields(f"{who}@example.com")) for who in ("has", "not")]
    assert [answer.status_code for answer in answers] == [200, 200]
    bodies = [
        answer.text.replace("has@", "")
        .replace("not@", "")
        .replace(answer.headers["x-request-id"], "")
        for answer in answers
    ]
    assert bodies[0] == bodies[1]
    assert answers[0].headers.keys() == answers[1].headers.keys()
    assert len({len(answer.headers["set-cookie"]) for answer in answers}) == 1
    known, unknown = await letters(house)
    assert "/verify" not in known["text"] and "/verify" in unknown["text"]


async def test_links_begin_with_the_site_whatever_a_request_says(house: House) -> None:
    await house.set_site(sign_up="open")
    await house.user("has@example.com")
    evil = {"host": "evil.test", "x-forwarded-host": "evil.test", "forwarded": "host=evil.test"}
    for email in ("not@example.com", "has@example.com"):
        assert (await post(house, fields(email), headers=evil)).status_code == 200
    for mail in await letters(house):
        assert "evil" not in repr(mail) and f"{SITE}/" in mail["text"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"email": ""}, "Please fill in this field."),
        ({"email": "ann"}, "Enter an e-mail address"),
        ({"email": "Ann <ann@example.com>"}, "Enter an e-mail address"),
        ({"email": "ann@example.com, bob@example.com"}, "Enter an e-mail address"),
        ({"email": "ann@example.com\r\nBcc: bob@example.com"}, "cannot be used"),
        ({"email": "ann@" + "x" * 300}, "too long"),
        ({"email": "ann@bad.test"}, "domain"),
        ({"email": "ann@sub.bad.test"}, "domain"),
        ({"email": "ann+x@example.com"}, "without a plus"),
        ({"password": ""}, "Please fill in this field."),
        ({"password": "x" * 9}, "at least 10"),
        ({"password": "abcdef" * 34}, "at most 200"),
        ({"password": "ANN@example.com"}, "too easy to guess"),
        ({"terms": ""}, "consent"),
    ],
)
async def test_a_faulty_form_comes_back(house: House, changes: dict[str, str], text: str) -> None:
    await house.set_site(sign_up="open", email_blocked=["bad.test"], email_aliases="refuse")
    sent = fields() | changes
    answer = await post(house, sent)
    assert answer.status_code == 422 and text in answer.text
    assert sent["password"] not in answer.text or not sent["password"]
    assert FLOW not in answer.headers.get("set-cookie", "")
    assert await rows(house, one_time) == 0 and not await letters(house)


async def test_only_allowed_domains(house: House) -> None:
    await house.set_site(sign_up="open", email_allowed=["good.test"])
    assert (await post(house, fields("ann@example.com"))).status_code == 422
    assert (await post(house, fields("ann@good.test"))).status_code == 200


async def test_passwords_may_have_any_characters(house: House) -> None:
    await house.set_site(sign_up="open")
    answer = await post(house, fields(password="密码 有 空格 和 表情 ☂"))
    assert answer.status_code == 200


async def test_the_language_of_the_letter_is_the_visitors(house: House) -> None:
    await house.set_site(sign_up="open")
    await post(house, fields(), headers={"accept-language": "zh-CN"})
    async with reading(house.engine) as connection:
        data = (await connection.execute(select(one_time.c.data))).scalar_one()
    assert '"zh_Hans"' in data


async def test_by_invite_only(house: House) -> None:
    await house.set_site(sign_up="invite")
    async with working(house.engine) as connection:
        code = await make_invite(connection, house.secrets, SHELL, Wish(), now_ms())
    async with house.browser() as browser:
        page = await browser.get(f"/sign-up?invite={code}")
        odd = await browser.get("/sign-up", params={"invite": '"><script>alert(1)</script>'})
    assert f'value="{code}"' in page.text
    assert "<script>alert" not in odd.text
    assert "Please fill in" in (await post(house, fields())).text
    wrong = await post(house, fields(invite=code[:-1]))
    assert wrong.status_code == 422 and "cannot be used" in wrong.text
    assert (await post(house, fields(invite=code))).status_code == 200
    assert len(await letters(house)) == 1


async def test_an_address_may_not_ask_for_ever(house: House) -> None:
    await house.set_site(sign_up="open")
    found = [(await post(house, fields(f"u{n}@example.com"))).status_code for n in range(6)]
    assert found == [200] * 5 + [429]


async def test_nobodys_mailbox_is_filled_not_even_by_aliases(house: House) -> None:
    await house.set_site(sign_up="open")
    emails = ("a.nn@gmail.com", "ann+1@gmail.com", "ann+2@googlemail.com")
    found = [await post(house, fields(email)) for email in emails]
    assert [answer.status_code for answer in found] == [200, 200, 429]
    assert int(found[-1].headers["retry-after"]) > 0
    assert len(await letters(house)) == 2


async def test_the_captchas_word_counts(house: House) -> None:
    await house.set_site(sign_up="open")
    async with token_server() as server:
        settings = Settings(
            public_url=SITE,
            captcha_verify_url=server.url,
            captcha_secret="CANARY",
            captcha_site_key="a-site-key",
            captcha_script_url="https://widget.test/api.js",
        )
        services = replace(house.services, settings=settings)
        house.app = Traced(make_site(services, [sign_up.pages]))
        server.answers = [(200, {"success": False}), (503, {}), (200, {"success": True})]
        async with house.browser() as browser:
            page = await browser.get("/sign-up")
        solved = fields() | {"cf-turnstile-response": "a word"}
        found = [await post(house, sent) for sent in (fields(), solved, solved, solved)]
    assert 'data-sitekey="a-site-key"' in page.text and "CANARY" not in page.text
    assert '<script src="https://widget.test/api.js"' in page.text
    assert "script-src 'self' https://widget.test;" in page.headers["content-security-policy"]
    assert [answer.status_code for answer in found] == [422, 422, 422, 200]
    assert "show that you are a person" in found[0].text and "cannot be reached" in found[2].text
    assert server.asked[0] == {"secret": "CANARY", "response": "a word", "remoteip": "192.0.2.7"}
    assert server.count == 3 and len(await letters(house)) == 1
