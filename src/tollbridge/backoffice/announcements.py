"""Owns the pages of announcements: the list, writing one with a preview, changing it, ending it.

Times are typed and shown in the operator's zone. Must not know where announcements are shown.
"""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.core.language import LANGUAGES, N_
from tollbridge.core.storable import id_in
from tollbridge.identity.scopes import Scope
from tollbridge.people.announcements import (
    BODY_MAX,
    LEVELS,
    READERS,
    TITLE_MAX,
    Announcement,
    NoSuchAnnouncement,
    announce,
    change,
    end,
    find,
    list_all,
)
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web.forms import Form
from tollbridge.web.moments import read_moment, typed_moment
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()

PATH: Final = "/backoffice/announcements"
LEVEL_NAMES: Final = {
    "news": N_("News"),
    "warning": N_("Warning"),
    "incident": N_("Incident"),
}
ENDS_FIRST: Final = N_("This is not later than its begin.")
_TONES: Final = {"news": "", "warning": "warn", "incident": "bad"}
_READ: Final = operator(Scope.ANNOUNCEMENTS_READ)
_WRITE: Final = operator(Scope.ANNOUNCEMENTS_WRITE)
_TEMPLATE: Final = "backoffice/announcements_edit.html"
_PAGE: Final = 50
_EMPTY: Final = {"level": "news", "title": "", "body": "", "language": "", "ends": ""}


@pages.get(PATH, _READ)
async def list_announcements(visit: Visit) -> Response:
    """Show all announcements, the last written first."""
    before = id_in(visit.query("before"))
    async with reading(visit.services.engine) as connection:
        found = await list_all(connection, before=before, limit=_PAGE + 1)
    return visit.show(
        "backoffice/announcements.html",
        announcements=found[:_PAGE],
        levels=LEVEL_NAMES,
        tones=_TONES,
        newest=PATH if before is not None else None,
        older=f"{PATH}?before={found[_PAGE - 1]['id']}" if len(found) > _PAGE else None,
    )


@pages.get(f"{PATH}/new", _WRITE)
async def new(visit: Visit) -> Response:
    """Ask what to announce."""
    starts = typed_moment(visit.at_ms, visit.zone)
    return _edit(visit, f"{PATH}/new", {**_EMPTY, "starts": starts})


@pages.post(f"{PATH}/new", _WRITE)
async def make(visit: Visit) -> Response:
    """Announce it."""
    form = await visit.form()
    wish = _wish(form, visit)
    if wish is None:
        return _edit(visit, f"{PATH}/new", form.given(), form)
    async with working(visit.services.engine) as connection:
        await announce(connection, visit.actor, wish, visit.at_ms)
    return visit.go(PATH, said="announced")


@pages.post(f"{PATH}/preview", _WRITE)
async def preview(visit: Visit) -> Response:
    """Show what the text will look like: beside the form to a script, else the form again with it."""
    form = await visit.form()
    body = form.block("body", most=BODY_MAX)
    if visit.partial:
        return visit.show_part(_TEMPLATE, "preview", preview=body, errors=form.errors)
    number = id_in(form.raw("id"))
    action = f"{PATH}/new" if number is None else f"{PATH}/{number}"
    return _edit(visit, action, form.given(), form, preview=body)


@pages.get(f"{PATH}/{{id}}", _WRITE)
async def show(visit: Visit) -> Response:
    """Show an announcement to be changed."""
    number = visit.id
    async with reading(visit.services.engine) as connection:
        found = await find(connection, number)
    if found is None:
        raise HTTPException(404)
    values = {
        "level": found.level,
        "title": found.title,
        "body": found.body,
        "language": found.language,
        "starts": typed_moment(found.starts_ms, visit.zone),
        "ends": typed_moment(found.ends_ms, visit.zone),
    }
    return _edit(visit, f"{PATH}/{number}", values, preview=found.body)


@pages.post(f"{PATH}/{{id}}", _WRITE)
async def save(visit: Visit) -> Response:
    """Change an announcement."""
    form, number = await visit.form(), visit.id
    wish = _wish(form, visit)
    if wish is None:
        return _edit(visit, f"{PATH}/{number}", form.given(), form)
    try:
        async with working(visit.services.engine) as connection:
            await change(connection, visit.actor, number, wish, visit.at_ms)
    except NoSuchAnnouncement:
        raise HTTPException(404) from None
    return visit.go(PATH, said="announced")


@pages.post(f"{PATH}/{{id}}/end", _WRITE)
async def end_now(visit: Visit) -> Response:
    """End an announcement."""
    try:
        async with working(visit.services.engine) as connection:
            await end(connection, visit.actor, visit.id, visit.at_ms)
    except NoSuchAnnouncement:
        raise HTTPException(404) from None
    return visit.go(PATH, said="announcement_ended")


def _edit(
    visit: Visit,
    action: str,
    values: dict[str, str],
    form: Form | None = None,
    *,
    preview: str = "",
) -> Response:
    errors = form.errors if form else {}
    tail = action.removeprefix(f"{PATH}/")
    return visit.show(
        _TEMPLATE,
        422 if errors else 200,
        action=action,
        id="" if tail == "new" else tail,
        values={**_EMPTY, "starts": "", **values},
        errors=errors,
        preview=preview,
        levels=[(name, visit.text(LEVEL_NAMES[name])) for name in LEVELS],
        readers=[(one, LANGUAGES[one] if one else visit.text(N_("Everybody"))) for one in READERS],
    )


def _wish(form: Form, visit: Visit) -> Announcement | None:
    starts_ms = read_moment(form, "starts", visit.zone)
    ends_ms = read_moment(form, "ends", visit.zone)
    wish = Announcement(
        level=form.choice("level", LEVELS),
        title=form.text("title", most=TITLE_MAX),
        body=form.block("body", most=BODY_MAX, need=True),
        language=form.choice("language", READERS, blank=""),
        starts_ms=visit.at_ms if starts_ms is None else starts_ms,
        ends_ms=ends_ms,
    )
    if wish.ends_ms is not None and wish.ends_ms <= wish.starts_ms:
        form.fault("ends", ENDS_FIRST)
    return wish if form.ok else None
