"""Models on their pages: prices end and begin as `apply` lets them; nothing is written over."""

from typing import Any

import pytest
from sqlalchemy import func, select

from tests.backoffice.filled import form_in, page, rows, send
from tests.catalog.sample import ENVIRON, MODEL
from tests.people.operators import noted
from tests.services.pages import House
from tollbridge.api.apply import apply
from tollbridge.storage.tables import models, prices
from tollbridge.storage.unit_of_work import reading

NEW = "/backoffice/models/new"
FORM: dict[str, Any] = {
    "name": "gpt-5.4",
    "context": "400000",
    "max_output": "128000",
    "input": "$2.50",
    "cache_read": "0.25",
    "output": "10",
    "web_search": "0.01",
    "more": (
        'tiers = [{above = 200000, input = "5", cache_read = "0.5", output = "15"}]\n'
        'image = [{size = "1024x1024", quality = "high", price = "0.19"}]'
    ),
    "sizes": "1024x1024",
    "n_max": "4",
    "prompt_max": "32000",
    "text_max": "4096",
}
FUTURE = "2090-01-31T08:00"


async def boss_of(house: House) -> int:
    return await house.user("boss@example.com", "admin")


async def home_of(house: House) -> str:
    async with reading(house.engine) as connection:
        return f"/backoffice/models/{(await connection.execute(select(models.c.id))).scalar_one()}"


async def open_prices(house: House) -> int:
    async with reading(house.engine) as connection:
        query = select(func.count()).where(prices.c.valid_to_ms.is_(None))
        return int((await connection.execute(query)).scalar_one())


async def test_a_page_makes_what_apply_makes(house: House) -> None:
    boss = await boss_of(house)
    answer = await send(house, boss, NEW, FORM)
    assert answer.status_code == 303, answer.text
    made = await rows(house, models), await rows(house, prices)
    assert not (await apply(house.engine, house.secrets, MODEL, environ=ENVIRON)).changed
    assert made == (await rows(house, models), await rows(house, prices))
    [(action, _, detail)] = await noted(house)
    assert action == "model.make" and detail["after"]["price"]["input"] == "2.50"
    text = (await page(house, boss, "/backoffice/models"))[1]
    assert "gpt-5.4" in text and "$2.50" in text


async def test_a_form_sent_back_unchanged_changes_nothing(house: House) -> None:
    boss = await boss_of(house)
    await apply(house.engine, house.secrets, MODEL, environ=ENVIRON)
    before, home = (await rows(house, models), await rows(house, prices)), await home_of(house)
    fields = form_in((await page(house, boss, home))[1], home)
    assert (await send(house, boss, home, fields)).status_code == 303
    assert before == (await rows(house, models), await rows(house, prices))
    assert await noted(house) == []


async def test_a_new_price_ends_the_one_before(house: House) -> None:
    boss = await boss_of(house)
    await apply(house.engine, house.secrets, MODEL, environ=ENVIRON)
    home = await home_of(house)
    fields = form_in((await page(house, boss, home))[1], home)
    assert (await send(house, boss, home, fields | {"output": "11"})).status_code == 303
    assert len(await rows(house, prices)) == 2 and await open_prices(house) == 1
    text = MODEL.replace('"10.00"', '"11"')
    assert not (await apply(house.engine, house.secrets, text, environ=ENVIRON)).changed
    [(action, _, detail)] = await noted(house)
    assert action == "model.change"
    assert (detail["before"]["price"]["output"], detail["after"]["price"]["output"]) == (
        "10.00",
        "11.00",
    )


