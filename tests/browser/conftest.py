"""Owns the fixtures of tests that drive a real browser: the system's Chromium, and a stage to look at.

Playwright keeps an event loop in the thread that it runs in, so these tests are plain functions and
the fixtures end with each module. No browser is ever downloaded.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.crowd import Crowd, fill
from tests.browser.shots import Shots
from tests.browser.stage import Stage
from tools.system_packages import PROGRAMS

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


def _chromium() -> str:
    program = next(one for one in PROGRAMS if one.name == "Chromium")
    found = next(filter(None, map(shutil.which, program.binaries)), None)
    if found is None:
        reason = f"no browser: install one of {', '.join(program.packages)}"
        if os.environ.get("CI"):
            pytest.fail(f"{reason} (under CI nothing is skipped)")
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Run the system's browser for the tests of one module."""
    path = _chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Serve a site with nobody but its admin on it."""
    with Stage(tmp_path_factory.mktemp("stage")).serving() as stage:
        yield stage


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Crowd]]:
    """Serve a site that has been in use for forty days."""
    stage = Stage(tmp_path_factory.mktemp("crowded"))
    with stage.serving(before=fill) as crowd:
        yield stage, crowd


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Shots:
    """Return where pictures of pages go: TOLLBRIDGE_SHOTS gets all, else a folder those with faults."""
    named = os.environ.get("TOLLBRIDGE_SHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("shots")
    folder.mkdir(parents=True, exist_ok=True)
    return Shots(folder, all=bool(named))
