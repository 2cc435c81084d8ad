"""Owns the audit log as operators read it: filtered, by pages, its details as names and values."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from tollbridge.core.storable import id_in
from tollbridge.identity.audit import Wanted, lines
from tollbridge.identity.scopes import Scope
from tollbridge.identity.users import find_user
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.filters import DASH, iso
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()
_PAGE = 50
_TEXT_MAX = 320
_FIRST = ("reason", "amount", "before", "after")
_NOBODY = -1
"""The id of no user and of nothing else."""


@pages.get("/backoffice/audit", operator(Scope.AUDIT_READ))
async def read_audit(visit: Visit) -> Response:
    """Show the lines that the filters ask for, the newest first."""
    names = ("actor", "action", "kind", "subject")
    asked = {name: visit.query(name).strip()[:_TEXT_MAX] for name in names}
    before = id_in(visit.query("before"))
    async with reading(visit.services.engine) as connection:
        wanted = Wanted(
            actor_id=await _actor(connection, asked["actor"]),
            action=asked["action"],
            subject_kind=asked["kind"],
            subject_id=_subject(asked["subject"]),
            before=before,
            limit=_PAGE + 1,
        )
        found = await lines(connection, wanted)
    older = {**asked, "before": str(found[_PAGE - 1]["id"])} if len(found) > _PAGE else None
    return visit.show(
        "backoffice/audit.html",
        lines=readable(found[:_PAGE]),
        asked=asked,
        filtered=any(asked.values()),
        newest=None if before is None else _address(asked),
        older=_address(older) if older else None,
    )


def readable(found: Sequence[RowMapping]) -> list[dict[str, Any]]:
    """Return lines whose detail is a list of names and values."""
    return [{**line, "detail": list(_pairs(json.loads(line["detail"])))} for line in found]


def _pairs(detail: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, str]]:
    # What an operator wrote comes first, then what was there before and after.
    for name in sorted(detail, key=_turn):
        value = detail[name]
        if isinstance(value, dict) and value:
            yield from _pairs(value, f"{under}{name}.")
        else:
            yield f"{under}{name}", _shown(name, value)


def _turn(name: str) -> tuple[int, str]:
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)


def _shown(name: str, value: object) -> str:
    if value is None:
        return DASH
    if name.endswith("_ms") and isinstance(value, int):
        return iso(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def _actor(connection: AsyncConnection, text: str) -> int | None:
    """Return whom a text names by address or id; the id of nobody for one who is not there."""
    if not text:
        return None
    number = id_in(text)
    if number is not None:
        return number
    row = await find_user(connection, text)
    return row["id"] if row else _NOBODY


def _subject(text: str) -> int | None:
    number = id_in(text)
    return _NOBODY if text and number is None else number


def _address(asked: Mapping[str, str]) -> str:
    return "/backoffice/audit?" + urlencode({name: text for name, text in asked.items() if text})