async def test_a_price_to_come_begins_then_and_can_be_cancelled(house: House) -> None:
    boss = await boss_of(house)
    await apply(house.engine, house.secrets, MODEL, environ=ENVIRON)
    home = await home_of(house)
    fields = form_in((await page(house, boss, home))[1], home)
    later = fields | {"output": "12", "from": FUTURE}
    assert (await send(house, boss, home, later)).status_code == 303
    price = 'input = "2.50"\ncache_read = "0.25"\noutput = "12"\nweb_search = "0.01"\n'
    tiers = FORM["more"]
    text = f"{MODEL}\n[[model.price]]\nfrom = 2090-01-31T08:00:00Z\n{price}{tiers}\n"
    assert not (await apply(house.engine, house.secrets, text, environ=ENVIRON)).changed
    # What is to come stays to come when the price of now is another.
    fields = form_in((await page(house, boss, home))[1], home)
    assert fields["output"] == ["10.00"]
    await send(house, boss, home, fields | {"output": "9"})
    text = text.replace('"10.00"', '"9"')
    assert not (await apply(house.engine, house.secrets, text, environ=ENVIRON)).changed
    cancel = form_in((await page(house, boss, home))[1], f"{home}/cancel")
    assert (await send(house, boss, f"{home}/cancel", cancel)).status_code == 303
    assert (await send(house, boss, f"{home}/cancel", cancel)).status_code == 404
    text = MODEL.replace('"10.00"', '"9"')
    assert not (await apply(house.engine, house.secrets, text, environ=ENVIRON)).changed
    actions = [line[0] for line in await noted(house)]
    assert actions == ["model.change", "model.change", "model.cancel_price"]


async def test_switching(house: House) -> None:
    boss = await boss_of(house)
    await apply(house.engine, house.secrets, MODEL, environ=ENVIRON)
    home = await home_of(house)
    await send(house, boss, f"{home}/switch", {"enabled": "0"})
    fields = form_in((await page(house, boss, home))[1], home)
    await send(house, boss, home, fields | {"n_max": "5"})
    assert [(row["enabled"], row["n_max"]) for row in await rows(house, models)] == [(False, 5)]
    await send(house, boss, f"{home}/switch", {"enabled": "1"})
    assert [row["enabled"] for row in await rows(house, models)] == [True]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a b"), ("context", "0"), ("max_output", "x"), ("input", "x"), ("input", "-1"),
        ("input", "1000000"), ("more", "x"), ("more", 'name = "x"'), ("more", "tiers = [{above = 1}]"),
        ("efforts", "much"), ("n_max", "-1"), ("from", "soon"), ("from", "2020-01-01T00:00"),
        ("sizes", "a\na"),
    ],
)  # fmt: skip
async def test_what_is_refused_is_told_beside_its_field(
    house: House, field: str, value: str
) -> None:
    boss = await boss_of(house)
    answer = await send(house, boss, NEW, FORM | {field: value})
    assert answer.status_code == 422
    # A list that names a thing twice is read once.
    assert f'id="d-{field}" role="alert"' in answer.text
    assert await rows(house, models) == [] and await noted(house) == []


@pytest.mark.parametrize("role", ["staff", "user"])
async def test_only_admins_change_and_staff_look(house: House, role: str) -> None:
    who = await house.user("who@example.com", role)
    await apply(house.engine, house.secrets, MODEL, environ=ENVIRON)
    home, before = await home_of(house), await rows(house, models)
    for path in (NEW, home, f"{home}/switch", f"{home}/cancel"):
        assert (await send(house, who, path, FORM)).status_code == 404
    for path in ("/backoffice/models", home):
        status, text = await page(house, who, path)
        assert status == (200 if role == "staff" else 404)
        assert 'method="post" action="/backoffice' not in text
    assert await rows(house, models) == before
    assert (await page(house, who, NEW))[0] == 404


async def test_there_is_one_of_a_name_and_none_of_others(house: House) -> None:
    boss = await boss_of(house)
    assert "No models yet" in (await page(house, boss, "/backoffice/models"))[1]
    await send(house, boss, NEW, FORM)
    assert (await send(house, boss, NEW, FORM)).status_code == 422
    for name in ("7", "x"):
        assert (await page(house, boss, f"/backoffice/models/{name}"))[0] == 404
        answer = await send(house, boss, f"/backoffice/models/{name}", FORM)
        assert answer.status_code == 404
