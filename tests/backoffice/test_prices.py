"""The import of prices: shown, ticked, taken if it still is what was shown."""

import re

import pytest
from sqlalchemy import select

from tests.backoffice.filled import page, rows, send
from tests.people.operators import noted
from tests.services.pages import House
from tollbridge.api.apply import apply
from tollbridge.catalog.price_import_rows import apply_import, plan_import
from tollbridge.catalog.price_import_source import Wish, chosen, read_source
from tollbridge.storage.tables import models, prices
from tollbridge.storage.unit_of_work import reading

PATH = "/backoffice/prices"
MODELS = "".join(
    f'[[model]]\nname = "{name}"\ncontext = 1000\nmax_output = 10\ninput = "1000"\noutput = "1000"\n'
    for name in ("gpt-4o", "gpt-4o-mini", "nobody-has-it")
)


async def boss_of(house: House) -> int:
    await apply(house.engine, house.secrets, MODELS, environ={})
    return await house.user("boss@example.com", "admin")


def offered(text: str) -> dict[str, str]:
    return {
        value.split(" ")[1]: value for value in re.findall(r'name="take" value="([^"]+)"', text)
    }


async def input_of(house: House, name: str) -> list[str]:
    async with reading(house.engine) as connection:
        query = (
            select(prices.c.rates)
            .join(models, models.c.id == prices.c.model_id)
            .where(models.c.name == name)
            .order_by(prices.c.id)
        )
        return list((await connection.execute(query)).scalars())


async def test_only_what_is_ticked_is_taken_as_the_shell_takes_it(house: House) -> None:
    boss = await boss_of(house)
    text = (await page(house, boss, PATH))[1]
    takes = offered(text)
    assert set(takes) == {"gpt-4o", "gpt-4o-mini"}
    assert "nobody-has-it" in text and "no model of exactly this name" in text
    answer = await send(house, boss, PATH, {"take": [takes["gpt-4o"]], "provider": ""})
    assert answer.status_code == 303
    taken = await input_of(house, "gpt-4o")
    assert len(taken) == 2 and len(await input_of(house, "gpt-4o-mini")) == 1
    sellers = chosen(read_source(), ())
    planned = await plan_import(house.engine, sellers, [Wish("gpt-4o", "gpt-4o")])
    assert not planned.differing()
    await apply_import(house.engine, sellers, [Wish("gpt-4o", "gpt-4o")], planned)
    assert await input_of(house, "gpt-4o") == taken
    [(action, _, detail)] = await noted(house)
    assert action == "model.import_price" and detail["after"]["source"] == "genai-prices, openai"


async def test_what_changed_meanwhile_is_not_taken(house: House) -> None:
    boss = await boss_of(house)
    takes = offered((await page(house, boss, PATH))[1])
    await apply(house.engine, house.secrets, MODELS.replace('"1000"', '"999"'), environ={})
    before = await rows(house, prices)
    answer = await send(house, boss, PATH, {"take": list(takes.values())})
    assert answer.status_code == 422 and "changed meanwhile" in answer.text
    assert await rows(house, prices) == before and await noted(house) == []
    # What it shows now can be taken.
    answer = await send(house, boss, PATH, {"take": list(offered(answer.text).values())})
    assert answer.status_code == 303 and len(await noted(house)) == 2
    assert "Nothing to change" in (await page(house, boss, PATH))[1]


@pytest.mark.parametrize("take", [[], ["x gpt-4o"], ["gpt-4o"], ["x nobody-has-it"], [" "]])
async def test_nothing_is_taken_that_was_not_shown(house: House, take: list[str]) -> None:
    boss = await boss_of(house)
    before = await rows(house, prices)
    answer = await send(house, boss, PATH, {"take": take, "provider": "openai"})
    assert answer.status_code == 422 and await rows(house, prices) == before


async def test_a_provider_can_be_named(house: House) -> None:
    boss = await boss_of(house)
    text = (await page(house, boss, f"{PATH}?provider=anthropic"))[1]
    assert offered(text) == {} and '<option value="anthropic" selected>' in text
    assert set(offered((await page(house, boss, f"{PATH}?provider=nobody"))[1])) == {
        "gpt-4o",
        "gpt-4o-mini",
    }


@pytest.mark.parametrize("role", ["staff", "user"])
async def test_only_admins_take(house: House, role: str) -> None:
    boss, who = await boss_of(house), await house.user("who@example.com", role)
    takes = offered((await page(house, boss, PATH))[1])
    answer = await send(house, who, PATH, {"take": list(takes.values())})
    assert answer.status_code == 404 and await noted(house) == []
    status, text = await page(house, who, PATH)
    assert status == (200 if role == "staff" else 404) and not offered(text)
