"""Proof that imported prices, written as a configuration, say the same when they are read again."""

import re

import pytest

from tests.catalog.test_price_import import AT
from tollbridge.catalog.file import FileError, parse_file
from tollbridge.catalog.plan import ImagePlan, LaterPlan, PricePlan, ServicePlan, TierPlan
from tollbridge.catalog.price_import import Unsayable, translated
from tollbridge.catalog.price_import_source import chosen, read_source
from tollbridge.catalog.price_import_toml import model_table

USD = 10**9
RATES = {"input": USD, "output": 2 * USD}
FULL = PricePlan(
    RATES,
    (TierPlan(5, RATES), TierPlan(7, RATES)),
    {"web_search": 1},
    (ImagePlan("*", 'h"d', 11),),
    (ServicePlan("batch", RATES, ()), ServicePlan("flex", RATES, (TierPlan(5, RATES),))),
)


def test_everything_comes_back() -> None:
    later = (LaterPlan(1_800_014_400_000, FULL),)
    name = 'a/"model"-ü'
    text = model_table(name, 1_000, 100, FULL, later)
    (plan,) = parse_file(text, {}).models
    assert (plan.name, plan.context, plan.max_output) == (name, 1_000, 100)
    assert (plan.price, plan.later) == (FULL, later)


def test_what_nobody_knows_has_to_be_said() -> None:
    text = model_table("m", None, None, FULL)
    with pytest.raises(FileError, match="context"):
        parse_file(text, {})
    told = re.sub(r"# (context|max_output) = say it", r"\1 = 9", text)
    assert parse_file(told, {}).models[0].price == FULL


def test_all_of_the_source_can_be_applied() -> None:
    tables = []
    wanted = {}
    for provider in chosen(read_source(), ()):
        for model in provider.models:
            try:
                found = translated(model, AT)
            except Unsayable:
                continue
            if " " in model.id or "*" in model.id:
                continue
            name = f"{provider.id}/{model.id}"
            wanted[name] = found
            tables.append(model_table(name, 9, 9, found.price, found.later))
    read = {plan.name: plan for plan in parse_file("\n".join(tables), {}).models}
    assert len(read) == len(wanted) > 300
    for name, found in wanted.items():
        assert (read[name].price, read[name].later) == (found.price, found.later), name
