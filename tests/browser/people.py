"""Owns browsers of people: their contexts by language, theme and width, signed in or not.

What a page says behind the scenes (console, refused by the policy, failed scripts) is noted in `said`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.stage import Stage
from tollbridge.core.clock import now_ms
from tollbridge.identity.sessions import start_session
from tollbridge.storage.unit_of_work import working

PASSWORD = "correct horse battery"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody has set the browser."""

    language: str = "en"
    theme: str = "light"
    width: int = 1440

    def __str__(self) -> str:
        return f"{self.language}-{self.theme}-{self.width}"


@dataclass
class Person:
    """A browser's context with one page, and what that page has said so far."""

    context: BrowserContext
    page: Page
    said: list[str] = field(default_factory=list)

    def heard(self) -> list[str]:
        """Return what was said since the last time."""
        said = list(self.said)
        self.said.clear()
        return said


@contextmanager
def somebody(
    browser: Browser, stage: Stage, look: Look = Look(), session: str = ""
) -> Iterator[Person]:
    """Open a browser at a site; signed in where a session's cookie is given."""
    context = browser.new_context(
        base_url=stage.url,
        locale={"en": "en-GB", "zh_Hans": "zh-CN"}[look.language],
        color_scheme="dark" if look.theme == "dark" else "light",
        viewport=WIDE if look.width == WIDE["width"] else NARROW,
        reduced_motion="reduce",
    )
    if session:
        # For a cookie of this kind the name of the scheme must be the safe one.
        url = stage.url.replace("http://", "https://")
        context.add_cookies([{"name": "__Host-session", "value": session, "url": url}])
    try:
        page = context.new_page()
        person = Person(context, page)
        page.on("console", lambda line: _note(person, line.type, line.text))
        page.on("pageerror", lambda error: person.said.append(f"script: {error}"))
        yield person
    finally:
        context.close()


def _note(person: Person, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        person.said.append(f"{kind}: {text}")


def session_of(stage: Stage, user_id: int) -> str:
    """Return the cookie of a new session of a user, who has just shown the password."""
    secrets = stage.secrets

    async def started(engine) -> str:
        async with working(engine) as connection:
            return await start_session(
                connection,
                secrets,
                user_id,
                "full",
                now_ms(),
                address="127.0.0.1",
                agent="a browser",
            )

    return stage.ask(started)


def sign_in(page: Page, address: str, password: str = PASSWORD) -> None:
    """Sign in as people do, in either language."""
    page.goto("/sign-in")
    page.locator("input[name=email]").fill(address)
    page.locator("input[name=password]").fill(password)
    page.locator("main form[action='/sign-in'] button[type=submit]").click()
    page.wait_for_url("**/console")


def press(page: Page, selector: str) -> None:
    """Press what leads to another page, and wait until that is there."""
    with page.expect_navigation():
        page.locator(selector).first.click()
