"""Owns what operators and their machines ask: is the process alive, can it serve, what does it count.

These need no key. Must not know of customers.
"""

from fastapi import APIRouter, Request, Response

from tollbridge.api.answers import answer, services_of
from tollbridge.api.services import ApiServices
from tollbridge.storage.engine import DATABASE_ERRORS
from tollbridge.storage.migrate import schema_is_current

router = APIRouter()


@router.api_route("/healthz", methods=["GET", "HEAD"])
async def healthz() -> Response:
    """Say that the process is alive; nothing else is looked at, so that nobody restarts it for less."""
    return answer({"status": "alive"})


@router.api_route("/readyz", methods=["GET", "HEAD"])
async def readyz(request: Request) -> Response:
    """Say whether new calls should come here: 200, or 503 with the reasons."""
    reasons = await _reasons(services_of(request))
    if reasons:
        return answer({"status": "not ready", "reasons": reasons}, 503)
    return answer({"status": "ready", "reasons": []})


@router.api_route("/metrics", methods=["GET", "HEAD"])
async def metrics(request: Request) -> Response:
    """Show every metric in Prometheus's text form, of all processes that serve at this address."""
    services = services_of(request)
    if services.all_metrics is None:
        services.refresh_gauges()
        shown = services.metrics.exposition()
    else:
        try:
            shown = await services.all_metrics()
        except TimeoutError:
            return answer({"status": "other scrapes take too long"}, 503)
    return Response(shown, headers={"content-type": services.metrics.content_type})


async def _reasons(services: ApiServices) -> list[str]:
    reasons = []
    if services.draining():
        reasons.append("draining")
    if not services.ready():
        reasons.append("ledger not ready")
    try:
        if not await schema_is_current(services.engine):
            reasons.append("schema not current")
    except DATABASE_ERRORS:
        reasons.append("database down")
    return reasons
