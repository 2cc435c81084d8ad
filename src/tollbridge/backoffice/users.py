"""Owns the list of users as operators search it. Must not know how users are found."""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.responses import Response

from tollbridge.core.storable import id_in
from tollbridge.identity.scopes import Scope
from tollbridge.people.user_changes import ROLES
from tollbridge.people.user_search import STATUSES, FoundUser, WantedUsers, find_users
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()
_PAGE = 50
_TEXT_MAX = 320


@pages.get("/backoffice/users", operator(Scope.USERS_READ))
async def list_users(visit: Visit) -> Response:
    """Show the users that the filters ask for, the newest first."""
    asked = {name: visit.query(name)[:_TEXT_MAX] for name in ("q", "role", "status", "group")}
    wanted = WantedUsers(
        text=asked["q"].strip(),
        role=asked["role"] if asked["role"] in ROLES else "",
        status=asked["status"] if asked["status"] in STATUSES else "",
        group=asked["group"].strip(),
        before=id_in(visit.query("before")),
        limit=_PAGE + 1,
    )
    async with reading(visit.services.engine) as connection:
        found = await find_users(connection, wanted)
    return visit.show(
        "backoffice/users.html",
        found=found[:_PAGE],
        asked=asked,
        filtered=any(asked.values()),
        newest=None if wanted.before is None else _address(asked),
        older=_older(asked, found),
    )


def _older(asked: dict[str, str], found: Sequence[FoundUser]) -> str | None:
    if len(found) <= _PAGE:
        return None
    return _address({**asked, "before": str(found[_PAGE - 1].row["id"])})


def _address(asked: dict[str, str]) -> str:
    return "/backoffice/users?" + urlencode({name: text for name, text in asked.items() if text})
