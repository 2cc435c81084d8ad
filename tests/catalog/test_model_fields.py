"""Proof of the [[model]] tables: exact money, nothing free by omission, faults with their line."""

import pytest

from tests.catalog.sample import MODEL
from tollbridge.catalog.file import FileError, parse_file
from tollbridge.catalog.plan import ImagePlan, ModelPlan, PricePlan, TierPlan

BARE = '[[model]]\nname = "m"\ncontext = 10\nmax_output = 5\n'


def read(text: str) -> ModelPlan:
    return parse_file(text, {}).models[0]


def test_every_field_arrives_exactly():
    rates = {"input": 2_500_000_000, "cache_read": 250_000_000, "output": 10_000_000_000}
    above = {"input": 5_000_000_000, "cache_read": 500_000_000, "output": 15_000_000_000}
    price = PricePlan(
        rates,
        (TierPlan(200_000, above),),
        {"web_search": 10_000_000},
        (ImagePlan("1024x1024", "high", 190_000_000),),
    )
    expected = ModelPlan(1, "gpt-5.4", 400_000, 128_000, price, ("1024x1024",), 4, 32_000, 4096)
    assert read(MODEL) == expected


def test_a_model_may_be_unpriced_or_sold_by_items_alone():
    assert read(BARE).price is None
    assert read(BARE + 'request = "0.01"').price == PricePlan({}, (), {"request": 10_000_000}, ())


@pytest.mark.parametrize(
    ("more", "line", "reason"),
    [
        ('input = "1"', 5, "must both be priced"),
        ('cache_read = "1"', 5, "must both be priced"),
        ('input = 1\noutput = "1"', 5, "decimal string"),
        ('input = "1"\noutput = 2.5', 6, "decimal string"),
        ('input = "-1"\noutput = "1"', 5, "input"),
        ('input = "1"\noutput = "1e3"', 6, "output"),
        ('input = "0.0000000001"\noutput = "1"', 5, "input"),
        ('input = "1"\noutput = "100001"', 6, "sane"),
        ('inptu = "1"', 5, "did you mean input?"),
        ('zzz = "1"', 5, "it may have"),
        ("tiers = [{above = 1}]", 5, "tiers need"),
        ('request = "1"\ntiers = [{above = 1}]', 6, "tiers need"),
        ('input = "1"\noutput = "1"\ntiers = [{above = 1, input = "1"}]', 7, "both be priced"),
        ('input = "1"\noutput = "1"\ntiers = [{above = 0}]', 7, "above must be from 1"),
        (
            'input = "1"\noutput = "1"\ntiers = [{above = 9, input = "1", output = "1", up = 1}]',
            7,
            "up",
        ),
        (
            (
                'input = "1"\noutput = "1"\ncache_read = "1"\n'
                'tiers = [{above = 1, input = "1", output = "1"}]'
            ),
            8,
            "must price cache_read",
        ),
        ('image = [{size = "a"}]', 5, "needs price"),
        ('image = [{price = "1"}, {price = "2"}]', 5, "twice"),
        ('sizes = "1x1"', 5, "list of strings"),
        ('sizes = ["a", "a"]', 5, "twice"),
        ("n_max = -1", 5, "n_max must be from 0"),
        ("n_max = true", 5, "whole number"),
    ],
)
def test_a_wrong_field_says_line_and_reason(more: str, line: int, reason: str):
    with pytest.raises(FileError) as caught:
        read(BARE + more)
    assert (caught.value.line, reason in caught.value.reason) == (line, True), caught.value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "needs name"),
        ('name = "a b"', "no blanks"),
        ('name = "a*b"', "one * at the end"),
        ('name = ""', "empty"),
        ('name = "a"', "needs context"),
        ('name = "a"\ncontext = 0', "context must be from 1"),
        ('name = "a"\ncontext = 10', "needs max_output"),
    ],
)
def test_a_model_needs_a_name_and_its_sizes(text: str, reason: str):
    with pytest.raises(FileError, match=reason.replace("*", r"\*")):
        read(f"[[model]]\n{text}\n")


def test_efforts_stand_in_rising_order_and_must_be_known():
    text = '[[model]]\nname = "m"\ncontext = 1\nmax_output = 1\nefforts = ["high", "low"]\n'
    assert read(text).efforts == ("low", "high")
    with pytest.raises(FileError, match="line 5: efforts may hold none, minimal, low"):
        read(text.replace("high", "huge"))
