"""Owns the ASGI half: everything that is not a metered call, put together into one application.

Must hold no rule of its own: routes live in their files, errors in `fallback`.
"""

from fastapi import FastAPI
from starlette.types import ASGIApp

from tollbridge.api import (
    balance,
    billing_compat,
    fallback,
    key,
    models,
    operations,
    price_list,
    receipts,
    statements,
    statistics,
    status,
    usage,
)
from tollbridge.api.admin.app import Divided, make_admin
from tollbridge.api.cors import CrossOrigin
from tollbridge.api.services import ApiServices
from tollbridge.api.traced import Traced

_PARTS = (
    operations,
    models,
    balance,
    receipts,
    usage,
    statistics,
    statements,
    billing_compat,
    key,
    price_list,
    status,
)


def make_api(services: ApiServices) -> ASGIApp:
    """Return the application; it has no pages that describe it, and redirects nobody."""
    app = FastAPI(
        title="Tollbridge",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    fallback.install(app)
    for part in _PARTS:
        app.include_router(part.router)
    # Pages of other origins have no business with the control plane.
    return Traced(Divided(make_admin(services), CrossOrigin(app)))
