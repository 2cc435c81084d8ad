"""Owns the pages of signing in with another site: going there, coming back, agreeing, linking.

A journey is tied to the browser that began it: its state, which works once, counts only together with
the browser's own cookie. Nothing of what the other site says is shown or logged but the address.
"""

from dataclasses import asdict, dataclass
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tollbridge.console.sign_in import HOME, browser_of, let_in
from tollbridge.console.sign_up import NO_CONSENT
from tollbridge.core.sign_in_providers import SignInProvider
from tollbridge.core.telemetry import get_logger
from tollbridge.identity import one_time
from tollbridge.identity.addresses import Rules
from tollbridge.identity.doors import Door
from tollbridge.identity.external import Providers, journey
from tollbridge.identity.external_identity import Identity, Journey, ProviderFailed
from tollbridge.identity.one_time import OneTime, Purpose
from tollbridge.people.external import (
    AddressKnown,
    AddressRefused,
    Admission,
    CannotComeIn,
    Consent,
    LastWayIn,
    LinkedElsewhere,
    NoSuchIdentity,
    SignUpShut,
    Unverified,
    check_newcomer,
    join_with,
    link,
    owner_of,
    unlink,
)
from tollbridge.people.signing_in import Entry, Suspended, enter
from tollbridge.storage.unit_of_work import reading, working, writing
from tollbridge.web import cookies
from tollbridge.web.forms import Form
from tollbridge.web.pages import ANYBODY, PROVED, Pages
from tollbridge.web.visit import SIGN_IN, Visit, own_path

pages = Pages()
AWAY: Final = Door("external away", 20)
BACK: Final = Door("external back", 20)
LIFE_MS: Final = 10 * 60_000
"""How long a journey may take, and then again the decision to have an account."""
PROFILE: Final = "/console/profile"
_FLOW_CHARS: Final = 43
_log = get_logger(__name__)

_REFUSALS: Final[dict[type[Exception], tuple[str, int]]] = {
    Unverified: ("unverified", 403),
    AddressKnown: ("known", 409),
    SignUpShut: ("shut", 403),
    AddressRefused: ("address", 403),
    LinkedElsewhere: ("elsewhere", 409),
    Suspended: ("suspended", 403),
}


@dataclass(frozen=True, slots=True)
class _Errand:
    """What a journey is for. `browser` is a mark of the browser that began it."""

    provider: str
    browser: str
    next: str
    link_user_id: int | None


@pages.get("/sign-in/with/{provider}", ANYBODY)
async def go_there(visit: Visit) -> Response:
    """Send the browser to the other site."""
    site = _site(visit)
    return await _begin(visit, site, own_path(visit.query("next"), HOME), None)


@pages.post("/console/profile/link/{provider}", PROVED)
async def link_there(visit: Visit) -> Response:
    """Begin a journey that ends with a linked identity."""
    site = _site(visit)
    return await _begin(visit, site, PROFILE, visit.user.user_id)


@pages.get("/sign-in/with/{provider}/back", ANYBODY)
async def come_back(visit: Visit) -> Response:
    """Take what the other site says: sign in, link, or ask whether there is to be an account."""
    site = _site(visit)
    await visit.knock(BACK, visit.address)
    state = visit.query("state")
    errand = await _errand(visit, site, state)
    if errand is None:
        return _refused(visit, "over", 400, site)
    answer = {name: visit.query(name) for name in ("code", "error", "iss")}
    try:
        identity = await _providers(visit).identity(site.name, _way(visit, site, state), answer)
    except ProviderFailed as failure:
        return _failed(visit, site, failure)
    if site.allowed_domains and not _allowed(site, identity):
        return _refused(visit, "domain", 403, site)
    try:
        if errand.link_user_id is not None:
            return await _linked(visit, errand.link_user_id, identity, site)
        return await _received(visit, errand, identity, site)
    except (CannotComeIn, Suspended) as error:
        return _refused(visit, *_REFUSALS[type(error)], site)


