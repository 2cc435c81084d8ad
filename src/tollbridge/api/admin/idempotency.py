"""Owns `Idempotency-Key`: a write that moves money is done once, however often it is asked for.

The answer is kept in the transaction that did the work, so there is no moment at which one is there
without the other: not after a crash, and not for two who ask at the same time, of whom one waits for
the other (docs/decisions/0053-json-api.md). Only what was done is kept; a refusal may be asked again.
Must not know what is written.
"""

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Final

from fastapi import Header, Request, Response
from pydantic import BaseModel, WithJsonSchema
from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.api.admin.principal import Principal
from tollbridge.api.admin.problems import Problem, conflict, invalid
from tollbridge.api.answers import path_of, services_of
from tollbridge.core.clock import now_ms
from tollbridge.storage.people_tables import idempotency
from tollbridge.storage.upsert import upsert

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
"""A header of an answer that was kept: nothing was done for it now."""

NAME_MAX: Final = 128
_NAME: Final = re.compile(rf"[\x21-\x7e]{{1,{NAME_MAX}}}", re.ASCII)
_ABOUT: Final = (
    "Names this write, 1 to 128 visible ASCII characters: asked again with the same name and the same"
    " body within 48 hours, the answer is the same and nothing is done."
)
_SCHEMA: Final = {"type": "string", "pattern": f"^[!-~]{{1,{NAME_MAX}}}$"}
_DOMAIN: Final = "idempotency"
# No JSON: it stands for an answer that showed a secret, which nobody keeps.
_SHOWN_ONCE: Final = ""

Opened = Callable[[AsyncEngine], AbstractAsyncContextManager[AsyncConnection]]
Work = Callable[[AsyncConnection], Awaitable[BaseModel]]

MustName = Annotated[str, Header(alias=HEADER, description=_ABOUT), WithJsonSchema(_SCHEMA)]
"""The name of a write, which must have one."""

MayName = Annotated[str | None, Header(alias=HEADER, description=_ABOUT), WithJsonSchema(_SCHEMA)]
"""The name of a write, or none."""


async def once(
    request: Request,
    principal: Principal,
    name: str | None,
    body: BaseModel,
    opened: Opened,
    work: Work,
    *,
    status: int = 200,
    shown_once: bool = False,
) -> Response:
    """Do the work in a transaction of `opened`, or answer as when it was done; None does it in any case.

    `shown_once`: the answer has a secret. Problem 422 for a name that is none or stands for another
    request, 409 for one whose answer was shown once; besides whatever the work raises, which keeps
    nothing.
    """
    services = services_of(request)
    async with opened(services.engine) as connection:
        if name is None:
            return _shown(await work(connection), status)
        mark = services.secrets.mark(_DOMAIN, _request_text(request, body))
        if not _NAME.fullmatch(name):
            raise invalid(f"header.{HEADER}", "A name has 1 to 128 visible ASCII characters.")
        if not await _taken(connection, principal.user_id, name, mark):
            kept = await _kept(connection, principal.user_id, name, mark)
            # Nothing happened here, of which servers would have to hear.
            await connection.rollback()
            return kept
        made = _shown(await work(connection), status)
        text = _SHOWN_ONCE if shown_once else bytes(made.body).decode()
        await _keep(connection, principal.user_id, name, status, text)
    return made


def reference(request: Request, principal: Principal, name: str) -> str:
    """Return what the books know a named write by: the same for ever, and of this user alone."""
    mark = services_of(request).secrets.mark(
        "idempotency reference", f"{principal.user_id}\0{name}"
    )
    return f"api:{mark.hex()[:40]}"


def _request_text(request: Request, body: BaseModel) -> str:
    return "\n".join((request.method, path_of(request), body.model_dump_json()))


def _shown(answer: BaseModel, status: int) -> Response:
    return Response(answer.model_dump_json(), status, media_type="application/json")


async def _taken(connection: AsyncConnection, user_id: int, name: str, mark: bytes) -> bool:
    """Take a name; False when it is taken. Whoever takes it now is waited for."""
    row = upsert(connection, idempotency).values(
        user_id=user_id, name=name, request=mark, status=0, answer="", created_ms=now_ms()
    )
    return bool((await connection.execute(row.on_conflict_do_nothing())).rowcount)


async def _kept(connection: AsyncConnection, user_id: int, name: str, mark: bytes) -> Response:
    row = (await connection.execute(_this(user_id, name))).one_or_none()
    if row is None:
        # It was as old as answers get, and was removed between two statements.
        raise conflict("This request was repeated too late; look at what is there.")
    if row.request != mark:
        raise Problem(
            422,
            "idempotency-key-reused",
            f"This {HEADER} stands for another request; take a new one.",
        )
    if row.answer == _SHOWN_ONCE:
        raise Problem(
            409, "already-done", "This was done before; its secrets are shown once and not again."
        )
    headers = {REPLAYED: "true"}
    return Response(row.answer, row.status, headers, media_type="application/json")


async def _keep(
    connection: AsyncConnection, user_id: int, name: str, status: int, answer: str
) -> None:
    this = (idempotency.c.user_id == user_id) & (idempotency.c.name == name)
    await connection.execute(update(idempotency).where(this).values(status=status, answer=answer))


def _this(user_id: int, name: str) -> Select[Any]:
    columns = (idempotency.c.request, idempotency.c.status, idempotency.c.answer)
    return select(*columns).where(idempotency.c.user_id == user_id, idempotency.c.name == name)
