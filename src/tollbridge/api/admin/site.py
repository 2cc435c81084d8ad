"""Owns /api/admin/settings: settings of the site that operators change while it runs.

What could open the inside of a network is shown and never changed here. Must not know what a
setting does.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.api.admin.fields import Answer, Body
from tollbridge.api.admin.principal import Principal, actor_of, require
from tollbridge.api.admin.problems import invalid_all
from tollbridge.api.answers import services_of
from tollbridge.catalog.site_fields import BY_NAME, SITE_FIELDS, checked
from tollbridge.catalog.site_rows import change_site, site_values
from tollbridge.core.clock import now_ms
from tollbridge.identity.audit import Subject, note
from tollbridge.identity.scopes import Scope
from tollbridge.storage.unit_of_work import reading, writing

router = APIRouter(prefix="/settings", tags=["settings"])

_LINE, _BLOCK, _LIST = 254, 100_000, 1_000
_Entries = Annotated[list[str], Field(max_length=_LIST)]


class Setting(Answer):
    """One setting. `file_only`: only the configuration file changes it."""

    name: str
    kind: Literal["text", "block", "choice", "list", "usd", "flag"]
    about: str
    value: str | bool | list[str]
    default: str | bool | list[str]
    options: list[str]
    file_only: bool


class Settings(Answer):
    """All settings."""

    items: list[Setting]


class SettingsChange(Body):
    """What is to be changed; what is left out stays."""

    name: str = Field("", max_length=_LINE)
    error_profile: str = Field("", max_length=_LINE)
    sign_up: Literal["open", "invite", "closed"] = "closed"
    sign_up_bonus: str = Field("", max_length=_LINE, description="US dollars, exact.")
    email_allowed: _Entries = Field([])
    email_blocked: _Entries = Field([])
    email_aliases: Literal["fold", "refuse", "allow"] = "fold"
    terms_version: str = Field("", max_length=_LINE)
    terms: str = Field("", max_length=_BLOCK)
    refunds: str = Field("", max_length=_BLOCK)
    disclaimer: str = Field("", max_length=_BLOCK)
    contact_email: str = Field("", max_length=_LINE)
    contact_telegram: str = Field("", max_length=_LINE)
    contact_qq: str = Field("", max_length=_LINE)
    contact_wechat: str = Field("", max_length=_LINE)


@router.get("")
async def settings(
    request: Request, _principal: Annotated[Principal, require(Scope.SETTINGS_READ)]
) -> Settings:
    """Show all settings."""
    async with reading(services_of(request).engine) as connection:
        return await _shown(connection)


@router.patch("")
async def change(
    request: Request,
    body: SettingsChange,
    principal: Annotated[Principal, require(Scope.SETTINGS_WRITE)],
) -> Settings:
    """Change settings; servers feel it in less than a second."""
    wanted = _checked(body.model_dump(exclude_unset=True))
    async with writing(services_of(request).engine) as connection:
        before = await site_values(connection)
        changed = await change_site(connection, wanted)
        if changed:
            await note(
                connection,
                actor_of(request, principal),
                "site.change",
                Subject("site", None, "settings"),
                now_ms(),
                before={name: before[name] for name in changed},
                after={name: wanted[name] for name in changed},
            )
        shown = await _shown(connection)
        if not changed:
            await connection.rollback()
    return shown


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values as they are stored; Problem 422 names every faulty one."""
    values, faults = {}, {}
    for name, value in given.items():
        try:
            values[name] = checked(BY_NAME[name], value)
        except ValueError as error:
            faults[f"body.{name}"] = f"{error}."
    if faults:
        raise invalid_all(faults)
    return values


async def _shown(connection: AsyncConnection) -> Settings:
    values = await site_values(connection)
    return Settings(
        items=[
            Setting(
                name=one.name,
                kind=one.kind,
                about=one.about,
                value=values[one.name],
                default=one.default,
                options=list(one.options),
                file_only=one.file_only,
            )
            for one in SITE_FIELDS
        ]
    )