@pages.post("/sign-in/with/{provider}/join", ANYBODY)
async def agree(visit: Visit) -> Response:
    """Make the account that the newcomer has agreed to."""
    site = _site(visit)
    await visit.knock(BACK, visit.address)
    form = await visit.form()
    word, services = form.raw("word"), visit.services
    async with reading(services.engine) as connection:
        offer = await one_time.look_at(
            connection, services.secrets, Purpose.EXTERNAL, word, visit.at_ms
        )
    if offer is None or "identity" not in offer.data or not _same_browser(visit, offer):
        return _refused(visit, "over", 400, site)
    identity = Identity(**offer.data["identity"])
    if identity.provider != site.name:
        return _refused(visit, "over", 400, site)
    if not form.flag("terms"):
        form.fault("terms", NO_CONSENT)
        return _offer(visit, form, identity, word, site)
    try:
        entry = await _joined(visit, word, identity)
    except (CannotComeIn, Suspended) as error:
        return _refused(visit, *_REFUSALS[type(error)], site)
    if entry is None:
        return _refused(visit, "over", 400, site)
    return let_in(visit, entry, offer.data["next"])


@pages.post("/console/profile/unlink/{id}", PROVED)
async def unlink_here(visit: Visit) -> Response:
    """Take an identity away from the account."""
    identity_id = visit.id
    try:
        async with working(visit.services.engine) as connection:
            await unlink(connection, visit.user.user_id, identity_id, _providers(visit).names)
    except NoSuchIdentity:
        raise HTTPException(404) from None
    except LastWayIn:
        return visit.show("console/external_last.html", 409)
    return visit.go(PROFILE, "unlinked")


async def _begin(
    visit: Visit, site: SignInProvider, wish: str, link_user_id: int | None
) -> Response:
    await visit.knock(AWAY, visit.address)
    flow, services = _flow(visit), visit.services
    errand = _Errand(site.name, _mark(visit, flow), wish, link_user_id)
    async with working(services.engine) as connection:
        state = await one_time.issue(
            connection,
            services.secrets,
            Purpose.EXTERNAL,
            at_ms=visit.at_ms,
            life_ms=LIFE_MS,
            user_id=link_user_id,
            data=asdict(errand),
        )
    try:
        url = await _providers(visit).address(site.name, _way(visit, site, state))
    except ProviderFailed as failure:
        return _failed(visit, site, failure)
    response = _onward(visit, url, site)
    visit.keep(response, cookies.FLOW, flow)
    return response


def _onward(visit: Visit, url: str, site: SignInProvider) -> Response:
    """Send the browser to another site: after a form by a page, because our forms lead nowhere else."""
    if visit.request.method == "GET":
        return Response(status_code=303, headers={"location": url})
    response = visit.show("console/external_onward.html", url=url, title=site.shown)
    response.headers["refresh"] = f"0; url={url}"
    return response


async def _errand(visit: Visit, site: SignInProvider, state: str) -> _Errand | None:
    """Use a state up and return what it is for; None when it is not this browser's, or not for here."""
    services = visit.services
    async with working(services.engine) as connection:
        found = await one_time.use(
            connection, services.secrets, Purpose.EXTERNAL, state, visit.at_ms
        )
    if found is None or "identity" in found.data or not _same_browser(visit, found):
        return None
    errand = _Errand(**found.data)
    return errand if errand.provider == site.name else None


async def _linked(visit: Visit, user_id: int, identity: Identity, site: SignInProvider) -> Response:
    if visit.session is None or visit.user.user_id != user_id:
        return _refused(visit, "over", 400, site)
    async with working(visit.services.engine) as connection:
        await link(connection, user_id, identity, visit.at_ms)
    return visit.go(PROFILE, "linked")


