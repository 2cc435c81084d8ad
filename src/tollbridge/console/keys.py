"""Owns the pages of a user's keys. Secrets are in the answers that made them, and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.catalog.visibility import open_channels
from tollbridge.console.channel_health import Health, read_health
from tollbridge.console.clients import PLACEHOLDER, configs, fitting
from tollbridge.console.key_form import BLANK, fields_of, read_wish
from tollbridge.core.errors import Surface
from tollbridge.people.key_totals import DAYS, KeyTotals, last_call, read_totals
from tollbridge.people.key_wish import KeyRefused, KeyWish, choices_of
from tollbridge.people.keys import (
    GRACES_S,
    MINTING,
    KeyGone,
    OwnKey,
    budget_spent,
    change_own_key,
    create_key,
    delete_key,
    find_key,
    list_keys,
    rotate_key,
    switch_key,
)
from tollbridge.storage.unit_of_work import reading, writing
from tollbridge.web.forms import Form
from tollbridge.web.pages import SIGNED_IN, Pages
from tollbridge.web.visit import Visit

pages = Pages()

_LIST: Final = "/console/keys"
_FAULTY: Final = 422


@dataclass(frozen=True, slots=True)
class Choice:
    """A channel as it is offered: what it costs, who may call it, how it is doing."""

    id: int
    name: str
    platform: str
    multiplier: str
    surfaces: tuple[str, ...]
    clients: tuple[str, ...]
    health: Health


@pages.get("/console/keys", SIGNED_IN)
async def show_keys(visit: Visit) -> Response:
    """Show all keys with what was spent through each."""
    async with reading(visit.services.engine) as connection:
        keys = await list_keys(connection, visit.user.user_id)
        totals = await read_totals(connection, visit.user.user_id, visit.at_ms)
    channels = visit.services.snapshot().channels
    return visit.show(
        "console/keys.html",
        keys=keys,
        totals=totals,
        channels=channels,
        days=DAYS,
        at_ms=visit.at_ms,
    )


@pages.get("/console/keys/new", SIGNED_IN)
async def ask_for_key(visit: Visit) -> Response:
    """Show the form of a new key; a channel may be chosen already."""
    values = {**BLANK, "channel": visit.query("channel") or BLANK["channel"]}
    return await _show_new(visit, values, {})


@pages.post("/console/keys", SIGNED_IN)
async def make_key(visit: Visit) -> Response:
    """Make a key and show its secret, this once."""
    form = await visit.form()
    wish = read_wish(form, visit.zone)
    if form.ok:
        await visit.knock(MINTING, str(visit.user.user_id))
        try:
            async with writing(visit.services.engine) as connection:
                key_id, secret = await create_key(
                    connection,
                    visit.services.secrets,
                    visit.services.snapshot(),
                    visit.user.user_id,
                    wish,
                    visit.at_ms,
                )
        except KeyRefused as refused:
            _blame(form, refused)
        else:
            return await _show_secret(visit, key_id, secret, fresh=True)
    return await _show_new(visit, {**BLANK, **form.given()}, form.errors, _FAULTY)


@pages.get("/console/keys/{id}", SIGNED_IN)
async def show_key(visit: Visit) -> Response:
    """Show one key: its facts, its totals, and the form that changes it."""
    key = await _key(visit)
    return await _show_key(visit, key, fields_of(key.wish, visit.zone), {})


@pages.post("/console/keys/{id}", SIGNED_IN)
async def change_key(visit: Visit) -> Response:
    """Change a key as its form says."""
    key, form = await _key(visit), await visit.form()
    wish = read_wish(form, visit.zone, key.wish)
    if form.ok:
        snapshot, user_id = visit.services.snapshot(), visit.user.user_id
        try:
            async with writing(visit.services.engine) as connection:
                await change_own_key(connection, snapshot, user_id, key.id, wish, visit.at_ms)
        except KeyRefused as refused:
            _blame(form, refused)
        except KeyGone:
            raise HTTPException(404) from None
        else:
            return visit.go(f"{_LIST}/{key.id}", said="saved")
    return await _show_key(visit, key, {**BLANK, **form.given()}, form.errors, _FAULTY)


@pages.post("/console/keys/{id}/state", SIGNED_IN)
async def switch(visit: Visit) -> Response:
    """Let a key be used again, or not any more."""
    key_id, form = visit.id, await visit.form()
    enabled = form.flag("enabled")
    try:
        async with writing(visit.services.engine) as connection:
            await switch_key(connection, visit.user.user_id, key_id, enabled=enabled)
    except KeyGone:
        raise HTTPException(404) from None
    return visit.go(f"{_LIST}/{key_id}", said="key_enabled" if enabled else "key_disabled")


@pages.post("/console/keys/{id}/rotate", SIGNED_IN)
async def rotate(visit: Visit) -> Response:
    """Give a key another secret and show it, this once."""
    key, form = await _key(visit), await visit.form()
    grace_s = int(form.choice("grace", [str(grace) for grace in GRACES_S]))
    if not form.ok:
        return await _show_key(visit, key, fields_of(key.wish, visit.zone), form.errors, _FAULTY)
    await visit.knock(MINTING, str(visit.user.user_id))
    try:
        async with writing(visit.services.engine) as connection:
            secret = await rotate_key(
                connection,
                visit.services.secrets,
                visit.user.user_id,
                key.id,
                grace_s,
                visit.at_ms,
            )
    except KeyGone:
        raise HTTPException(404) from None
    return await _show_secret(visit, key.id, secret, fresh=False)


@pages.post("/console/keys/{id}/delete", SIGNED_IN)
async def delete(visit: Visit) -> Response:
    """Delete a key."""
    try:
        async with writing(visit.services.engine) as connection:
            await delete_key(connection, visit.user.user_id, visit.id, visit.at_ms)
    except KeyGone:
        raise HTTPException(404) from None
    return visit.go(_LIST, said="key_deleted")


@pages.get("/console/keys/{id}/first-call", SIGNED_IN)
async def first_call(visit: Visit) -> Response:
    """Tell whether a call came in; a browser asks again and again until one has."""
    key_id = visit.id
    async with reading(visit.services.engine) as connection:
        try:
            key = await find_key(connection, visit.user.user_id, key_id)
        except KeyGone:
            raise HTTPException(404) from None
        called = await last_call(connection, key_id)
    if not visit.partial:
        return visit.go(f"{_LIST}/{key_id}")
    return visit.show_part("console/keys_secret.html", "first_call", key=key, called=called)


async def _key(visit: Visit) -> OwnKey:
    key_id = visit.id
    async with reading(visit.services.engine) as connection:
        try:
            return await find_key(connection, visit.user.user_id, key_id)
        except KeyGone:
            raise HTTPException(404) from None


def _blame(form: Form, refused: KeyRefused) -> None:
    for name, fault in refused.faults.items():
        form.fault(name, fault)


async def _choices(visit: Visit, bound: int | None = None) -> list[Choice]:
    """Return the channels to choose from; what a key is bound to already is among them."""
    snapshot = visit.services.snapshot()
    channels = choices_of(snapshot, visit.user.group)
    if (
        bound is not None
        and bound in snapshot.channels
        and all(one.id != bound for one in channels)
    ):
        channels.append(snapshot.channels[bound])
    async with reading(visit.services.engine) as connection:
        health = await read_health(connection, snapshot, visit.at_ms)
    return [
        Choice(
            one.id,
            one.name,
            one.platform,
            one.multiplier.text(),
            tuple(sorted(one.surfaces - {Surface.MEDIA})),
            tuple(fitting(one)),
            health[one.id],
        )
        for one in channels
    ]


async def _show_new(
    visit: Visit, values: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> Response:
    choices = await _choices(visit)
    return visit.show(
        "console/keys_new.html", status, values=values, errors=errors, choices=choices
    )


async def _show_key(
    visit: Visit,
    key: OwnKey,
    values: Mapping[str, str],
    errors: Mapping[str, str],
    status: int = 200,
) -> Response:
    async with reading(visit.services.engine) as connection:
        totals = await read_totals(connection, visit.user.user_id, visit.at_ms, key.id)
        spent = await budget_spent(connection, key, visit.at_ms)
    return visit.show(
        "console/keys_one.html",
        status,
        key=key,
        values=values,
        errors=errors,
        choices=await _choices(visit, key.wish.channel_id),
        channels=visit.services.snapshot().channels,
        totals=totals.get(key.id, KeyTotals()),
        budget_spent=spent,
        days=DAYS,
        at_ms=visit.at_ms,
        **_ready(visit, key.wish, PLACEHOLDER),
    )


async def _show_secret(visit: Visit, key_id: int, secret: str, *, fresh: bool) -> Response:
    async with reading(visit.services.engine) as connection:
        key = await find_key(connection, visit.user.user_id, key_id)
    return visit.show(
        "console/keys_secret.html",
        key=key,
        secret=secret,
        fresh=fresh,
        called=None,
        **_ready(visit, key.wish, secret),
    )


def _ready(visit: Visit, wish: KeyWish, secret: str) -> dict[str, Any]:
    snapshot = visit.services.snapshot()
    channels = open_channels(snapshot, wish.channel_id, visit.user.group)
    texts = configs(snapshot, channels, frozenset(wish.models), visit.services.site_url(), secret)
    return {"configs": texts}
