"""Codes are shown once, to who may make them; batches show their states; what is unused is revoked."""

import re
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.people.operators import available, noted
from tests.services.pages import House
from tollbridge.core.clock import now_ms
from tollbridge.people.redeeming import redeem
from tollbridge.storage.people_tables import redeem_codes
from tollbridge.storage.unit_of_work import reading, working

FIELDS = {"batch": "may", "count": "3", "amount": "2.5", "expires": "", "credit_days": "30"}
CODE = re.compile(r"tbr_[2-9A-HJKMNP-Z]{24}")


async def sent(house: House, who: int, path: str, **fields: str) -> Any:
    async with house.browser(who) as browser:
        return await browser.post(path, data=fields)


async def seen(house: House, who: int, path: str) -> Any:
    async with house.browser(who) as browser:
        return await browser.get(path)


async def boss_of(house: House) -> int:
    return await house.user("boss@example.com", "admin")


async def made(house: House) -> int:
    async with reading(house.engine) as connection:
        return int((await connection.execute(select(func.count(redeem_codes.c.id)))).scalar_one())


@pytest.mark.parametrize("role", ["user", "staff"])
async def test_only_admins_make_and_revoke(house: House, role: str) -> None:
    who, boss = await house.user("who@example.com", role), await boss_of(house)
    await sent(house, boss, "/backoffice/codes/new", **FIELDS)
    again = FIELDS | {"batch": "mine"}
    assert (await sent(house, who, "/backoffice/codes/new", **again)).status_code == 404
    assert (await sent(house, who, "/backoffice/codes/revoke", batch="may")).status_code == 404
    assert (await seen(house, who, "/backoffice/codes/new")).status_code == 404
    assert [line[0] for line in await noted(house)] == ["codes.make"]
    expected = 404 if role == "user" else 200
    for path in ("/backoffice/codes", "/backoffice/codes?batch=may"):
        answer = await seen(house, who, path)
        assert answer.status_code == expected
        assert "/backoffice/codes/new" not in answer.text and "/revoke" not in answer.text


async def test_codes_are_shown_once_as_lines_and_as_csv(house: House) -> None:
    boss = await boss_of(house)
    answer = await sent(house, boss, "/backoffice/codes/new", **FIELDS)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    codes = set(CODE.findall(answer.text))
    assert len(codes) == 3 and len(CODE.findall(answer.text)) == 6
    assert "code,batch,amount_usd\n" in answer.text
    assert all(f"{code},may,2.50\n" in answer.text for code in codes)
    for path in ("/backoffice/codes", "/backoffice/codes?batch=may", "/backoffice/audit"):
        text = (await seen(house, boss, path)).text
        assert "may" in text and not CODE.search(text)
    assert {code[-6:] for code in codes} == set(
        re.findall("…([2-9A-Z]{6})<", (await seen(house, boss, "/backoffice/codes?batch=may")).text)
    )


async def test_a_form_sent_twice_makes_codes_once(house: House) -> None:
    boss = await boss_of(house)
    await sent(house, boss, "/backoffice/codes/new", **FIELDS)
    answer = await sent(house, boss, "/backoffice/codes/new", **FIELDS)
    assert answer.status_code == 422 and not CODE.search(answer.text)
    assert await made(house) == 3


async def test_what_is_unused_is_revoked(house: House) -> None:
    ann, boss = await house.user(), await boss_of(house)
    answer = await sent(house, boss, "/backoffice/codes/new", **FIELDS)
    code = CODE.findall(answer.text)[0]
    async with working(house.engine) as connection:
        await redeem(connection, house.secrets, ann, code, now_ms())
    answer = await sent(house, boss, "/backoffice/codes/revoke", batch="may")
    assert answer.headers["location"] == "/backoffice/codes?batch=may"
    text = (await seen(house, boss, "/backoffice/codes?batch=may")).text
    assert text.count("Revoked</span>") == 2 and "ann@example.com" in text
    assert [line[0] for line in await noted(house)] == ["codes.make", "codes.revoke"]
    assert await available(house, ann) == 2_500_000_000


async def test_the_last_day_is_one_of_the_operators_zone(house: House) -> None:
    boss = await house.user("boss@example.com", "admin", zone="Asia/Shanghai")
    await sent(house, boss, "/backoffice/codes/new", **FIELDS | {"expires": "2090-01-31"})
    async with reading(house.engine) as connection:
        [ends] = set((await connection.execute(select(redeem_codes.c.expires_ms))).scalars())
    # The first of February begins at 16:00 of the day before in UTC.
    assert ends == 3_789_561_600_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch", ""), ("batch", "x" * 65), ("count", "0"), ("count", ""), ("count", "1001"),
        ("count", "x"), ("amount", "0"), ("amount", ""), ("amount", "-1"), ("amount", "100001"),
        ("expires", "2020-01-01"), ("expires", "2090-02-30"), ("expires", "soon"),
        ("credit_days", "0"), ("credit_days", "9999"),
    ],
)  # fmt: skip
async def test_what_the_form_refuses(house: House, field: str, value: str) -> None:
    boss = await boss_of(house)
    answer = await sent(house, boss, "/backoffice/codes/new", **FIELDS | {field: value})
    assert answer.status_code == 422
    assert f'id="d-{field}" role="alert"' in answer.text
    assert await made(house) == 0


async def test_batches_that_are_not_there(house: House) -> None:
    boss = await boss_of(house)
    assert (await seen(house, boss, "/backoffice/codes?batch=none")).status_code == 404
    assert (await sent(house, boss, "/backoffice/codes/revoke", batch="none")).status_code == 404
    assert "No codes yet" in (await seen(house, boss, "/backoffice/codes")).text


async def test_a_long_batch_has_pages(house: House) -> None:
    boss = await boss_of(house)
    await sent(house, boss, "/backoffice/codes/new", **FIELDS | {"count": "101", "batch": "a&b c"})
    text = (await seen(house, boss, "/backoffice/codes?batch=a%26b+c")).text
    [older] = re.findall(r'href="([^"]+before=[0-9]+)"', text)
    text = (await seen(house, boss, older.replace("&amp;", "&"))).text
    assert len(re.findall("…[2-9A-Z]{6}<", text)) == 1
    assert 'href="/backoffice/codes?batch=a%26b+c"' in text


async def test_batches_are_paged_from_where_they_were(house: House) -> None:
    boss = await boss_of(house)
    names = [f"batch-{number:02}" for number in range(27)]
    for name in names:
        await sent(house, boss, "/backoffice/codes/new", **FIELDS | {"batch": name, "count": "1"})
    first = (await seen(house, boss, "/backoffice/codes")).text
    [older] = re.findall(r'href="(/backoffice/codes\?before=[0-9]+)"', first)
    await sent(house, boss, "/backoffice/codes/new", **FIELDS | {"batch": "meanwhile"})
    second = (await seen(house, boss, older)).text
    listed = [re.findall(r"batch-[0-9]{2}(?=</a>)", page) for page in (first, second)]
    assert listed == [names[:1:-1], names[1::-1]]
    assert 'href="/backoffice/codes?before=' not in second
    assert 'href="/backoffice/codes"' in second
