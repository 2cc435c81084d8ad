"""Owns the page on which somebody asks for an account. The answer never tells whether there is one."""

from secrets import token_urlsafe
from typing import Any, Final

from starlette.responses import Response

from tollbridge.console.reset import NO_ADDRESS, WEAK
from tollbridge.identity.addresses import Refusal, Rules, folded, refusal
from tollbridge.identity.doors import Door
from tollbridge.notify.mail import is_address
from tollbridge.people.invites import find_invite
from tollbridge.people.joining import LINK_HOURS, Application, Place, ask_to_join
from tollbridge.people.passwords import hashed, weakness
from tollbridge.storage.unit_of_work import reading, working
from tollbridge.web import cookies
from tollbridge.web.captcha import captcha_of
from tollbridge.web.forms import N_, Form
from tollbridge.web.pages import ANYBODY, Pages
from tollbridge.web.visit import Visit

pages = Pages()
BY_ADDRESS: Final = Door("sign-up", 5, 30)
BY_EMAIL: Final = Door("sign-up mail", 2, 6)
_CODE_MAX = 64
_EMAIL_MAX = 254

NO_CONSENT: Final = N_("An account needs your consent to the terms.")
NO_INVITE: Final = N_("This invite code cannot be used.")
REFUSALS: Final[dict[Refusal, str]] = {
    "domain": N_("Addresses of this domain cannot sign up here."),
    "alias": N_("Please use the address itself, without a plus and what follows it."),
}


@pages.get("/sign-up", ANYBODY)
async def show_form(visit: Visit) -> Response:
    """Show the form, or that nobody can sign up."""
    if visit.session is not None:
        return visit.go("/console")
    return _page(visit, Form({"invite": [visit.query("invite")[:_CODE_MAX]]}))


@pages.post("/sign-up", ANYBODY)
async def ask(visit: Visit) -> Response:
    """Take the form and write to the address, whatever there is of it already."""
    if _mode(visit) == "closed":
        return _page(visit, Form({}), 403)
    await visit.knock(BY_ADDRESS, visit.address)
    form = await visit.form()
    email, password = _read(visit, form)
    invite_id = await _invite(visit, form)
    if form.ok:
        await _ask_captcha(visit, form)
    if not form.ok:
        return _page(visit, form, 422)
    # Only now: a machine must not use up the tries of somebody whose address it knows.
    await visit.knock(BY_EMAIL, folded(email))
    flow = token_urlsafe(32)
    application = Application(
        email=email,
        # Also for an address that has an account: the answer takes as long.
        password_hash=await hashed(password),
        language=visit.language,
        terms_version=visit.services.snapshot().site.terms_version,
        invite_id=invite_id,
        flow=flow_mark(visit, flow),
    )
    services = visit.services
    async with working(services.engine) as connection:
        await ask_to_join(connection, services.secrets, application, place_of(visit), visit.at_ms)
    response = visit.show("console/verify_sent.html", email=email, hours=LINK_HOURS)
    visit.keep(response, cookies.FLOW, flow)
    return response


def place_of(visit: Visit) -> Place:
    """Return what joining needs to know of this site."""
    site = visit.services.snapshot().site
    return Place(site.name, visit.services.site_url(), _rules(visit).folds, site.sign_up_bonus)


def flow_mark(visit: Visit, flow: str) -> str:
    """Return what is kept of the browser that asked, to know it again."""
    return visit.services.secrets.mark("sign-up flow", flow).hex()


def _read(visit: Visit, form: Form) -> tuple[str, str]:
    """Return address and password; what is wrong with them is noted in the form."""
    email = form.text("email", most=_EMAIL_MAX)
    password = form.secret("password")
    if email and not is_address(email):
        form.fault("email", NO_ADDRESS)
    elif email and (refused := refusal(email, _rules(visit))):
        form.fault("email", REFUSALS[refused])
    if weak := weakness(password, email):
        form.fault("password", WEAK[weak])
    if not form.flag("terms"):
        form.fault("terms", NO_CONSENT)
    return email, password


async def _invite(visit: Visit, form: Form) -> int | None:
    """Return the id of the invite; a fault where one is needed and there is no good one."""
    if _mode(visit) != "invite":
        return None
    code, services = form.text("invite", most=_CODE_MAX), visit.services
    async with reading(services.engine) as connection:
        found = await find_invite(connection, services.secrets, code, visit.at_ms)
    if found is None:
        form.fault("invite", NO_INVITE)
    return found


async def _ask_captcha(visit: Visit, form: Form) -> None:
    captcha = captcha_of(visit.services.settings)
    if captcha is not None and (fault := await captcha.fault(form, visit.address)):
        form.fault("captcha", fault)


def _rules(visit: Visit) -> Rules:
    site = visit.services.snapshot().site
    return Rules(site.email_allowed, site.email_blocked, site.email_aliases)


def _mode(visit: Visit) -> str:
    mode: str = visit.services.snapshot().site.sign_up
    return mode


def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    settings = visit.services.settings
    values: dict[str, Any] = {
        "mode": _mode(visit),
        "bonus": visit.services.snapshot().site.sign_up_bonus,
        "script": settings.captcha_script_url,
        "site_key": settings.captcha_site_key,
    }
    return visit.show("console/sign_up.html", status, form=form, **values)
