"""Every page in Chinese: whatever is neither Chinese nor a name, a code or somebody's own words is a fault."""

import re
from collections.abc import Iterator

import httpx2
import pytest

from tests.browser import walk
from tests.browser.crowd import BODY, Crowd
from tests.browser.stage import Stage
from tests.browser.test_pages import AREAS, MORE, cookie_of, known
from tests.services.wording import english_in, faults

# A document for the books, the same file that programs are handed: English like its CSV and PDF.
_DOCUMENT = re.compile(r"/console/wallet/statement/")
# What people called their things here, and wrote.
_OWN = re.compile(r"Example Gateway|laptop \d+(: \S+)?|(channel )?a-name-\S+( \S+)?|a browser|one")
_MARKED = " ".join(BODY.split())
_WRITTEN = (
    *(_MARKED, re.sub("[*`]", "", _MARKED)),
    *("Prices change on Monday", "A warning whose title is as long as titles are when people take"),
)


def own(text: str) -> bool:
    """Tell whether a text is what somebody called or wrote here."""
    written = len(text) > 10 and any(text[:60] in one for one in _WRITTEN)
    return written or _OWN.fullmatch(text) is not None


def links(client: httpx2.Client, area: str, crowd: Crowd) -> Iterator[str]:
    """Yield addresses of all pages of an area, of some with other things to show."""
    found = walk.Walk(client, AREAS[area]())
    for path, link in found.go().pages.items():
        yield from (link + query for query in ("", *MORE.get(path, ())))
    yield from known(area, crowd)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("area", AREAS)
def test_a_page_is_chinese(area: str, crowded: tuple[Stage, Crowd]) -> None:
    stage, crowd = crowded
    session = cookie_of(stage, crowd, area)
    headers = {"accept-language": "zh-CN"}
    headers |= {"cookie": f"__Host-session={session}"} if session else {}
    found = []
    with httpx2.Client(
        base_url=stage.url, headers=headers, trust_env=False, timeout=30, follow_redirects=True
    ) as client:
        for link in links(client, area, crowd):
            if not _DOCUMENT.match(link):
                page = client.get(link).text
                assert 'lang="zh-Hans"' in page, link
                found += [
                    f"{link}: {one}" for text in english_in(page) for one in faults(text, own)
                ]
    assert not found, "\n" + "\n".join(found)
