"""The twin of web/charges_chart.py: colours of their own first, the rest together, words around it."""

from tests.services.pages import House
from tests.web.test_visit import signed_in, visit
from tollbridge.web.charges_chart import charges_chart
from tollbridge.web.charts import OTHER, Series

DAYS = ("2026-01-01", "2026-01-02")
NANO = 10**9


def chart(house: House, charged: list[Series]) -> str:
    return charges_chart(visit(house, signed_in()), ("c", "Spent"), DAYS, 10 * NANO, charged)


async def test_all_without_a_colour_stand_together(house: House):
    charged = [
        Series("one", (NANO, 2 * NANO), 0),
        Series("two", (NANO, NANO), OTHER),
        Series("three", (2 * NANO, 3 * NANO), OTHER),
    ]
    made = chart(house, charged)
    assert made == chart(house, [charged[0], Series("Other", (3 * NANO, 4 * NANO), OTHER)])
    assert "Other" in made and "two" not in made
    assert "$10.00 from 2026-01-01 to 2026-01-02." in made


async def test_nothing_stands_together_where_all_have_colours(house: House):
    assert "Other" not in chart(house, [Series("one", (NANO, NANO), 0)])
