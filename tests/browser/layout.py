"""Owns what is asked of every page as it is drawn: its layout, and what axe makes of it.

The rules are in `layout.js`. Scripts are handed over as a debugger does it: the policy of the pages
refuses those that stand in a page, and stays as it is.
"""

import json
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import Page

_LAYOUT = (Path(__file__).parent / "layout.js").read_text(encoding="utf-8")
_AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_COLOURS = ("color-contrast", "link-in-text-block")


def layout_faults(page: Page) -> list[str]:
    """Return what sticks out, is clipped, collides or is too small to press."""
    found: list[str] = page.evaluate(_LAYOUT)
    return found


def axe_faults(page: Page, *, colours_only: bool = False) -> list[str]:
    """Return what axe finds, a line for each element; `colours_only` is what a theme can change."""
    only = (
        {"type": "rule", "values": _COLOURS} if colours_only else {"type": "tag", "values": _TAGS}
    )
    options = {"runOnly": only, "resultTypes": ["violations"], "preload": False}
    page.evaluate(_AXE)
    found = page.evaluate(f"axe.run({json.dumps(options)})")
    return [
        f"axe {rule['id']}: {node['html'][:200]} ({_why(node)})"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def in_order(page: Page) -> None:
    """Fail where the page as it stands, of this width and theme, has a fault."""
    assert layout_faults(page) == []
    assert axe_faults(page) == []


def _why(node: dict[str, list[dict[str, str]]]) -> str:
    reasons = [one["message"] for kind in ("any", "all", "none") for one in node[kind]]
    return "; ".join(reasons)[:200]
