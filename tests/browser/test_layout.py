"""The asserter of layouts finds each fault that it is for, and none on a page without."""

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.layout import axe_faults, layout_faults

FINE: Final = """<!doctype html><html lang="en"><title>Fine</title>
<meta name="viewport" content="width=device-width">
<style>body { margin: 0 } .sheet { overflow-x: auto } td { white-space: nowrap }
button, a.btn { display: inline-block; padding: 8px; margin: 4px }</style>
<main><h1>Fine</h1><p>A sentence with <a href="/x">a small link</a> in it.</p>
<button>One</button><button>Two</button><label><input type="checkbox"> Yes</label>
<div class="sheet" tabindex="0" role="region" aria-label="Table"><table><tr><td>%s</td></tr></table>
</div></main></html>""" % ("wide " * 200)
BROKEN: Final = {
    "scrolls sideways": '<div style="width: 2000px">wide</div>',
    "beyond the edge": '<div style="overflow: hidden"><p style="margin-left: 1500px">out</p></div>',
    "text is clipped": '<div style="width: 90px; overflow: hidden; white-space: nowrap">'
    "more words than there is room for</div>",
    "text is wider": '<p style="width: 60px; white-space: nowrap">more words than room</p>',
    "texts collide": '<div style="position: relative; height: 40px"><p style="position: absolute">'
    'one text</p><p style="position: absolute; margin: 1em 0">another</p></div>',
    "targets overlap": '<button>Press</button><button style="margin-left: -40px">Here</button>',
    "small target": '<div><button style="padding: 0; margin: 0; font-size: 8px">x</button>'
    '<button style="padding: 0; margin: 0; font-size: 8px">y</button></div>',
}


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    yield page
    page.close()


def test_nothing_is_found_where_nothing_is(page: Page) -> None:
    page.set_content(FINE)
    assert layout_faults(page) == []
    assert axe_faults(page) == []


@pytest.mark.parametrize("fault", BROKEN)
def test_a_fault_is_found(page: Page, fault: str) -> None:
    page.set_content(FINE.replace("</main>", BROKEN[fault] + "</main>"))
    assert any(fault in one for one in layout_faults(page))


def test_axe_is_asked(page: Page) -> None:
    page.set_content(FINE.replace("</main>", '<input name="nameless"></main>'))
    assert any(one.startswith("axe label:") for one in axe_faults(page))


def test_only_an_open_dialog_counts(page: Page) -> None:
    dialog = "<dialog id='ask'><button>Sure</button></dialog>"
    page.set_content(FINE.replace("</main>", f"{BROKEN['targets overlap']}{dialog}</main>"))
    page.evaluate("document.querySelector('dialog').showModal()")
    assert layout_faults(page) == []
