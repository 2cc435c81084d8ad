"""Proof of what a [[model]] says beyond its prices of now: service tiers, and prices that follow."""

from datetime import UTC, datetime

import pytest

from tollbridge.catalog.file import FileError, parse_file
from tollbridge.catalog.plan import LaterPlan, ModelPlan, PricePlan, ServicePlan, TierPlan

BARE = '[[model]]\nname = "m"\ncontext = 10\nmax_output = 5\ninput = "1"\noutput = "2"\n'
ITEMS = '[[model]]\nname = "m"\ncontext = 10\nmax_output = 5\nrequest = "1"\n'
ONE, TWO = {"input": 10**9, "output": 2 * 10**9}, {"input": 3 * 10**9, "output": 4 * 10**9}


def read(text: str) -> ModelPlan:
    return parse_file(text, {}).models[0]


def later(*rows: str) -> str:
    return "".join(f"[[model.price]]\n{row}\n" for row in rows)


def ms(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1000


def test_service_tiers_are_read_by_name():
    tiers = 'tiers = [{above = 9, input = "3", output = "4"}]'
    found = read(
        f'{BARE}services = [{{name = "priority", input = "3", output = "4"}},\n'
        f'{{name = "flex", input = "1", output = "2", {tiers}}}]'
    )
    assert found.price is not None
    assert found.price.services == (
        ServicePlan("flex", ONE, (TierPlan(9, TWO),)),
        ServicePlan("priority", TWO, ()),
    )


def test_later_prices_are_read_by_their_moments():
    found = read(BARE + later(
        'from = 2032-01-01T00:00:00Z\nrequest = "1"',
        'from = "2031-01-01T01:00:00+01:00"\ninput = "3"\noutput = "4"',
    ))  # fmt: skip
    assert found.price == PricePlan(ONE, (), {}, ())
    assert found.later == (
        LaterPlan(ms(2031), PricePlan(TWO, (), {}, ())),
        LaterPlan(ms(2032), PricePlan({}, (), {"request": 10**9}, ())),
    )


def test_a_model_may_get_its_first_price_later():
    text = '[[model]]\nname = "m"\ncontext = 10\nmax_output = 5\n'
    found = read(text + later('from = 2031-01-01T00:00:00Z\nrequest = "1"'))
    assert found.price is None
    assert [one.from_ms for one in found.later] == [ms(2031)]


def test_a_later_price_has_services_of_its_own():
    found = read(BARE + later(
        'from = 2031-01-01T00:00:00Z\ninput = "3"\noutput = "4"\n'
        'services = [{name = "flex", input = "1", output = "2"}]'
    ))  # fmt: skip
    assert found.price is not None
    assert found.price.services == ()
    assert found.later[0].price.services == (ServicePlan("flex", ONE, ()),)


FLEX = 'services = [{name = "flex", input = "1", output = "1"}'
FROM = "from = 2031-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (BARE + 'services = "flex"', 7, "services"),
        (BARE + 'services = ["flex"]', 7, "a service tier must be a table"),
        (BARE + 'services = [{input = "1", output = "1"}]', 7, "a service tier needs name"),
        (BARE + 'services = [{name = "flex"}]', 7, "tier flex must price input as the model does"),
        (BARE + 'services = [{name = "flex", input = "1"}]', 7, "must both be priced"),
        (BARE + 'services = [{name = "Flex", input = "1", output = "1"}]', 7, "in lower case"),
        (BARE + 'services = [{name = "a b", input = "1", output = "1"}]', 7, "in lower case"),
        (BARE + f'services = [{{name = "{"x" * 33}"}}]', 7, "at most 32 characters"),
        (BARE + 'services = [{name = "default", input = "1", output = "1"}]', 7, "the usual one"),
        (BARE + 'services = [{name = "standard", input = "1", output = "1"}]', 7, "the usual one"),
        (BARE + f'{FLEX},\n{{name = "flex", input = "1", output = "1"}}]', 7, "same tier twice"),
        (BARE + 'services = [{name = "flex", request = "1"}]', 7, "has no field 'request'"),
        (
            BARE + 'cache_read = "1"\n' + f"{FLEX}]",
            8,
            "tier flex must price cache_read as the model does",
        ),
        (
            BARE + 'services = [{name = "flex", input = "1", output = "1",'
            ' tiers = [{above = 1, input = "1"}]}]',
            7,
            "must both be priced",
        ),
        (ITEMS + f"{FLEX}]", 6, "services need the model's own input and output prices"),
        ('[[model]]\nname = "m"\ncontext = 1\nmax_output = 1\n' + f"{FLEX}]", 5, "services need"),
        (BARE + 'price = "1"', 7, "price"),
        (BARE + f'[model.price]\n{FROM}\nrequest = "1"', 7, "price"),
        (BARE + later('request = "1"'), 7, "a later price needs from"),
        (BARE + later(FROM), 7, "a later price must price something"),
        (BARE + later('from = 2031-01-01\nrequest = "1"'), 8, "date-time with an offset"),
        (BARE + later('from = 2031-01-01T00:00:00\nrequest = "1"'), 8, "date-time with an offset"),
        (BARE + later('from = "soon"\nrequest = "1"'), 8, "date-time with an offset"),
        (BARE + later('from = 1\nrequest = "1"'), 8, "date-time with an offset"),
        # At the edge of what a date can be, an offset leads beyond it.
        (BARE + later('from = 0001-01-01T00:00:00+14:00\nrequest = "1"'), 8, "date-time with"),
        (BARE + later('from = 9999-12-31T23:59:59-14:00\nrequest = "1"'), 8, "date-time with"),
        (BARE + later(f'{FROM}\ninput = "1"'), 9, "must both be priced"),
        (BARE + later(f'{FROM}\nrequest = "1"\ncontext = 5'), 10, "has no field 'context'"),
        (BARE + later(f'{FROM}\nrequest = "1"\n{FLEX}]'), 10, "services need"),
        (
            BARE + later(f'{FROM}\nrequest = "1"', 'from = 2031-01-01T02:00:00+02:00\nrequest = "2"'),
            11,
            "two later prices begin at the same moment",
        ),
    ],
)  # fmt: skip
def test_faults_are_named(text: str, line: int, reason: str):
    with pytest.raises(FileError) as caught:
        parse_file(text, {})
    assert reason in caught.value.reason
    assert caught.value.line == line
