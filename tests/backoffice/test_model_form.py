"""Property: a model and its price shown in fields and read back are the same."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.backoffice.test_channel_form import posted
from tollbridge.backoffice import model_form
from tollbridge.catalog.edits import NOWHERE
from tollbridge.catalog.fields import Fields
from tollbridge.catalog.model_fields import ITEMS, MODEL_FIELDS, PRICE_MAX, read_model
from tollbridge.catalog.plan import ImagePlan, PricePlan, ServicePlan, TierPlan
from tollbridge.catalog.price_import_diff import NAMES
from tollbridge.protocols.usage import TOKEN_BUCKETS

_NANO = st.integers(0, PRICE_MAX)
_RATES = st.fixed_dictionaries(dict.fromkeys(TOKEN_BUCKETS, _NANO))
PRICES = st.builds(
    PricePlan,
    rates=_RATES,
    tiers=st.lists(st.builds(TierPlan, st.just(5) | st.just(9), _RATES), max_size=1).map(tuple),
    items=st.dictionaries(st.sampled_from(ITEMS), _NANO),
    images=st.lists(st.builds(ImagePlan, st.just('1"x'), st.just("*"), _NANO), max_size=1).map(
        tuple
    ),
    services=st.lists(st.builds(ServicePlan, st.just("flex"), _RATES, st.just(())), max_size=1).map(
        tuple
    ),
)
TABLE = {
    "name": "m", "context": 5, "max_output": 3, "n_max": 0, "prompt_max": 1, "text_max": 2,
    "sizes": ["1x1", "2x2"], "efforts": ["low"],
}  # fmt: skip


def test_every_price_has_a_name() -> None:
    assert set(NAMES) == set(model_form.PRICES)


@given(PRICES)
def test_what_is_shown_and_sent_back_is_the_same(price: PricePlan) -> None:
    form = posted(model_form.shown(TABLE, price))
    table: dict[str, Any] = model_form.table_of(form)
    plan = read_model(Fields(table, (), NOWHERE, MODEL_FIELDS, what="a model"))
    assert form.ok and plan.price == price
    assert (plan.sizes, plan.efforts, plan.context) == (("1x1", "2x2"), ("low",), 5)


def test_moments() -> None:
    assert model_form.moment_of(posted({"from": ""})) is None
    assert model_form.moment_of(posted({"from": "2030-01-31T08:00"})) == 1_896_076_800_000
    form = posted({"from": "2030-02-31T08:00"})
    assert model_form.moment_of(form) is None and not form.ok
