"""Owns the form of a list price in the control plane's JSON, and its way to the file's table and back.

Dollars a million tokens or an item, as texts. What is wrong with a price is the file's reader to say.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, WithJsonSchema

from tollbridge.api.admin.fields import Answer, Body, PlainText
from tollbridge.catalog.model_fields import ITEMS
from tollbridge.catalog.plan import PricePlan, TierPlan
from tollbridge.core.money import format_usd
from tollbridge.protocols.usage import TOKEN_BUCKETS

_ROWS_MAX: Final = 100
_NAME_MAX: Final = 64
_TOKENS_MAX: Final = 100_000_000
_AMOUNT_SCHEMA: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": r"^[0-9]{1,5}(\.[0-9]{1,9})?$",
}
_Amount = Annotated[str, Field(max_length=32), WithJsonSchema(_AMOUNT_SCHEMA)]


def _known(names: Collection[str]) -> AfterValidator:
    """Return a check that the keys of a table are names of prices, and of nothing else."""

    def check(table: dict[str, str]) -> dict[str, str]:
        if not table.keys() <= set(names):
            raise ValueError(f"Only {', '.join(names)} have such a price.")
        return table

    return AfterValidator(check)


def _schema(names: Collection[str]) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"enum": list(names)},
            "additionalProperties": _AMOUNT_SCHEMA,
        }
    )


_Rates = Annotated[dict[str, _Amount], _known(TOKEN_BUCKETS), _schema(TOKEN_BUCKETS)]
_Items = Annotated[dict[str, _Amount], _known(ITEMS), _schema(ITEMS)]
_Text = Annotated[PlainText, Field(min_length=1, max_length=_NAME_MAX)]


class Tier(Body):
    """The rates of calls with more input tokens than `above`."""

    above: int = Field(ge=1, le=_TOKENS_MAX)
    rates: _Rates


class ImageRow(Body):
    """What an image of a size and quality costs; * is any."""

    size: _Text = "*"
    quality: _Text = "*"
    price: _Amount


class Service(Body):
    """The rates of answers of a service tier."""

    name: _Text
    rates: _Rates
    tiers: list[Tier] = Field([], max_length=_ROWS_MAX)


class GivenPrice(Body):
    """A whole list price: what is left out costs nothing or is not sold."""

    rates: _Rates = Field({}, description="Dollars a million tokens: input, output, cache_read …")
    items: _Items = Field({}, description="Dollars each: request, second, character, web_search.")
    tiers: list[Tier] = Field([], max_length=_ROWS_MAX)
    images: list[ImageRow] = Field([], max_length=_ROWS_MAX)
    services: list[Service] = Field([], max_length=_ROWS_MAX)

    def table(self) -> dict[str, Any]:
        """Return the fields of the file's [[model]] that say the same."""
        rows = {
            "tiers": [_tier(one) for one in self.tiers],
            "image": [one.model_dump() for one in self.images],
            "services": [
                {**one.rates, "name": one.name}
                | ({"tiers": [_tier(tier) for tier in one.tiers]} if one.tiers else {})
                for one in self.services
            ],
        }
        return {**self.rates, **self.items, **{name: row for name, row in rows.items() if row}}


class ShownTier(Answer):
    """The rates of calls with more input tokens than `above`."""

    above: int
    rates: dict[str, str]


class ShownImage(Answer):
    """What an image of a size and quality costs; * is any."""

    size: str
    quality: str
    price: str


class ShownService(Answer):
    """The rates of answers of a service tier."""

    name: str
    rates: dict[str, str]
    tiers: list[ShownTier]


class ShownPrice(Answer):
    """A list price: dollars a million tokens, and each item."""

    rates: dict[str, str]
    items: dict[str, str]
    tiers: list[ShownTier]
    images: list[ShownImage]
    services: list[ShownService]


def shown_price(plan: PricePlan) -> ShownPrice:
    """Return a price as it is shown."""
    return ShownPrice(
        rates=_dollars(plan.rates),
        items=_dollars(plan.items),
        tiers=[_shown_tier(one) for one in plan.tiers],
        images=[
            ShownImage(size=one.size, quality=one.quality, price=format_usd(one.price))
            for one in plan.images
        ],
        services=[
            ShownService(
                name=one.name,
                rates=_dollars(one.rates),
                tiers=[_shown_tier(tier) for tier in one.tiers],
            )
            for one in plan.services
        ],
    )


def price_table(plan: PricePlan) -> dict[str, Any]:
    """Return the fields of the file's [[model]] that say a price that is there."""
    return GivenPrice.model_validate(shown_price(plan).model_dump()).table()


def _tier(one: Tier) -> dict[str, Any]:
    return {**one.rates, "above": one.above}


def _shown_tier(one: TierPlan) -> ShownTier:
    return ShownTier(above=one.above, rates=_dollars(one.rates))


def _dollars(nano: Mapping[str, int]) -> dict[str, str]:
    return {name: format_usd(value) for name, value in nano.items()}
