"""Proof that an import changes prices as a file would, of exact names only, all of it or nothing."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
)
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.api.apply import apply
from tollbridge.catalog.loader import load_snapshot
from tollbridge.catalog.price_import_rows import (
    ChangedMeanwhile,
    apply_import,
    plan_import,
    sold_models,
)
from tollbridge.catalog.price_import_source import Wish
from tollbridge.catalog.price_import_toml import model_table
from tollbridge.catalog.prices import Rates
from tollbridge.core.clock import now_ms
from tollbridge.core.secrets import Secrets
from tollbridge.storage.tables import change, prices
from tollbridge.storage.unit_of_work import reading

USD = 10**9
TOMORROW = datetime.fromtimestamp(now_ms() // 1_000 + 2 * 86_400, UTC).date()
FILE = """
[[model]]
name = "known"
context = 1000
max_output = 100
input = "1.00"
output = "2.00"
web_search = "0.01"

[[model]]
name = "same"
context = 1000
max_output = 100
input = "5.00"
output = "6.00"

[[model]]
name = "family-*"
context = 1000
max_output = 100
input = "1.00"
output = "2.00"

[[model]]
name = "unpriced"
context = 1000
max_output = 100

[[model]]
name = "painter"
context = 1000
max_output = 100
image = [{ price = "0.04" }]

