"""The twin of console/parts.py: every page has one place, below what is a user's or a visitor's."""

import importlib
import pkgutil

from tollbridge import console
from tollbridge.console.parts import PARTS

SEGMENTS = {
    *("", "console", "docs", "legal", "prove", "reset", "setup", "sign-in", "sign-out", "sign-up"),
    *("status", "status.json", "verify"),
}


def test_no_page_is_declared_twice():
    declared = [key for part in PARTS for key in part.needs]
    assert len(declared) == len(set(declared)) == sum(len(part.routes) for part in PARTS)
    assert ("GET", "/") in declared


def test_pages_are_where_users_look_for_them():
    assert {route.path.split("/")[1] for part in PARTS for route in part.routes} <= SEGMENTS


def test_no_page_here_is_an_operators():
    assert all(
        need.scope is None
        for part in PARTS
        for (_, path), need in part.needs.items()
        if not path.startswith("/setup/")
    )


def test_every_file_of_pages_is_named():
    modules = [
        importlib.import_module(f"{console.__name__}.{found.name}")
        for found in pkgutil.iter_modules(console.__path__)
    ]
    made = {id(module.pages): module.__name__ for module in modules if hasattr(module, "pages")}
    assert set(made) == {id(part) for part in PARTS}, made.values()
