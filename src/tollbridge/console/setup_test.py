"""Owns the third page of a new site: a test call to its first account, and what it came to in words."""

from typing import Final

from starlette.responses import Response

from tollbridge.catalog.finding import Finding, ProbeRuns
from tollbridge.console.setup_channel import CHANNEL, HOME, PRIVATE, TEST
from tollbridge.console.setup_prices import PRICES
from tollbridge.identity.doors import Door
from tollbridge.identity.scopes import Scope
from tollbridge.people.first_channel import FirstRun, read_first_channel, read_first_run
from tollbridge.storage.unit_of_work import reading
from tollbridge.web.forms import N_
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()
DOOR: Final = Door("setup test", 10, 300)
RUNS: Final = N_("A test of this account is running already. Try again in a moment.")
NOTHING: Final = N_("The account has no secret. Go back and enter it.")
UNKNOWN: Final = N_("The test failed. What the vendor says may tell more.")
_SILENT: Final = N_("The address did not answer in time. Check it, and this machine's way out.")
_NOT_HTTP: Final = N_("Something answers at this address, but not as a vendor would. Check it.")
_BY_OUTCOME: Final = {
    "refused_address": PRIVATE,
    "dns_failed": N_("The name in the address is not known. Check it for typing mistakes."),
    "connect_failed": N_("Nothing answers at this address. Check it, and this machine's way out."),
    "connect_timeout": _SILENT,
    "first_byte_timeout": _SILENT,
    "idle_timeout": _SILENT,
    "total_timeout": _SILENT,
    "tls_failed": N_("No secure connection was possible. Check the address and its certificate."),
    "redirected": N_("The address leads to another one. Give the one that it leads to."),
    "closed_early": _NOT_HTTP,
    "protocol_error": _NOT_HTTP,
    "bad_encoding": _NOT_HTTP,
    "head_too_large": _NOT_HTTP,
    "empty": N_("The address answers, but without what a vendor would send. Check it."),
}
_BY_STATUS: Final = {
    400: N_("The vendor does not understand the call. Check platform and models."),
    401: N_("The vendor does not accept the secret."),
    402: N_("The vendor accepts the secret, but the account there has no credit."),
    403: N_("The vendor accepts no calls with this secret. It may lack rights, or the region."),
    404: N_("Nothing is there under this address or model. Check both."),
    429: N_("The secret is right, but the vendor allows no calls just now."),
}
_BUSY: Final = N_("The vendor has trouble of its own. Try again later.")
_SERVER_FAULTS: Final = 500


@pages.get(TEST, operator(Scope.CHANNELS_WRITE))
async def show_test(visit: Visit) -> Response:
    """Offer the test."""
    return await _page(visit)


@pages.post(TEST, operator(Scope.CHANNELS_WRITE))
async def test(visit: Visit) -> Response:
    """Test the account and say what was found."""
    await visit.knock(DOOR, str(visit.user.user_id))
    run = await _run(visit)
    if run.over or run.account_id is None:
        return visit.go(HOME if run.over else CHANNEL)
    try:
        finding = await visit.services.test_account(run.account_id, None)
    except ProbeRuns:
        return await _page(visit, fault=RUNS)
    return await _page(visit, finding, NOTHING if finding is None else words_of(finding))


def words_of(finding: Finding) -> str:
    """Return the msgid that says what a failed test means; "" for one that went well."""
    if finding.ok:
        return ""
    if finding.outcome in _BY_OUTCOME:
        return _BY_OUTCOME[finding.outcome]
    status = finding.status or 0
    return _BY_STATUS.get(status, _BUSY if status >= _SERVER_FAULTS else UNKNOWN)


async def _run(visit: Visit) -> FirstRun:
    async with reading(visit.services.engine) as connection:
        return await read_first_run(connection)


async def _page(visit: Visit, finding: Finding | None = None, fault: str = "") -> Response:
    async with reading(visit.services.engine) as connection:
        run = await read_first_run(connection)
        channel = await read_first_channel(connection, run)
    if run.over or channel is None:
        return visit.go(HOME if run.over else CHANNEL)
    return visit.show(
        "console/setup_test.html", channel=channel, finding=finding, fault=fault, onward=PRICES
    )
