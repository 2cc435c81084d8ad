"""Owns the verdict on a chaos run: what customers saw is held against the books and the vendor.

It trusts no figure of a gateway: what a call must cost is worked out from the vendor's script and
from what the vendor says it wrote. A sentence in `wrong` is a violation.
"""

import asyncio
import json
import random
from collections.abc import Iterable, Sequence
from typing import Any

from tests.faults.customers import Sold, Visit
from tests.faults.fleet import Fleet
from tests.faults.load import price
from tollbridge.billing.grants import grant
from tollbridge.core.clock import now_ms
from tollbridge.core.money import parse_usd
from tollbridge.demo.fake_books import Call
from tollbridge.storage.engine import open_engine
from tollbridge.storage.unit_of_work import writing

Row = dict[str, Any]
_RECEIPTS = 100
_NEW = "SELECT * FROM usage WHERE tid > $1 ORDER BY tid"
_SUMS = """
SELECT s.email, p.available, p.held, u.charged, u.late
FROM users s JOIN purse p ON p.kind = 'wallet' AND p.owner_id = s.id
CROSS JOIN LATERAL (
  SELECT coalesce(sum(charge), 0)::bigint AS charged,
         coalesce(sum(charge) FILTER (WHERE flags LIKE '%late%'), 0)::bigint AS late
  FROM usage WHERE wallet_id = p.id
) u
"""
_GUARDS = """
SELECT k.name, p.kind, sum(p.available)::bigint AS available, sum(p.held)::bigint AS held,
       (SELECT coalesce(sum(charge), 0)::bigint FROM usage WHERE key_id = k.id) AS charged
FROM purse p JOIN api_keys k ON k.id = p.owner_id
WHERE p.kind <> 'wallet' GROUP BY k.id, k.name, p.kind
"""


