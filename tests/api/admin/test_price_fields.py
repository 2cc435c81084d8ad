"""Proof that a list price keeps all it says on its way to the file's table and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tollbridge.api.admin.price_fields import GivenPrice, price_table, shown_price
from tollbridge.catalog.edits import NOWHERE
from tollbridge.catalog.fields import Fields
from tollbridge.catalog.model_fields import ITEMS, MODEL_FIELDS, read_price
from tollbridge.catalog.plan import ImagePlan, PricePlan, ServicePlan, TierPlan
from tollbridge.protocols.usage import TOKEN_BUCKETS

NANO = st.integers(0, 10**13)
RATES = st.fixed_dictionaries(dict.fromkeys(TOKEN_BUCKETS, NANO))
TIERS = st.builds(lambda rates: (TierPlan(200_000, rates),), RATES) | st.just(())
PLANS = st.builds(
    PricePlan,
    rates=RATES,
    tiers=TIERS,
    items=st.dictionaries(st.sampled_from(ITEMS), NANO),
    images=st.builds(lambda nano: (ImagePlan("1024x1024", "*", nano),), NANO) | st.just(()),
    services=st.builds(lambda rates, tiers: (ServicePlan("flex", rates, tiers),), RATES, TIERS)
    | st.just(()),
)


@given(PLANS)
def test_a_price_that_is_shown_is_the_price_that_is_there(plan: PricePlan):
    read = read_price(Fields(price_table(plan), (), NOWHERE, MODEL_FIELDS, what="a model"))
    assert read == plan
    assert GivenPrice.model_validate(shown_price(plan).model_dump()).table() == price_table(plan)


@pytest.mark.parametrize(
    "price",
    [{"rates": {"name": "1.00"}}, {"rates": {"request": "1.00"}}, {"items": {"input": "1.00"}},
     {"tiers": [{"above": 1, "rates": {"above": "1.00"}}]}, {"price": "1.00"}],
)  # fmt: skip
def test_only_names_of_prices_are_taken(price):
    with pytest.raises(ValidationError):
        GivenPrice.model_validate(price)
