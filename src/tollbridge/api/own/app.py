"""Owns the application behind /api/user: its routers. A part is added by naming it in `_PARTS`."""

from fastapi import FastAPI

from tollbridge.api.admin.app import make_plane
from tollbridge.api.divided import OWN as PREFIX
from tollbridge.api.own import (
    announcements,
    catalogue,
    keys,
    me,
    sessions,
    statements,
    statistics,
    usage,
    wallet,
)
from tollbridge.api.services import ApiServices
from tollbridge.identity.doors import Doors
from tollbridge.identity.scopes import OWN

_PARTS = (me, keys, usage, statistics, wallet, statements, catalogue, sessions, announcements)


def make_own(services: ApiServices, doors: Doors) -> FastAPI:
    """Return the application; a token of any role opens it that is good for what is one's own."""
    app = make_plane(services, "Tollbridge for users", PREFIX, _PARTS, OWN)
    app.state.doors = doors
    return app
