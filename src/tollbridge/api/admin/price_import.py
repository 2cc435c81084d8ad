"""Owns /api/admin/prices/import: list prices from a published collection, looked at and then taken.

A diff has a mark; only what was looked at is taken. Must not know how prices are translated.
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Query, Request
from genai_prices.types import Provider
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.admin.fields import Answer, Body, PlainText
from tollbridge.api.admin.principal import Principal, actor_of, require
from tollbridge.api.admin.problems import conflict, invalid
from tollbridge.api.answers import services_of
from tollbridge.catalog.edits import Edit
from tollbridge.catalog.price_import_rows import (
    Change,
    ChangedMeanwhile,
    Import,
    plan_import,
    take_import,
)
from tollbridge.catalog.price_import_source import SOURCE, Wish, chosen, read_source
from tollbridge.core.clock import now_ms
from tollbridge.identity.scopes import Scope
from tollbridge.people.edits import note_edit
from tollbridge.storage.rows import to_json
from tollbridge.storage.unit_of_work import writing

router = APIRouter(prefix="/prices/import", tags=["prices"])

_NAME_MAX, _NAMES_MAX, _MARK = 513, 200, 64
_Names = Annotated[
    list[Annotated[PlainText, Field(min_length=1, max_length=_NAME_MAX)]],
    Field(max_length=_NAMES_MAX),
]


class PriceChange(Answer):
    """A model whose price would become another; `lines` say how, `notes` what is left out."""

    model: str
    provider: str
    lines: list[str]
    notes: list[str]


class Left(Answer):
    """A model that keeps its price, and why."""

    model: str
    why: str


class Diff(Answer):
    """What an import would do. Send `mark` to take exactly that."""

    mark: str
    changes: list[PriceChange]
    left: list[Left]


class ImportQuery(BaseModel):
    """Whose prices, and of which models (NAME or NAME=SOURCE-NAME); none: all that is sold."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    provider: _Names = Field([])
    model: _Names = Field([])


class Taken(Body):
    """Which import: the same question as the diff's, and its mark."""

    mark: str = Field(min_length=_MARK, max_length=_MARK, pattern="^[0-9a-f]{64}$")
    provider: _Names = Field([])
    model: _Names = Field([])


class Done(Answer):
    """The prices that were taken."""

    changes: list[PriceChange]


@router.get("")
async def diff(
    request: Request,
    asked: Annotated[ImportQuery, Query()],
    _principal: Annotated[Principal, require(Scope.PRICES_READ)],
) -> Diff:
    """Show how list prices differ from those in force."""
    providers, wishes = await _question(asked.provider, asked.model, "query")
    planned = await plan_import(services_of(request).engine, providers, wishes)
    return Diff(
        mark=_mark(planned),
        changes=[_change(one) for one in planned.differing()],
        left=[Left(model=name, why=why) for name, why in planned.left],
    )


@router.post("")
async def take(
    request: Request,
    body: Taken,
    principal: Annotated[Principal, require(Scope.PRICES_WRITE)],
) -> Done:
    """Take the prices of a diff; 409 when it would be another by now."""
    providers, wishes = await _question(body.provider, body.model, "body")
    try:
        async with writing(services_of(request).engine) as connection:
            done = await take_import(
                connection, providers, wishes, lambda planned: _mark(planned) == body.mark
            )
            for one in done:
                await note_edit(connection, actor_of(request, principal), _edit(one), now_ms())
            if not done:
                await connection.rollback()
    except ChangedMeanwhile:
        raise conflict("These are not the changes that were looked at; look again.") from None
    return Done(changes=[_change(one) for one in done])


async def _question(
    names: Sequence[str], models: Sequence[str], where: str
) -> tuple[Sequence[Provider], list[Wish]]:
    # The first look at the source builds all of its models.
    source = await asyncio.to_thread(read_source)
    try:
        providers = chosen(source, names)
    except ValueError:
        raise invalid(f"{where}.provider", "The source has no such provider.") from None
    try:
        return providers, [Wish.of_text(name) for name in dict.fromkeys(models)]
    except ValueError as error:
        raise invalid(f"{where}.model", f"{error}.".capitalize()) from None


def _mark(planned: Import) -> str:
    """Return what stands for an import, down to each number before and after."""
    marks = [[one.name, one.mark()] for one in planned.differing()]
    return sha256(to_json(marks).encode()).hexdigest()


def _edit(one: Change) -> Edit:
    assert one.sold.id is not None
    told = {"prices": list(one.lines), "source": f"{SOURCE}, {one.provider}"}
    return Edit("model.import_price", "model", one.sold.id, one.name, {}, told)


def _change(one: Change) -> PriceChange:
    return PriceChange(
        model=one.name, provider=one.provider, lines=list(one.lines), notes=list(one.notes)
    )