async def _received(
    visit: Visit, errand: _Errand, identity: Identity, site: SignInProvider
) -> Response:
    """Sign a known identity in; ask an unknown one that may have an account whether it wants one."""
    services = visit.services
    async with working(services.engine) as connection:
        owner = await owner_of(connection, identity)
        if owner is not None:
            entry = await enter(connection, services.secrets, owner, browser_of(visit), visit.at_ms)
            return let_in(visit, entry, errand.next)
        await check_newcomer(connection, identity, _admission(visit))
        word = await one_time.issue(
            connection,
            services.secrets,
            Purpose.EXTERNAL,
            at_ms=visit.at_ms,
            life_ms=LIFE_MS,
            data={"identity": asdict(identity), "browser": errand.browser, "next": errand.next},
        )
    return _offer(visit, Form({}), identity, word, site)


async def _joined(visit: Visit, word: str, identity: Identity) -> Entry | None:
    """Use the offer up and make the account; None when it was used in between."""
    services = visit.services
    consent = Consent(services.snapshot().site.terms_version, visit.language)
    async with writing(services.engine) as connection:
        used = await one_time.use(connection, services.secrets, Purpose.EXTERNAL, word, visit.at_ms)
        if used is None:
            return None
        user_id = await join_with(
            connection, services.secrets, identity, _admission(visit), consent, visit.at_ms
        )
        return await enter(connection, services.secrets, user_id, browser_of(visit), visit.at_ms)


def _offer(
    visit: Visit, form: Form, identity: Identity, word: str, site: SignInProvider
) -> Response:
    values: dict[str, Any] = {
        "email": identity.email,
        "word": word,
        "provider": site.name,
        "title": site.shown,
        "bonus": visit.services.snapshot().site.sign_up_bonus,
    }
    status = 200 if form.ok else 422
    return visit.show("console/external_join.html", status, form=form, **values)


def _failed(visit: Visit, site: SignInProvider, failure: ProviderFailed) -> Response:
    _log.warning("external_sign_in_failed", provider=site.name, fault=failure.fault.value)
    declined = failure.fault == "declined"
    return _refused(visit, "declined" if declined else "failed", 400 if declined else 502, site)


def _refused(visit: Visit, reason: str, status: int, site: SignInProvider) -> Response:
    # Its own address is what the other site sent, good once: not one to come back to.
    values = {"reason": reason, "title": site.shown, "provider": site.name, "here": SIGN_IN}
    return visit.show("console/external_refused.html", status, **values)


def _site(visit: Visit) -> SignInProvider:
    site = _providers(visit).site(visit.request.path_params["provider"])
    if site is None:
        raise HTTPException(404)
    return site


def _providers(visit: Visit) -> Providers:
    providers: Providers = visit.request.app.state.external
    return providers


def _way(visit: Visit, site: SignInProvider, state: str) -> Journey:
    """Return the journey of a state. It ends at our own address, whatever the request's Host says."""
    back = f"{visit.services.site_url()}/sign-in/with/{site.name}/back"
    return journey(visit.services.secrets, state, back)


def _flow(visit: Visit) -> str:
    """Return the browser's own mark: the one it has, so that two journeys of it do not end each other."""
    there = visit.cookie(cookies.FLOW)
    return there if len(there) == _FLOW_CHARS and there.isascii() else token_urlsafe(32)


def _mark(visit: Visit, flow: str) -> str:
    return visit.services.secrets.mark("external flow", flow).hex()


def _same_browser(visit: Visit, word: OneTime) -> bool:
    flow = visit.cookie(cookies.FLOW)
    return bool(flow) and compare_digest(str(word.data["browser"]), _mark(visit, flow))


def _admission(visit: Visit) -> Admission:
    site = visit.services.snapshot().site
    rules = Rules(site.email_allowed, site.email_blocked, site.email_aliases)
    return Admission(site.sign_up, rules, site.sign_up_bonus)


def _allowed(site: SignInProvider, identity: Identity) -> bool:
    domains = {domain.lower() for domain in site.allowed_domains}
    return identity.verified and identity.domain in domains
