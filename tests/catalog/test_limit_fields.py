"""Proof that limits and budgets are read, bounded, and refused where they make no sense."""

import tomllib

import pytest

from tollbridge.catalog.fields import Fields, FileError
from tollbridge.catalog.limit_fields import BUDGET_FIELDS, LIMIT_FIELDS, read_budget, read_limits
from tollbridge.catalog.lines import Lines
from tollbridge.catalog.plan import BudgetPlan, LimitsPlan


def fields(text: str) -> Fields:
    return Fields(tomllib.loads(text), (), Lines(text), (*LIMIT_FIELDS, *BUDGET_FIELDS), what="it")


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", LimitsPlan(0, 0, 0)),
        ("rpm = 0\ntpm = 0\nconcurrency = 0", LimitsPlan(0, 0, 0)),
        ("tpm = 7", LimitsPlan(0, 7, 0)),
        (
            "rpm = 10000000\ntpm = 1000000000000\nconcurrency = 1000000",
            LimitsPlan(10_000_000, 1_000_000_000_000, 1_000_000),
        ),
    ],
)
def test_what_is_not_given_is_no_limit(text: str, limits: LimitsPlan):
    assert read_limits(fields(text)) == limits


@pytest.mark.parametrize("name", LIMIT_FIELDS)
@pytest.mark.parametrize("value", ["-1", "1000000000001", "1.0", "true", '"1"', "[1]"])
def test_a_limit_is_a_whole_number_within_bounds(name: str, value: str):
    with pytest.raises(FileError, match=f"^line 2: {name} must be"):
        read_limits(fields(f"\n{name} = {value}"))


@pytest.mark.parametrize("period", ["day", "week", "month"])
def test_a_budget_has_an_amount_and_a_period(period: str):
    text = f'budget = "0.000000001"\nbudget_period = "{period}"'
    assert read_budget(fields(text)) == BudgetPlan(1, period)


def test_no_budget():
    assert read_budget(fields("rpm = 1")) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('budget = "1"', "line 1: budget needs a budget_period beside it: day, week, month"),
        ('\nbudget_period = "day"', "line 2: budget_period needs a budget"),
        ('budget = "0"\nbudget_period = "day"', "line 1: budget must be above 0"),
        ('budget = "1"\nbudget_period = "hour"', "line 2: budget_period must be one of day"),
        ('budget = "1"\nbudget_period = ""', "line 2: budget_period must not be empty"),
    ],
)
def test_half_a_budget_is_refused(text: str, reason: str):
    with pytest.raises(FileError, match=f"^{reason}"):
        read_budget(fields(text))
