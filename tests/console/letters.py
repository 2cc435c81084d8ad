"""Reads the words in the links of mail that a site in this process has written."""

import re

from tests.services.at_the_door import letters
from tests.services.pages import House

__all__ = ["letters", "link_word"]


async def link_word(house: House) -> str:
    """Return the word in the link of the last mail."""
    text = (await letters(house))[-1]["text"]
    found = re.search(r"\?token=([\w-]+)", text)
    assert found, text
    return found[1]
