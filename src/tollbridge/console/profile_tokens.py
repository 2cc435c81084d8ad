"""Owns the pages of access tokens: the list, making one that is shown once, revoking one."""

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.identity.access_tokens import (
    NAME_MAX,
    add_token,
    find_token,
    list_tokens,
    revoke_token,
)
from tollbridge.identity.doors import Door
from tollbridge.identity.scopes import ROLE_SCOPES, SINGLE, Scope, beyond
from tollbridge.people.token_acts import note_made, note_revoked
from tollbridge.storage.unit_of_work import reading, writing
from tollbridge.web.forms import N_, NOT_OFFERED, Form
from tollbridge.web.pages import PROVED, SIGNED_IN, Pages
from tollbridge.web.visit import Visit

pages = Pages()
PATH: Final = "/console/profile/tokens"
MAKING: Final = Door("access token", 10, 100)
LIVE_MAX: Final = 50
LIVES: Final = {
    "30": N_("30 days"),
    "90": N_("90 days"),
    "365": N_("365 days"),
    "0": N_("No end"),
}
SCOPE_TEXTS: Final = {
    Scope.OWN_READ: N_("See your keys, usage, wallet and profile"),
    Scope.OWN_WRITE: N_("Change your keys and settings, redeem codes"),
}
NO_SCOPE: Final = N_("Choose at least one thing that the token may do.")
TOO_MANY: Final = N_("You have 50 tokens, which is the most. Revoke one first.")
_SHOWN_MAX: Final = 100
_DAY_MS: Final = 86_400_000


@pages.get(PATH, SIGNED_IN)
async def tokens(visit: Visit) -> Response:
    """List the user's tokens, the newest first."""
    async with reading(visit.services.engine) as connection:
        found = await list_tokens(connection, user_id=visit.user.user_id)
    shown = found[: -_SHOWN_MAX - 1 : -1]
    return visit.show("console/profile_tokens.html", tokens=shown, at_ms=visit.at_ms)


@pages.get(PATH + "/new", PROVED)
async def show_new(visit: Visit) -> Response:
    """Show the form."""
    return _form(visit, Form({}))


@pages.post(PATH, PROVED)
async def make(visit: Visit) -> Response:
    """Make a token and show it, this once."""
    form, services, user = await visit.form(), visit.services, visit.user
    name = form.text("name", most=NAME_MAX)
    scopes = _scopes(visit, form)
    life = form.choice("life", LIVES)
    if form.ok:
        await visit.knock(MAKING, str(user.user_id))
        async with writing(services.engine) as connection:
            before = await list_tokens(connection, user_id=user.user_id)
            if sum(not one.dead(visit.at_ms) for one in before) < LIVE_MAX:
                token_id, token = await add_token(
                    connection,
                    services.secrets,
                    user.user_id,
                    name,
                    scopes,
                    at_ms=visit.at_ms,
                    expires_ms=visit.at_ms + int(life) * _DAY_MS if int(life) else None,
                )
                made = await find_token(connection, token_id)
                assert made is not None
                await note_made(connection, visit.actor, made, visit.at_ms)
                return visit.show("console/profile_token.html", made=made, token=token)
        form.fault("name", TOO_MANY)
    return _form(visit, form, 422)


@pages.post(PATH + "/{id}/revoke", SIGNED_IN)
async def revoke(visit: Visit) -> Response:
    """Make a token of the user worthless."""
    token_id = visit.id
    async with writing(visit.services.engine) as connection:
        found = await find_token(connection, token_id)
        if found is None or found.user_id != visit.user.user_id:
            raise HTTPException(404)
        if await revoke_token(connection, token_id, visit.at_ms):
            await note_revoked(connection, visit.actor, found, visit.at_ms)
    return visit.go(PATH, "token_revoked")


def _scopes(visit: Visit, form: Form) -> frozenset[Scope]:
    """Return the scopes that were ticked; a fault for none, and for one that the role has not."""
    chosen = frozenset(Scope(word) for word in form.many("scopes", SINGLE))
    if beyond(visit.user.role, chosen):
        form.fault("scopes", NOT_OFFERED)
    elif not chosen:
        form.fault("scopes", NO_SCOPE)
    return chosen


def _form(visit: Visit, form: Form, status: int = 200) -> Response:
    offered = sorted(ROLE_SCOPES[visit.user.role], key=lambda one: (one not in SCOPE_TEXTS, one))
    values: dict[str, Any] = {
        "form": form,
        "offered": [(one.value, SCOPE_TEXTS.get(one, "")) for one in offered],
        "ticked": form.many("scopes"),
        "lives": [(days, visit.text(text)) for days, text in LIVES.items()],
    }
    return visit.show("console/profile_token_new.html", status, **values)
