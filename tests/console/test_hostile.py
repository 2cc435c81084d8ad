"""Pages of users when every name in them was chosen by somebody who means harm, or is not theirs."""

import csv
import io
import json
import re
from typing import Any

import pytest
from sqlalchemy import Table, select

from tests.services.hostile import CANARY, declared, furnished, harm_in, shown_harmlessly
from tests.services.pages import House
from tollbridge.storage.metadata import metadata
from tollbridge.storage.people_tables import audit_log, external_identities, sessions
from tollbridge.storage.tables import access_tokens, api_keys, users
from tollbridge.storage.unit_of_work import reading

PATHS = [path for path in declared("GET") if not path.startswith("/backoffice")]
THEIRS = (access_tokens, api_keys, audit_log, external_identities, users)
BROWSERS_OWN = ("/console/language", "/console/theme", "/sign-out")


async def rows(house: House, table: Table) -> list[dict[str, Any]]:
    """Return the rows of a table in their order."""
    async with reading(house.engine) as connection:
        found = await connection.execute(select(table).order_by(table.c.id))
        return [dict(row) for row in found.mappings()]


async def test_no_name_is_ever_more_than_text(house: House) -> None:
    world = await furnished(house)
    shown = 0
    for who in (None, world.user, world.admin):
        async with house.browser(who) as browser:
            shown += await shown_harmlessly(browser, world, PATHS)
    assert shown > 50


async def test_parts_of_pages_escape_as_whole_ones_do(house: House) -> None:
    world = await furnished(house)
    async with house.browser(world.user) as browser:
        browser.headers["hx-request"] = "true"
        shown = await shown_harmlessly(browser, world, PATHS)
    assert shown > 10


async def test_no_file_for_a_spreadsheet_has_a_formula(house: House) -> None:
    world = await furnished(house)
    async with house.browser(world.user) as browser:
        for path in ("/console/usage.csv", "/console/overview.csv", "/console/overview.csv?by=key"):
            answer = await browser.get(path)
            assert answer.headers["content-disposition"].isascii()
            cells = [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]
            assert f"'{CANARY}" in cells, (path, cells)
            assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t"))], path


@pytest.mark.parametrize("wish", ["javascript:alert(1)", "data:text/html,x", "//evil.test", "x:y"])
async def test_contacts_lead_nowhere_but_to_https(house: House, wish: str) -> None:
    await house.set_site(contact_telegram=wish, contact_email=wish, contact_qq=wish)
    async with house.browser() as browser:
        for path in ("/docs", "/docs/faq", "/legal/terms", "/sign-in", "/status"):
            answer = await browser.get(path)
            assert harm_in(answer.text) == [], (path, harm_in(answer.text))
            assert 'href="//evil' not in answer.text, path


async def test_nothing_of_others_can_be_seen_or_done(house: House) -> None:
    world = await furnished(house)
    stranger = await house.user("eve@example.com")
    before = [await rows(house, table) for table in (*THEIRS, sessions)]
    tried = 0
    async with house.browser(stranger) as browser:
        mine = {row["id"] for row in await rows(house, sessions)} - {
            one["id"] for one in before[-1]
        }
        for method in ("GET", "POST"):
            for path in declared(method):
                if not {"{id}", "{tid}", "{tid}.json"} & set(path.split("/")):
                    continue
                form = {"grace": "0", "enabled": "1", "name": "mine", "reason": "mine", "wait": ""}
                data = form if method == "POST" else None
                answer = await browser.request(method, world.path(path), data=data)
                assert answer.status_code == 404, (method, path, answer.status_code)
                assert CANARY not in answer.text
                tried += 1
    assert tried > 30
    assert [await rows(house, table) for table in THEIRS] == before[:-1]
    left = [row for row in await rows(house, sessions) if row["id"] not in mine]
    assert left == before[-1]


async def test_a_statement_is_a_page_without_harm(house: House) -> None:
    world = await furnished(house)
    async with house.browser(world.user) as browser:
        answer = await browser.get(world.path("/console/wallet/statement/{file}"))
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    assert "&lt;/title&gt;" in answer.text
    assert (
        harm_in(answer.text) == []
        and "default-src 'none'" in answer.headers["content-security-policy"]
    )
    assert answer.headers["content-disposition"].isascii()


async def test_owners_find_what_strangers_do_not(house: House) -> None:
    world = await furnished(house)
    async with house.browser(world.user) as browser:
        for path in ("/console/keys/{id}", "/console/usage/{tid}", "/console/usage/{tid}.json"):
            assert (await browser.get(world.path(path))).status_code == 200, path
        receipt = await browser.get(world.path("/console/usage/{tid}.json"))
    assert receipt.headers["content-type"].startswith("application/json")
    assert CANARY in json.dumps(receipt.json(), ensure_ascii=False).replace('\\"', '"')


async def test_a_secret_is_shown_once_and_kept_nowhere(house: House) -> None:
    world = await furnished(house)
    found: set[str] = set()
    async with house.browser(world.user) as browser:

        async def made(path: str, **form: str) -> str:
            answer = await browser.post(path, data=form)
            assert answer.status_code == 200, (path, answer.status_code)
            assert answer.headers["cache-control"] == "no-store", path
            found.update(re.findall(r"\b(?:sk-tb-|tbp_)[\w-]{20,}", answer.text))
            return answer.text

        await made("/console/keys", name="mine", channel="auto")
        await made(world.path("/console/keys/{id}/rotate"), grace="0")
        await made("/console/profile/tokens", name="mine", life="0", scopes="own:read")
        assert len(found) == 3, found
        begun = await made("/console/profile/second-factor/begin")
        found |= set(re.findall(r"secret=([A-Z2-7]{16,})", begun))
        found |= set(re.findall(r'name="word"[^>]* value="([\w-]{20,})"', begun))
        for path in PATHS:
            answer = await browser.get(world.path(path))
            assert not [secret for secret in found if secret in answer.text], path
    assert len(found) >= 4
    for table in metadata.sorted_tables:
        async with reading(house.engine) as connection:
            kept = repr((await connection.execute(select(table))).all())
        assert not [secret for secret in found if secret in kept], table.name
