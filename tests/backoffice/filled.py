"""Owns what tests of forms share: a form as a browser reads it from a page and sends it back."""

from html.parser import HTMLParser
from typing import Any

from sqlalchemy import Table, select

from tests.services.pages import House
from tollbridge.core.secrets import SecretsError
from tollbridge.storage.unit_of_work import reading

_HIDDEN = {"secret", "proxy", "headers"}
_OF_A_RUN = {"id", "channel_id", "model_id", "created_ms", "valid_from_ms", "valid_to_ms"}


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, list[str]]] = {}
        self._fields: dict[str, list[str]] = {}
        self._area: str | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the fields of the form that is open."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._fields = self.forms.setdefault(given.get("action", ""), {})
        elif tag == "input" and "name" in given:
            if given.get("type") != "checkbox" or "checked" in given:
                self._fields.setdefault(given["name"], []).append(given.get("value", ""))
        elif tag == "textarea":
            self._area = given["name"]
            self._fields[self._area] = [""]
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and "selected" in given:
            self._fields[self._select] = [given["value"]]

    def handle_endtag(self, tag: str) -> None:
        """Close what a text may stand in."""
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        """Take the text of a field."""
        if self._area is not None:
            self._fields[self._area][0] += data


def form_in(text: str, action: str) -> dict[str, list[str]]:
    """Return the fields of the form that a page sends somewhere, as a browser would."""
    return forms_in(text)[action]


def forms_in(text: str) -> dict[str, dict[str, list[str]]]:
    """Return the fields of all forms of a page, by where they are sent."""
    parser = _Forms()
    parser.feed(text)
    return parser.forms


async def page(house: House, who: int, path: str) -> tuple[int, str]:
    """Return the status and text of a page."""
    async with house.browser(who) as browser:
        answer = await browser.get(path)
    return answer.status_code, answer.text


async def send(house: House, who: int, path: str, fields: dict[str, Any]) -> Any:
    """Send a form."""
    async with house.browser(who) as browser:
        return await browser.post(path, data=fields)


async def rows(house: House, table: Table) -> list[dict[str, Any]]:
    """Return the rows of a table without what differs from run to run, sealed ones opened."""
    async with reading(house.engine) as connection:
        found = (await connection.execute(select(table))).mappings().all()
    return sorted((_plain(house, table.name, dict(row)) for row in found), key=repr)


def _plain(house: House, table: str, row: dict[str, Any]) -> dict[str, Any]:
    kind = table.removesuffix("s")
    for column in _HIDDEN & row.keys():
        if row[column]:
            try:
                row[column] = house.secrets.open(row[column], f"{kind}:{row['id']}:{column}")
            except SecretsError as error:
                raise AssertionError(f"{table}.{column} is not sealed to its row") from error
    return {name: value for name, value in row.items() if name not in _OF_A_RUN}
