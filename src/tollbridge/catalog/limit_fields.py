"""Owns the fields that limit a rate or a budget, wherever they stand in the configuration file. Pure."""

from typing import Final

from tollbridge.catalog.fields import Fields
from tollbridge.catalog.plan import BudgetPlan, LimitsPlan
from tollbridge.core.periods import PERIODS

LIMIT_FIELDS = ("rpm", "tpm", "concurrency")
BUDGET_FIELDS = ("budget", "budget_period")

RPM_MAX: Final = 10_000_000
TPM_MAX: Final = 1_000_000_000_000
CONCURRENCY_MAX: Final = 1_000_000


def read_limits(fields: Fields) -> LimitsPlan:
    """Return the requests and tokens per minute and the calls at a time; 0 is no limit."""
    return LimitsPlan(
        rpm=fields.integer("rpm", 0, 0, RPM_MAX),
        tpm=fields.integer("tpm", 0, 0, TPM_MAX),
        concurrency=fields.integer("concurrency", 0, 0, CONCURRENCY_MAX),
    )


def read_budget(fields: Fields) -> BudgetPlan | None:
    """Return what may be spent in each period, None when neither field is given."""
    amount = fields.money("budget")
    if amount is None:
        if "budget_period" in fields:
            raise fields.error("budget_period", "budget_period needs a budget beside it")
        return None
    if "budget_period" not in fields:
        reason = f"budget needs a budget_period beside it: {', '.join(PERIODS)}"
        raise fields.error("budget", reason)
    if amount == 0:
        raise fields.error("budget", "budget must be above 0; without one leave both fields out")
    return BudgetPlan(amount, fields.choice("budget_period", PERIODS))