[[model]]
name = "stranger"
context = 1000
max_output = 100
input = "1.00"
output = "2.00"
"""


def said(**values: str) -> ModelPrice:
    return ModelPrice(**{name: Decimal(value) for name, value in values.items()})


def model(name: str, prices: Any, variants: list[PriceVariant] | None = None) -> ModelInfo:
    return ModelInfo(name, ClauseEquals(name), prices=prices, price_variants=variants)


KNOWN = model(
    "known",
    [
        ConditionalPrice(prices=said(input_mtok="3", output_mtok="4", cache_read_mtok="0.5")),
        ConditionalPrice(
            StartDateConstraint(TOMORROW), prices=said(input_mtok="7", output_mtok="8")
        ),
    ],
    [PriceVariant({"service_tier": "flex"}, said(input_mtok="1", output_mtok="2"))],
)
SELLER = Provider("seller", "Seller", "seller", models=[
    KNOWN,
    model("same", said(input_mtok="5", output_mtok="6")),
    model("family-*", said(input_mtok="5", output_mtok="6")),
    model("unpriced", said(input_mtok="0.25", output_mtok="0.50")),
    model("painter", said(input_mtok="5", output_mtok="40")),
    model("odd", said(input_mtok="0.00000000001", output_mtok="40")),
])  # fmt: skip
CHANGES = {
    "known": (
        "input: $1.00 → $3.00",
        "cache_read: none → $0.50",
        "output: $2.00 → $4.00",
        "flex input: none → $1.00",
        "flex cache_read: none → $0.50",
        "flex output: none → $2.00",
        f"from {TOMORROW} 00:00 UTC: input: $3.00 → $7.00",
        f"from {TOMORROW} 00:00 UTC: output: $4.00 → $8.00",
        f"from {TOMORROW} 00:00 UTC: cache_read: $0.50 → none",
        f"from {TOMORROW} 00:00 UTC: flex cache_read: $0.50 → none",
    ),
    "unpriced": ("input: none → $0.25", "output: none → $0.50"),
}
LEFT = {
    "family-*": "a wildcard or an endpoint keeps the price that it was given",
    "painter": "sold by image here, which the source does not price",
    "stranger": "genai-prices has no model of exactly this name",
}


@pytest.fixture
async def sold(engine: AsyncEngine, secrets: Secrets) -> AsyncEngine:
    """Return a database that sells the models of FILE."""
    await apply(engine, secrets, FILE, environ={})
    return engine


async def version(engine: AsyncEngine) -> int:
    async with reading(engine) as connection:
        found: int = (await connection.execute(select(change.c.version))).scalar_one()
        return found


async def count(engine: AsyncEngine) -> int:
    async with reading(engine) as connection:
        rows: int = (
            await connection.execute(select(func.count()).select_from(prices))
        ).scalar_one()
        return rows


async def test_looking_changes_nothing(sold: AsyncEngine) -> None:
    before = await version(sold), await count(sold)
    planned = await plan_import(sold, [SELLER], [])
    assert {one.name: one.lines for one in planned.changes if one.lines} == CHANGES
    assert [one.name for one in planned.changes if not one.lines] == ["same"]
    assert dict(planned.left) == LEFT
    assert (await version(sold), await count(sold)) == before


async def test_it_writes_what_it_showed(sold: AsyncEngine, secrets: Secrets) -> None:
    before = await version(sold)
    planned = await plan_import(sold, [SELLER], [])
    await apply_import(sold, [SELLER], [], planned)
    assert await version(sold) == before + 1
    snapshot = await load_snapshot(sold, secrets)
    known, unpriced = snapshot.models["known"].price, snapshot.models["unpriced"].price
    assert known is not None and unpriced is not None
    assert known.rates == Rates.filled(
        {"input": 3 * USD, "cache_read": USD // 2, "output": 4 * USD}
    )
    assert known.served("flex").rates.input == USD
    # The source knows of no searches: the operator's price of them stays.
    assert known.web_search == USD // 100
    assert unpriced.rates.output == USD // 2
    assert snapshot.due_ms == int(
        datetime.combine(TOMORROW, datetime.min.time(), UTC).timestamp() * 1_000
    )
    again = await plan_import(sold, [SELLER], [])
    assert again.differing() == []


async def test_a_second_import_writes_nothing(sold: AsyncEngine) -> None:
    await apply_import(sold, [SELLER], [], await plan_import(sold, [SELLER], []))
    rows = await count(sold)
    await apply_import(sold, [SELLER], [], await plan_import(sold, [SELLER], []))
    assert await count(sold) == rows


async def test_only_the_wishes(sold: AsyncEngine) -> None:
    wishes = [Wish("stranger", "same"), Wish("elsewhere", "same"), Wish("known", "odd")]
    planned = await plan_import(sold, [SELLER], wishes)
    assert [(one.name, one.sold.id is None) for one in planned.changes] == [
        ("stranger", False),
        ("elsewhere", True),
    ]
    assert [name for name, _ in planned.left] == ["known"]
    assert [one.name for one in planned.differing()] == ["stranger"]
    await apply_import(sold, [SELLER], wishes, planned)
    async with reading(sold) as connection:
        found = await sold_models(connection, now_ms())
    assert found["stranger"].price is not None and found["known"].price is not None
    assert found["stranger"].price.rates == {"input": 5 * USD, "output": 6 * USD}
    assert found["known"].price.rates == {"input": USD, "output": 2 * USD}


async def test_what_changed_meanwhile_is_not_written(sold: AsyncEngine, secrets: Secrets) -> None:
    planned = await plan_import(sold, [SELLER], [])
    text = FILE.replace('input = "1.00"', 'input = "1.50"', 1)
    await apply(sold, secrets, text, environ={})
    before = await version(sold), await count(sold)
    with pytest.raises(ChangedMeanwhile):
        await apply_import(sold, [SELLER], [], planned)
    assert (await version(sold), await count(sold)) == before


async def test_a_written_file_applies_to_the_same(sold: AsyncEngine, secrets: Secrets) -> None:
    planned = await plan_import(sold, [SELLER], [])
    text = "\n".join(
        model_table(one.name, one.context, one.sold.max_output, one.price, one.later)
        for one in planned.changes
    )
    report = await apply(sold, secrets, text, environ={})
    assert report.lines == ["~ model known: price", "~ model unpriced: price"]
    assert (await plan_import(sold, [SELLER], [])).differing() == []
