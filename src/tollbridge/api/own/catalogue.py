"""Owns /api/user/channels and /api/user/prices: what one may choose, and what it costs there.

From the snapshot that calls are served by, so that a price here is the price of a call. Must not
know how a price is worked out.
"""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy import select

from tollbridge.api.admin.fields import Answer, GivenId, Id, PathId
from tollbridge.api.admin.paging import Page, Paging, page
from tollbridge.api.admin.principal import Principal, require
from tollbridge.api.admin.problems import invalid, not_found
from tollbridge.api.answers import services_of
from tollbridge.api.model_prices import price_fields
from tollbridge.billing.pricing import is_priced
from tollbridge.catalog.factors import lasting_multiplier
from tollbridge.catalog.snapshot import Channel, Snapshot
from tollbridge.catalog.visibility import listed_models, open_channels
from tollbridge.identity.scopes import Scope
from tollbridge.storage.tables import users
from tollbridge.storage.unit_of_work import reading

router = APIRouter(tags=["catalogue"])

Reads = Annotated[Principal, require(Scope.OWN_READ)]
_NAME_MAX = 256


class OpenChannel(Answer):
    """A channel that keys may be bound to. `multiplier` is what is paid there outside peak hours."""

    id: Id
    name: str
    platform: str
    surfaces: list[str]
    capabilities: list[str]
    multiplier: str = Field(description="On list prices; an exact decimal.")


class Override(Answer):
    """Rates of calls with at least so many input tokens."""

    min_prompt_tokens: int
    rates: dict[str, str]


class ImagePrice(Answer):
    """What an image of a size and quality costs."""

    size: str
    quality: str
    price: str


class Offer(Answer):
    """What a model costs through the cheapest channel that lists it: dollars each, exact decimals."""

    model: str
    channel_id: Id
    channel: str
    context: int | None
    max_output: int | None
    rates: dict[str, str]
    overrides: list[Override]
    images: list[ImagePrice]


class OfferQuery(Paging):
    """Which prices."""

    cursor: str | None = Field(
        None, max_length=_NAME_MAX, description="Where to go on; take it from `next`."
    )
    channel: GivenId | None = Field(None, description="Through this channel.")


@router.get("/channels")
async def channels(
    request: Request, asked: Annotated[Paging, Query()], principal: Reads
) -> Page[OpenChannel]:
    """List the channels that one may choose."""
    snapshot, group = await _view(request, principal)
    after = asked.after_id()
    rows = sorted(open_channels(snapshot, None, group), key=lambda one: one.id)
    shown = [_channel(snapshot, one, group) for one in rows if after is None or one.id > after]
    return page(request, asked, shown)


@router.get("/channels/{channel_id}")
async def channel(request: Request, channel_id: PathId, principal: Reads) -> OpenChannel:
    """Show one of them."""
    snapshot, group = await _view(request, principal)
    return _channel(snapshot, _open(snapshot, channel_id, group), group)


@router.get("/prices")
async def prices(
    request: Request, asked: Annotated[OfferQuery, Query()], principal: Reads
) -> Page[Offer]:
    """List what models cost, by name."""
    snapshot, group = await _view(request, principal)
    those = open_channels(snapshot, None, group)
    if asked.channel is not None:
        those = [one for one in those if one.id == asked.channel]
        if not those:
            raise invalid("query.channel", "There is no such channel.")
    rows = [one for one in _offers(snapshot, those, group) if one.model > (asked.cursor or "")]
    return page(request, asked, rows, key="model")


async def _view(request: Request, principal: Principal) -> tuple[Snapshot, str]:
    """Return the catalogue, and the group whose channels it is looked at for."""
    services = services_of(request)
    query = select(users.c.group_name).where(users.c.id == principal.user_id)
    async with reading(services.engine) as connection:
        group: str = (await connection.execute(query)).scalar_one()
    return services.snapshot(), group


def _open(snapshot: Snapshot, channel_id: int, group: str) -> Channel:
    for one in open_channels(snapshot, None, group):
        if one.id == channel_id:
            return one
    raise not_found("such channel")


def _channel(snapshot: Snapshot, one: Channel, group: str) -> OpenChannel:
    return OpenChannel(
        id=one.id,
        name=one.name,
        platform=one.platform,
        surfaces=sorted(one.surfaces),
        capabilities=sorted(one.capabilities),
        multiplier=lasting_multiplier(snapshot, one, group).text(),
    )


def _offers(snapshot: Snapshot, those: list[Channel], group: str) -> Iterator[Offer]:
    for name, selling in listed_models(snapshot, those, frozenset()).items():
        model = snapshot.model(name)
        if model is None or model.price is None or not is_priced(model.price):
            continue
        priced = price_fields(model.price, lasting_multiplier(snapshot, selling, group))
        yield Offer(
            model=name,
            channel_id=selling.id,
            channel=selling.name,
            context=model.context,
            max_output=model.max_output,
            **_rates(priced),
        )


def _rates(priced: dict[str, Any]) -> dict[str, Any]:
    rates = dict(priced["pricing"])
    overrides = [
        Override(min_prompt_tokens=one.pop("min_prompt_tokens"), rates=one)
        for one in rates.pop("overrides", ())
    ]
    images = [ImagePrice(**one) for one in priced.get("image_pricing", ())]
    return {"rates": rates, "overrides": overrides, "images": images}
