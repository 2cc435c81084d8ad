"""Owns pictures of pages: where they go, what they are called, and whether one is taken at all."""

import re
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.people import Look

_UNSAFE = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Shots:
    """A folder for pictures; of `all` pages, or only of those that something is wrong with."""

    folder: Path
    all: bool

    def take(self, page: Page, look: Look, area: str, path: str, *, faulty: bool) -> None:
        """Take the whole page, however long; a picture of the same name is replaced."""
        if not self.all and not faulty:
            return
        name = _UNSAFE.sub("-", f"{area}{path}").strip("-")
        width = (page.viewport_size or {}).get("width")
        file = self.folder / f"{name}.{look.language}-{look.theme}-{width}.png"
        page.screenshot(path=file, full_page=True)
