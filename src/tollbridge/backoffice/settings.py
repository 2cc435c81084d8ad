"""Owns the page of settings: those of the site in a form, those of the process to read.

What could open the inside of a network is only told: it is the configuration file's. Of secrets it
is told whether they are set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from tollbridge.catalog.site_fields import SITE_FIELDS, SiteField, checked
from tollbridge.catalog.site_rows import change_site, site_values
from tollbridge.core.language import N_
from tollbridge.core.settings import Settings, env_name
from tollbridge.identity.audit import Subject, note
from tollbridge.identity.scopes import Scope
from tollbridge.storage.unit_of_work import reading, writing
from tollbridge.web.forms import NOT_AN_AMOUNT, NOT_OFFERED, REQUIRED, TOO_LONG, Form
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()
_BLOCK_MAX: Final = 200_000
_TOLD_MAX: Final = 300
WRONG_LIST: Final = N_("Write one entry a line, without control characters, each short.")
WRONG_TEXT: Final = N_("This text is empty, too long, or has characters that cannot be used.")
_WRONG: Final = {
    "list": WRONG_LIST, "usd": NOT_AN_AMOUNT, "choice": NOT_OFFERED, "text": WRONG_TEXT,
    "block": TOO_LONG, "flag": REQUIRED,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Process:
    """One setting of the process. `value` is None for what is not shown: it may hold a secret."""

    name: str
    variable: str
    value: str | None
    given: bool
    about: str


@pages.get("/backoffice/settings", operator(Scope.SETTINGS_READ))
async def show_settings(visit: Visit) -> Response:
    """Show all settings."""
    return await _page(visit)


@pages.post("/backoffice/settings", operator(Scope.SETTINGS_WRITE))
async def save_settings(visit: Visit) -> Response:
    """Change settings of the site."""
    form = await visit.form()
    wanted = {field.name: _value(form, field) for field in SITE_FIELDS if not field.file_only}
    if not form.ok:
        return await _page(visit, form)
    async with writing(visit.services.engine) as connection:
        before = await site_values(connection)
        changed = await change_site(connection, wanted)
        names = [name for name in changed if before[name] != wanted[name]]
        if names:
            subject = Subject("site", None, wanted["name"])
            told = {
                "before": {name: _told(before[name]) for name in names},
                "after": {name: _told(wanted[name]) for name in names},
            }
            await note(connection, visit.actor, "site.change", subject, visit.at_ms, **told)
        if not changed:
            await connection.rollback()
    return visit.go("/backoffice/settings", said="saved")


def _value(form: Form, field: SiteField) -> Any:
    """Return what a form says of a setting, a fault noted for what cannot be."""
    if field.kind == "flag":
        value: Any = form.flag(field.name)
    elif field.kind == "list":
        value = form.lines(field.name, most=1_000)
    elif field.kind == "block":
        value = form.block(field.name, most=_BLOCK_MAX)
    else:
        value = form.raw(field.name).strip()
    try:
        return checked(field, value)
    except ValueError:
        form.fault(field.name, _WRONG[field.kind])
        return field.default


def _told(value: object) -> object:
    return f"{value[:_TOLD_MAX]}…" if isinstance(value, str) and len(value) > _TOLD_MAX else value


async def _page(visit: Visit, form: Form | None = None) -> Response:
    async with reading(visit.services.engine) as connection:
        stored = await site_values(connection)
    values = _shown(stored)
    if form is not None:
        editable = [field for field in SITE_FIELDS if not field.file_only]
        values |= {field.name: form.raw(field.name) for field in editable}
    return visit.show(
        "backoffice/settings.html",
        200 if form is None else 422,
        editable=[field for field in SITE_FIELDS if not field.file_only],
        fixed=[field for field in SITE_FIELDS if field.file_only],
        labels={name: visit.text(label) for name, label in LABELS.items()},
        choices={
            one.name: [(word, visit.text(OPTIONS.get(word, word))) for word in one.options]
            for one in SITE_FIELDS
        },
        values=values,
        errors=form.errors if form else {},
        process=process_settings(visit.services.settings),
    )


def _shown(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: "\n".join(value) if isinstance(value, list) else value
        for name, value in stored.items()
    }


def process_settings(settings: Settings) -> list[Process]:
    """Return the settings of this process as they are in force, without what may be secret."""
    told = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        told.append(
            Process(
                name,
                env_name(name),
                str(value) if field.repr else None,
                bool(value),
                field.description or "",
            )
        )
    return told


LABELS: Final = {
    "name": N_("Name of the site"),
    "error_profile": N_("Errors for clients"),
    "trusted_proxies": N_("Trusted proxies"),
    "allow_private_upstreams": N_("Private upstreams"),
    "sign_up": N_("Sign-up"),
    "sign_up_bonus": N_("Sign-up bonus in dollars"),
    "email_allowed": N_("Allowed e-mail domains"),
    "email_blocked": N_("Blocked e-mail domains"),
    "email_aliases": N_("Aliases of addresses"),
    "terms_version": N_("Version of the terms"),
    "terms": N_("Terms of use"),
    "refunds": N_("Refund policy"),
    "disclaimer": N_("Disclaimer"),
    "contact_email": N_("Support: e-mail"),
    "contact_telegram": N_("Support: Telegram"),
    "contact_qq": N_("Support: QQ"),
    "contact_wechat": N_("Support: WeChat"),
}
"""What the settings are called on the page."""

OPTIONS: Final = {
    "open": N_("open"),
    "invite": N_("by invite"),
    "closed": N_("closed"),
    "fold": N_("the same person"),
    "refuse": N_("refused"),
    "allow": N_("somebody else"),
}
"""What settings may be, as the page says it; dialects of errors have names."""
