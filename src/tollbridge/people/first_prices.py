"""Owns the prices of the first channel's models: what an import would write, and writing what was seen.

Other than the everyday import this one also makes models that the catalogue does not have. Must not
know pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.channel_editing import channel_row
from tollbridge.catalog.edits import NoSuchRow
from tollbridge.catalog.model_rows import put_model
from tollbridge.catalog.plan import ModelPlan, PricePlan
from tollbridge.catalog.price_import_diff import flat
from tollbridge.catalog.price_import_rows import Change, ChangedMeanwhile, sold_models, work_out
from tollbridge.catalog.price_import_source import Wish, chosen, read_source
from tollbridge.catalog.price_rows import match_price
from tollbridge.catalog.sealed import SEALING_TURN
from tollbridge.core.money import format_usd
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.storage.rows import names_from_json
from tollbridge.storage.tables import models
from tollbridge.storage.unit_of_work import take_turns

__all__ = ["ChangedMeanwhile", "Offer", "Size", "offered", "price_rows", "take_offer"]


@dataclass(frozen=True, slots=True)
class Size:
    """How many tokens a model takes in all and gives at most; both above zero."""

    context: int
    max_output: int


@dataclass(frozen=True, slots=True)
class Offer:
    """The prices that the list has for a channel's models, and the models that it has none for."""

    changes: tuple[Change, ...]
    left: tuple[str, ...]

    def differing(self) -> list[Change]:
        """Return the models that are new or whose price changes."""
        return [one for one in self.changes if one.lines or one.sold.id is None]

    def mark(self) -> str:
        """Return what stands for all of it, down to each number before and after."""
        marks = " ".join(one.mark() for one in self.differing())
        return sha256(marks.encode()).hexdigest()


async def offered(connection: AsyncConnection, channel_id: int | None, at_ms: int) -> Offer:
    """Return what an import would do for the models of a channel; nothing where there is none."""
    if channel_id is None:
        return Offer((), ())
    try:
        row = await channel_row(connection, channel_id)
    except NoSuchRow:
        return Offer((), ())
    names = names_from_json(row["models"])
    single = [name for name in names if not name.endswith("*") and "=" not in name]
    sold = await sold_models(connection, at_ms)
    if not single:
        return Offer((), names)
    found = work_out(chosen(read_source(), ()), [Wish(one, one) for one in single], sold, at_ms)
    left = [name for name, _ in found.left] + [name for name in names if name not in single]
    unpriced = [name for name in left if name not in sold or sold[name].price is None]
    return Offer(found.changes, tuple(sorted(unpriced)))


async def take_offer(
    connection: AsyncConnection,
    actor: Actor,
    channel_id: int | None,
    mark: str,
    sizes: Mapping[str, Size],
    at_ms: int,
) -> list[str]:
    """Write the offer with this mark and return the models it prices; ChangedMeanwhile for another.

    `sizes` has every model that is new. In a transaction of `writing`, not to be kept after an
    exception.
    """
    await take_turns(connection, SEALING_TURN)
    offer = await offered(connection, channel_id, at_ms)
    if offer.mark() != mark or not _news(offer) <= sizes.keys():
        raise ChangedMeanwhile
    for one in offer.differing():
        if one.sold.id is None:
            await _make(connection, one, sizes[one.name], at_ms)
        else:
            await match_price(connection, one.sold.id, one.price, at_ms, one.later)
        subject = Subject("model", one.sold.id, one.name)
        after = _dollars(one.price)
        before = _dollars(one.sold.price)
        await note(connection, actor, "price.import", subject, at_ms, before=before, after=after)
    return [one.name for one in offer.differing()]


def price_rows(change: Change) -> list[tuple[str, int | None, int | None]]:
    """Return each price of a model that changes: its name, before and after in nano-dollars."""
    before, after = flat(change.sold.price) if change.sold.price else {}, flat(change.price)
    names = dict.fromkeys((*after, *before))
    return [
        (name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _news(offer: Offer) -> set[str]:
    return {one.name for one in offer.changes if one.sold.id is None}


async def _make(connection: AsyncConnection, one: Change, size: Size, at_ms: int) -> None:
    # One that is switched off is not among what is sold, and still has its name.
    query = select(models).where(models.c.name == one.name)
    row = (await connection.execute(query)).mappings().one_or_none()
    plan = ModelPlan(
        line=1,
        name=one.name,
        context=size.context,
        max_output=size.max_output,
        price=one.price,
        sizes=(),
        n_max=0,
        prompt_max=0,
        text_max=0,
        later=one.later,
    )
    await put_model(connection, row, plan, at_ms=at_ms)


def _dollars(price: PricePlan | None) -> dict[str, str]:
    return {name: format_usd(nano) for name, nano in flat(price).items()} if price else {}
