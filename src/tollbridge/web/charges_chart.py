"""Owns the chart of charges by day: who was charged in colours, all that have none of their own as one.

Must not know whose charges they are.
"""

from collections.abc import Sequence

from tollbridge.web import charts, filters
from tollbridge.web.charts import OTHER, Named, Series
from tollbridge.web.forms import N_
from tollbridge.web.visit import Visit


def charges_chart(
    visit: Visit,
    called: tuple[str, str],
    days: Sequence[str],
    total: int,
    charged: Sequence[Series],
) -> str:
    """Return the chart of nano-dollars by day; `called` are its id and its title, translated."""
    series = [one for one in charged if one.colour != OTHER]
    rest = [one.values for one in charged if one.colour == OTHER]
    if rest:
        sums = [sum(value or 0 for value in values) for values in zip(*rest, strict=True)]
        series.append(Series(visit.text(N_("Other")), sums, OTHER))
    text = visit.text(
        N_("%(sum)s from %(first)s to %(last)s. The table below has the figures."),
        sum=filters.usd(total),
        first=days[0],
        last=days[-1],
    )
    return charts.stacked(Named(*called, text), days, series, filters.usd)
