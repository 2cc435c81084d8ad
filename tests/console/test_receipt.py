"""Proof that a receipt on a page can be worked out by hand, and that only its owner sees it."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from html.parser import HTMLParser
from math import ceil, prod
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from tests.console.calls import USED, Till
from tests.services.pages import House
from tollbridge.core.clock import new_tid
from tollbridge.protocols.usage import ImageCount, Usage
from tollbridge.storage.ledger_tables import hold, usage
from tollbridge.storage.unit_of_work import working, writing

ROOT = Path(__file__).resolve().parents[2]


class Rows(HTMLParser):
    """Reads the rows of the table of a receipt: the kind of the row and its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[tuple[str, list[str]]] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = dict(attrs).get("data-line")
        if tag == "tr" and kind:
            self.rows.append((kind, []))
        if tag in ("th", "td") and self.rows:
            self._in_cell = True
            self.rows[-1][1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][1][-1] += data

    def of(self, *kinds: str) -> Iterator[list[str]]:
        for kind, cells in self.rows:
            if kind in kinds:
                yield [" ".join(cell.split()) for cell in cells]


def figure(text: str) -> Fraction:
    number = re.search(r"-?\$?[\d,]+(?:\.\d+)?(?:/\d+)?", text)
    assert number is not None, text
    return Fraction(number[0].replace("$", "").replace(",", ""))


def worked_out(page: str) -> Fraction:
    """Work the charge out from what a person sees, and hold each figure against it on the way."""
    rows = Rows(page)
    sums = Fraction(0)
    named = ("subtotal", "factor", "cost", "adjustment", "charge")
    lines = [cells for kind, cells in rows.rows if kind not in named]
    for _, count, price, amount in lines:
        due = figure(count) * figure(price) / (1 if "each" in price else 1_000_000)
        assert due == figure(amount), (count, price, amount)
        sums += due
    assert [figure(cells[-1]) for cells in rows.of("subtotal")] == [sums]
    factor = prod(figure(cells[-1]) for cells in rows.of("factor"))
    cost = Fraction(ceil(sums * factor * 10**9), 10**9)
    assert [figure(cells[-1]) for cells in rows.of("cost")] == [cost]
    charge = cost + sum(figure(cells[-1]) for cells in rows.of("adjustment"))
    assert [figure(cells[-1]) for cells in rows.of("charge")] == [charge]
    return charge


def tool_says(file: Path) -> int:
    """Return 0 when the tool finds the receipt right."""
    return subprocess.run(
        [sys.executable, ROOT / "tools/recompute_receipt.py", file],
        stdout=subprocess.DEVNULL,
        check=False,
    ).returncode


async def get(house: House, user_id: int, path: str, **headers: str) -> Any:
    async with house.browser(user_id) as browser:
        return await browser.get(path, headers=headers)


async def test_its_time_is_exact_and_its_client_named(house: House) -> None:
    till = await Till(house).open()
    ada, boss = await till.user(), await house.user("boss@example.com", "admin")
    tid = await till.call(at_ms=1_783_000_000_042)
    for who, path in ((ada["id"], "/console/usage"), (boss, "/backoffice/requests")):
        page = (await get(house, who, f"{path}/{tid}")).text
        assert "2026-07-02 13:46:40.042 UTC" in page
        assert "<dd>curl</dd>" in page


async def test_a_person_can_work_it_out_again(house: House, tmp_path: Path) -> None:
    till = await Till(house).open()
    ada = await till.user()
    factors = json.dumps([["channel", 3, 20], ["group", 1, 3]])
    for used, more in (
        (USED, {}),
        (Usage(input=7, output=3, web_search=2), {}),
        (USED, {"num": 1, "den": 20, "factors": factors}),
        (Usage(input=1_234_567, output=1, images=(ImageCount("a", "b", 2),)), {}),
    ):
        tid = await till.call(used, given=more, first_token_ms=321, total_ms=4_500)
        page = await get(house, ada["id"], f"/console/usage/{tid}")
        assert page.status_code == 200
        charge = worked_out(page.text)
        assert "321 ms" in page.text and "4,500 ms" in page.text
        raw = await get(house, ada["id"], f"/console/usage/{tid}.json")
        assert Fraction(raw.json()["charge"]) == charge
        file = tmp_path / "receipt.json"
        file.write_text(raw.text, "utf-8")
        # The tool that is handed out with the product comes to the same.
        assert await asyncio.to_thread(tool_says, file) == 0


async def test_what_was_given_back_and_not_charged_is_said(house: House) -> None:
    till = await Till(house).open()
    ada = await till.user()
    tid = await till.call()
    async with working(house.engine) as connection:
        await connection.execute(update(usage).values(reversed=usage.c.charge))
    page = await get(house, ada["id"], f"/console/usage/{tid}")
    assert worked_out(page.text) == 0
    assert "Given back" in page.text
    lost = await till.call(Usage(input=5), state="upstream_error", status=502)
    page = await get(house, ada["id"], f"/console/usage/{lost}")
    assert worked_out(page.text) == 0
    assert "Not charged" in page.text


async def test_attempts_are_told_without_names(house: House) -> None:
    till = await Till(house).open()
    ada = await till.user()
    tid = await till.call(attempts='[[1,"rate_limited",340],[2,"ok",1200]]')
    page = await get(house, ada["id"], f"/console/usage/{tid}")
    text = " ".join(page.text.split())
    assert "1. <code>rate_limited</code> (340 ms); 2. answered (1,200 ms)" in text
    assert "hidden-account" not in text and "127.0.0.1:9" not in text


async def test_a_script_gets_the_part_alone(house: House) -> None:
    till = await Till(house).open()
    ada = await till.user()
    tid = await till.call()
    part = await get(house, ada["id"], f"/console/usage/{tid}", **{"hx-request": "true"})
    assert "<html" not in part.text and worked_out(part.text) > 0


async def test_only_the_owner_sees_it(house: House) -> None:
    till = await Till(house).open()
    bob = await till.user("bob@example.com")
    tid = await till.call()
    admin = await house.user("root@example.com", "admin")
    for path in (tid, f"{tid}.json"):
        for user_id in (bob["id"], admin):
            assert (await get(house, user_id, f"/console/usage/{path}")).status_code == 404


@pytest.mark.parametrize("tid", ["x", "0" * 31, "0" * 32, "A" * 32, "%00", "0" * 33])
async def test_what_is_none_is_not_there(house: House, tid: str) -> None:
    user_id = await house.user()
    for path in (tid, f"{tid}.json"):
        assert (await get(house, user_id, f"/console/usage/{path}")).status_code == 404


async def test_a_running_call_says_so_to_its_owner(house: House) -> None:
    till = await Till(house).open()
    ada, bob = await till.user(), await till.user("bob@example.com")
    tid = new_tid()
    async with writing(house.engine) as connection:
        await connection.execute(
            insert(hold).values(
                tid=tid, wallet_id=ada["wallet_id"], amount=5, covered=0, node_id=1, epoch=1,
                at_ms=till.now, bill="[]",
            )
        )  # fmt: skip
    page = await get(house, ada["id"], f"/console/usage/{tid}")
    assert page.status_code == 200 and "still running" in page.text
    assert (await get(house, ada["id"], f"/console/usage/{tid}.json")).status_code == 404
    assert (await get(house, bob["id"], f"/console/usage/{tid}")).status_code == 404