class Judge:
    """Judges one fleet, round after round; `wrong` is all that was ever found."""

    def __init__(self, fleet: Fleet, sold: Iterable[Sold], chance: random.Random) -> None:
        self._fleet = fleet
        self._chance = chance
        self._credit: dict[str, int] = {}
        self._guards: dict[str, str] = {}
        for one in sold:
            self.add(one)
        self._charges: dict[str, int] = {}
        self._seen_to = ""
        self._grants = 0
        self.finished = 0
        self.receipts = 0
        self.wrong: list[str] = []

    async def credit(self, email: str, amount: int) -> None:
        """Give a wallet more, as another process does: by a relative change."""
        (row,) = await self._fleet.rows(
            "SELECT p.id FROM purse p JOIN users u ON u.id = p.owner_id"
            " WHERE p.kind = 'wallet' AND u.email = $1",
            email,
        )
        self._grants += 1
        engine = open_engine(self._fleet.database.url)
        try:
            async with writing(engine) as connection:
                await grant(connection, row["id"], amount, f"more:{self._grants}", now_ms())
        finally:
            await engine.dispose()
        self._credit[email] += amount

    def add(self, sold: Sold) -> None:
        """Take note of a user who came later."""
        self._credit[sold.email] = parse_usd(sold.credit)
        self._guards[sold.name] = sold.fields

    async def begin(self) -> None:
        """Take what is in the books already as given."""
        rows = await self._fleet.rows("SELECT tid, charge FROM usage ORDER BY tid")
        self._charges = {row["tid"]: row["charge"] for row in rows}
        self._seen_to = rows[-1]["tid"] if rows else ""
        self._fleet.vendor.books.reset()

    async def round(self, visits: Sequence[Visit], label: str) -> list[Row]:
        """Judge the calls of a round that is over and settled; return the usage rows it made."""
        before = len(self.wrong)
        vendor = _by_tag(self._fleet.vendor.books.calls)
        self._fleet.vendor.books.reset()
        rows = await self._fleet.rows(_NEW, self._seen_to)
        by_tid = {row["tid"]: row for row in rows}
        for visit in visits:
            self._judge(visit, by_tid.get(visit.seen.tid), vendor.get(visit.seen.tag))
        if len(rows) > len(visits):
            self.wrong.append(f"{len(rows)} calls in the books, {len(visits)} were made")
        for row in rows:
            if row["loss"] and "late" not in row["flags"].split(","):
                self.wrong.append(f"{row['tid']}: the operator bore {row['loss']}")
        if rows:
            self._seen_to = rows[-1]["tid"]
        self._charges.update({row["tid"]: row["charge"] for row in rows})
        await self._receipts([one for one in visits if one.seen.finished])
        await self._money()
        self.wrong += await self._fleet.findings()
        self.wrong[before:] = [f"{label}: {one}" for one in self.wrong[before:]]
        return rows

    async def last(self) -> None:
        """Judge the whole: no charge of an earlier round has moved, the books are right in full."""
        rows = await self._fleet.rows("SELECT tid, charge FROM usage")
        if {row["tid"]: row["charge"] for row in rows} != self._charges:
            self.wrong.append("usage rows of earlier rounds changed")
        lines = await self._fleet.rows(
            "SELECT sum(CASE WHEN debit LIKE 'wallet:%' THEN amount ELSE -amount END)::bigint AS took"
            " FROM journal WHERE kind IN ('charge', 'late', 'return')"
        )
        if (lines[0]["took"] or 0) != sum(self._charges.values()):
            self.wrong.append("the journal took another sum than the usage rows say")
        self.wrong += await self._fleet.findings(full=True)

    def _judge(self, visit: Visit, row: Row | None, call: Call | None) -> None:
        seen, tid = visit.seen, visit.seen.tid
        most = seen.ask.full_price()
        charge = 0 if row is None else row["charge"]
        if charge > most:
            self.wrong.append(f"{tid}: {charge} charged for a call of {most}")
        if seen.status >= 400 and charge:
            self.wrong.append(f"{tid}: {charge} charged for an answer {seen.status}")
        if seen.finished:
            self.finished += 1
            self._judge_finished(visit, row, call)
        elif seen.content and row is None:
            self.wrong.append(f"{tid}: content was shown and nothing is in the books")

    def _judge_finished(self, visit: Visit, row: Row | None, call: Call | None) -> None:
        seen, tid = visit.seen, visit.seen.tid
        if row is None or call is None or call.ask is None:
            self.wrong.append(f"{tid}: finished and not in the books")
            return
        if row["end_state"] == "limited":
            if not 0 < row["charge"] <= row["held"]:
                self.wrong.append(f"{tid}: {row['charge']} charged of a hold of {row['held']}")
            return
        due = price(seen.ask.script["prompt_tokens"], call.tokens_out)
        if row["charge"] + row["loss"] != due:
            self.wrong.append(
                f"{tid}: finished ({row['end_state']}, {row['flags']}),"
                f" {row['charge']} charged, {due} due"
            )
        told = seen.headers.get("x-tollbridge-cost")
        if not seen.streamed and (told is None or parse_usd(told) != row["charge"]):
            self.wrong.append(f"{tid}: the answer said it cost {told}, not {row['charge']}")

    async def _receipts(self, visits: list[Visit]) -> None:
        places = asyncio.Semaphore(8)

        async def ask(visit: Visit) -> None:
            async with places:
                member = self._chance.choice(self._fleet.members)
                tid = visit.seen.tid
                status, body = await member.get(f"/v1/receipts/{tid}", visit.sold.secret)
            if status != 200 or parse_usd(json.loads(body)["charge"]) != self._charges.get(tid):
                self.wrong.append(f"{tid}: the receipt ({status}) says something else")

        chosen = self._chance.sample(visits, min(len(visits), _RECEIPTS))
        self.receipts += len(chosen)
        await asyncio.gather(*map(ask, chosen))

    async def _money(self) -> None:
        for row in await self._fleet.rows(_SUMS):
            if row["email"] not in self._credit:
                continue
            due = self._credit[row["email"]] - row["charged"]
            if (row["available"], row["held"]) != (due, 0) or due < 0:
                self.wrong.append(f"wallet of {row['email']}: {dict(row)}, {due} due")
        for row in await self._fleet.rows(_GUARDS):
            word = row["kind"].removeprefix("key_")
            limit = parse_usd(self._guards[row["name"]].partition(f'{word} = "')[2].split('"')[0])
            if (row["available"], row["held"]) != (limit - row["charged"], 0):
                self.wrong.append(f"{row['kind']} of {row['name']}: {dict(row)}, of {limit}")


def _by_tag(calls: Iterable[Call]) -> dict[str, Call]:
    return {call.tag: call for call in calls if call.tag}
