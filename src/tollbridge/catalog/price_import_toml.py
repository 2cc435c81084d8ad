"""Owns imported prices as [[model]] tables of the configuration file. Pure.

The limits of a model are the catalogue's where it has the model; what nobody knows is left to the
operator, in a comment, and `apply` refuses the file until it is said.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from tollbridge.catalog.plan import LaterPlan, PricePlan, ServicePlan
from tollbridge.core.money import format_usd


def model_table(
    name: str,
    context: int | None,
    max_output: int | None,
    price: PricePlan,
    later: tuple[LaterPlan, ...] = (),
) -> str:
    """Return one [[model]] table; limits that are None are asked for in a comment."""
    lines = ["[[model]]", f"name = {_text(name)}"]
    for field, value in (("context", context), ("max_output", max_output)):
        lines.append(f"# {field} = say it" if value is None else f"{field} = {value}")
    lines += _price_lines(price)
    for one in later:
        begins = datetime.fromtimestamp(one.from_ms // 1_000, UTC)
        lines += ["", "[[model.price]]", f"from = {begins:%Y-%m-%dT%H:%M:%SZ}"]
        lines += _price_lines(one.price)
    return "\n".join(lines) + "\n"


def _price_lines(price: PricePlan) -> Iterator[str]:
    for name, nano in (*price.rates.items(), *price.items.items()):
        yield f"{name} = {_money(nano)}"
    yield from price_rows(price)


def price_rows(price: PricePlan) -> Iterator[str]:
    """Yield the lines of what a price has besides single numbers: tiers, images, service tiers."""
    if price.tiers:
        yield from _rows("tiers", [_tier(one.above, one.rates) for one in price.tiers])
    if price.images:
        yield from _rows(
            "image",
            [
                f"size = {_text(one.size)}, quality = {_text(one.quality)}, price = {_money(one.price)}"
                for one in price.images
            ],
        )
    if price.services:
        yield from _rows("services", [_service(one) for one in price.services])


def _service(one: ServicePlan) -> str:
    fields = f"name = {_text(one.name)}, {_rates(one.rates)}"
    if not one.tiers:
        return fields
    tiers = ", ".join(f"{{ {_tier(tier.above, tier.rates)} }}" for tier in one.tiers)
    return f"{fields}, tiers = [{tiers}]"


def _rows(field: str, rows: list[str]) -> Iterator[str]:
    yield f"{field} = ["
    yield from (f"  {{ {row} }}," for row in rows)
    yield "]"


def _tier(above: int, rates: Mapping[str, int]) -> str:
    return f"above = {above}, {_rates(rates)}"


def _rates(rates: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {_money(nano)}" for name, nano in rates.items())


def _money(nano: int) -> str:
    return f'"{format_usd(nano)}"'


def _text(text: str) -> str:
    # Every JSON string without characters beyond the first plane is a TOML string.
    return json.dumps(text, ensure_ascii=False)
