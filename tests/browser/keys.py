"""Owns walking a page with the keyboard alone. Wherever the focus is, a person must be able to see it."""

from playwright.sync_api import Page, expect

_MOST = 120
_LOST = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return "";
  const style = getComputedStyle(one);
  const name = `<${one.localName}> ${(one.innerText || one.name || "").slice(0, 40)}`;
  const ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0)
    || style.boxShadow !== "none";
  if (!ring) return `no ring around ${name}`;
  const box = one.getBoundingClientRect();
  const there = box.width > 0 && box.bottom > 0 && box.top < innerHeight
    && box.right > 0 && box.left < innerWidth;
  return there ? "" : `out of sight: ${name}`;
}"""


def at(page: Page, selector: str) -> bool:
    """Tell whether the focus is on what the selector names."""
    found: bool = page.evaluate("one => !!document.activeElement?.matches(one)", selector)
    return found


def must_come_to(page: Page, selector: str) -> None:
    """Fail unless the focus is there, now or soon: a loaded page takes it a moment later."""
    expect(page.locator(f":focus:is({selector})")).to_have_count(1)


def within(page: Page, selector: str) -> bool:
    """Tell whether the focus is somewhere inside what the selector names."""
    found: bool = page.evaluate("one => !!document.activeElement?.closest(one)", selector)
    return found


def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """Press Tab until the focus is there; each stop on the way must be visible."""
    for _ in range(_MOST):
        page.keyboard.press(key)
        lost = page.evaluate(_LOST)
        assert not lost, f"{page.url}: {lost}"
        if at(page, selector):
            return
    raise AssertionError(f"{page.url}: the keyboard never comes to {selector}")


def type_into(page: Page, selector: str, text: str) -> None:
    """Go to a field and type into it."""
    tab_to(page, selector)
    page.keyboard.type(text)


def follow(page: Page, selector: str, url: str) -> None:
    """Go to a link or button, press Enter and wait for the page that it leads to."""
    tab_to(page, selector)
    page.keyboard.press("Enter")
    page.wait_for_url(url)
