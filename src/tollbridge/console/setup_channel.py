"""Owns the second page of a new site: the first channel and its account."""

from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from tollbridge.catalog.fields import FileError
from tollbridge.catalog.known_models import known_models
from tollbridge.identity.scopes import Scope
from tollbridge.people.first_channel import (
    FirstChannel,
    FirstRunOver,
    read_first_channel,
    read_first_run,
    save_first_channel,
)
from tollbridge.storage.unit_of_work import reading, writing
from tollbridge.upstreams.addresses import dialable, literal
from tollbridge.web.forms import N_, Form
from tollbridge.web.pages import Pages, operator
from tollbridge.web.visit import Visit

pages = Pages()
CHANNEL: Final = "/setup/channel"
TEST: Final = "/setup/test"
HOME: Final = "/backoffice"
BASE_URLS: Final = {
    "openai": "https://api.openai.com",
    "anthropic": "https://api.anthropic.com",
    "gemini": "https://generativelanguage.googleapis.com",
}
TITLES: Final = {"openai": "OpenAI", "anthropic": "Anthropic", "gemini": "Gemini"}
_SECRET_MAX: Final = 4_096
_URL_MAX: Final = 2_048
_NAME_MAX: Final = 64

NO_MODEL: Final = N_("Choose at least one model, or type its name.")
PRIVATE: Final = N_(
    "Addresses of this machine and of private networks are refused here. To allow them, write"
    " allow_private_upstreams = true under [site] in a configuration file and run tollbridge apply"
    " with it, then save again."
)
_VERSIONED: Final = N_("Give the vendor's root, without /v1 or /v1beta at its end.")
FAULTS: Final = {
    "name": N_("Another channel has this name, or it has a blank, # or /."),
    "models": N_("One of these cannot be the name of a model."),
    "base_url": N_("This is no address that can be called, such as https://api.example.com."),
    "secret": N_("Enter the secret, as the vendor shows it."),
}


@pages.get(CHANNEL, operator(Scope.CHANNELS_WRITE))
async def show_channel(visit: Visit) -> Response:
    """Ask for a platform, then for the channel."""
    async with reading(visit.services.engine) as connection:
        run = await read_first_run(connection)
        found = await read_first_channel(connection, run)
    if run.over:
        return visit.go(HOME)
    platform = found.platform if found else visit.query("platform")
    if platform not in BASE_URLS:
        return visit.show("console/setup_platform.html", titles=TITLES)
    if found is None:
        found = FirstChannel(platform, platform, (), BASE_URLS[platform], "")
    return _page(visit, _filled(found), found.platform, found.models)


@pages.post(CHANNEL, operator(Scope.CHANNELS_WRITE))
async def save(visit: Visit) -> Response:
    """Save the channel and go on to its test."""
    form = await visit.form()
    platform = form.choice("platform", BASE_URLS)
    if "platform" in form.errors:
        return visit.show("console/setup_platform.html", 422, titles=TITLES)
    wish = _read(form, platform)
    if form.ok:
        try:
            async with writing(visit.services.engine) as connection:
                await save_first_channel(
                    connection, visit.services.secrets, visit.actor, wish, visit.at_ms
                )
        except FirstRunOver:
            return visit.go(HOME)
        except FileError as error:
            form.fault(*_fault(error.field, wish.base_url))
    if not form.ok:
        return _page(visit, form, platform, wish.models, 422)
    return visit.go(TEST)


def _read(form: Form, platform: str) -> FirstChannel:
    typed = form.lines("more")
    models = tuple(dict.fromkeys([*form.many("model"), *typed]))
    if not models:
        form.fault("more", NO_MODEL)
    return FirstChannel(
        form.text("name", most=_NAME_MAX),
        platform,
        models,
        form.text("base_url", most=_URL_MAX),
        form.text("secret", most=_SECRET_MAX, need=False),
        form.flag("compatible"),
    )


def _fault(field: str, base_url: str) -> tuple[str, str]:
    """Return the field of the form that a reader blames, and what to say there."""
    name = next((one for one in FAULTS if field.endswith(one)), "secret")
    if name == "base_url":
        if base_url.rstrip("/").endswith(("/v1", "/v1beta", "/v1alpha")):
            return name, _VERSIONED
        if _is_private(base_url):
            return name, PRIVATE
    return "more" if name == "models" else name, FAULTS[name]


def _is_private(base_url: str) -> bool:
    try:
        address = literal(urlsplit(base_url).hostname or "")
    except ValueError:
        return False
    return (
        address is not None
        and dialable(address, allow_private=True)
        and not dialable(address, allow_private=False)
    )


def _filled(found: FirstChannel) -> Form:
    fields = {"name": [found.name], "base_url": [found.base_url]}
    return Form(fields | ({"compatible": ["1"]} if found.compatible else {}))


def _page(
    visit: Visit, form: Form, platform: str, models: tuple[str, ...], status: int = 200
) -> Response:
    known = [one.name for one in known_models(platform, visit.at_ms)]
    return visit.show(
        "console/setup_channel.html",
        status,
        form=form,
        platform=platform,
        title=TITLES[platform],
        known=known,
        chosen=set(models),
        typed="\n".join(name for name in models if name not in known),
    )
