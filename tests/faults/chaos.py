"""Owns the chaos run: customers call, faults come at random, and after each round all is judged.

`python -m tests.faults.chaos --faults 200 --seed 7` prints the table of docs/chaos.md and exits 1
when anything was ever wrong. Whatever is random comes from the seed, which is printed; when what
happens meets what is the machine's affair.
"""

import argparse
import asyncio
import logging
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.faults.customers import EVERYBODY, HOT, Crowd, catalogue, doomed
from tests.faults.fleet import Fleet, fleet_in_a_folder
from tests.faults.judge import Judge
from tests.faults.wounds import Wounds
from tollbridge.core.money import format_usd, parse_usd

_BEFORE_S = (0.2, 0.8)
_AFTER_S = (0.1, 0.6)
_MORE = parse_usd("0.04")
_LINE = "{:<32}{:>7}{:>10}{:>7}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>6}{:>12}{:>7}"
_HEAD = (
    *("fault", "faults", "recovery", "ok", "failed", "refused", "vendor", "left", "retried"),
    *("reclaim", "late", "loss $", "wrong"),
)


@dataclass
class Tally:
    """What came of the rounds with one kind of fault. `recovery_s` is the longest, in seconds."""

    faults: int = 0
    recovery_s: float = 0.0
    loss: int = 0
    wrong: int = 0
    calls: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Take another's figures in."""
        self.faults += other.faults
        self.recovery_s = max(self.recovery_s, other.recovery_s)
        self.loss += other.loss
        self.wrong += other.wrong
        self.calls += other.calls

    def line(self, label: str) -> str:
        """Return it as a line of the table."""
        names = ("ok", "failed", "refused", "vendor", "left", "retried", "reclaimed", "late")
        figures = [self.calls[name] for name in names]
        loss = format_usd(self.loss)
        return _LINE.format(
            label, self.faults, f"{self.recovery_s:.1f} s", *figures, loss, self.wrong
        )


class Chaos:
    """One run over one fleet."""

    def __init__(
        self,
        fleet: Fleet,
        seed: int,
        customers: int = 14,
        only: str = "",
        at_once: int = 0,
        *,
        progress: bool = False,
    ) -> None:
        """`only` picks kinds of faults whose names have that text; `at_once` 0 is random."""
        self._fleet = fleet
        self._chance = random.Random(seed)
        self.crowd = Crowd(fleet, self._chance, customers)
        self.wounds = Wounds(fleet, self.crowd, self._chance)
        self.judge = Judge(fleet, EVERYBODY, self._chance)
        self.tallies: dict[str, Tally] = {}
        self._deck: list[str] = []
        self._kinds = [name for name in self.wounds.kinds if only in name]
        self._at_once = at_once
        self._progress = progress

    async def run(self, faults: int) -> None:
        """Deal so many faults, mostly one at a time, and judge after each round."""
        left = faults
        while left:
            many = self._at_once or self._chance.choices((1, 2, 3), (7, 2, 1))[0]
            many = min(left, many)
            left -= many
            await self._round([self._deal() for _ in range(many)])
            if self._progress:
                print(
                    f"{faults - left} of {faults} faults, {self.judge.finished} answers", flush=True
                )
        await self.judge.last()

    def _deal(self) -> str:
        """Take the next fault of a shuffled deck, so that none is left out for long."""
        if not self._deck:
            self._deck = list(self._kinds)
            self._chance.shuffle(self._deck)
        return self._deck.pop()

    async def _round(self, names: list[str]) -> None:
        label = names[0] if len(names) == 1 else f"{len(names)} at once"
        wrong = len(self.judge.wrong)
        self.crowd.start()
        await asyncio.sleep(self._chance.uniform(*_BEFORE_S))
        over = max(await asyncio.gather(*(self._hurt(name) for name in names)))
        await self._fleet.until(self._fleet.whole, f"a whole fleet after {names}")
        recovery = asyncio.get_running_loop().time() - over
        await asyncio.sleep(self._chance.uniform(*_AFTER_S))
        await self.crowd.stop()
        await self._fleet.settled()
        rows = await self.judge.round(self.crowd.visits, "+".join(names))
        tally = Tally(len(names), recovery, sum(row["loss"] for row in rows))
        tally.wrong = len(self.judge.wrong) - wrong
        tally.calls = self._counted(rows)
        self.tallies.setdefault(label, Tally()).add(tally)
        for one in self.judge.wrong[wrong:]:
            print(f"WRONG {one}", flush=True)
        for hot in HOT:
            await self.judge.credit(hot.email, _MORE)

    async def _hurt(self, name: str) -> float:
        if self._chance.random() < 0.5:
            await asyncio.sleep(self._chance.uniform(0, 0.5))
        return await self.wounds.kinds[name]()

    def _counted(self, rows: list[dict[str, Any]]) -> Counter[str]:
        counts: Counter[str] = Counter(retried=self.crowd.retried)
        for one in self.crowd.visits:
            seen = one.seen
            if seen.finished:
                counts["ok"] += 1
            elif one.cut:
                counts["left"] += 1
            elif 400 <= seen.status < 500:
                counts["refused"] += 1
            elif doomed(seen.ask) and seen.status in {200, 502}:
                counts["vendor"] += 1
            else:
                counts["failed"] += 1
        for row in rows:
            flags = row["flags"].split(",")
            counts["late"] += "late" in flags
            counts["reclaimed"] += "late" in flags or "reclaimed" in flags
        return counts

    def table(self) -> str:
        """Return the table of the run so far."""
        total = Tally()
        lines = [_LINE.format(*_HEAD)]
        for label, tally in sorted(self.tallies.items()):
            lines.append(tally.line(label))
            total.add(tally)
        lines.append(total.line("all"))
        lines.append(
            f"{self.judge.finished} finished answers held against books and vendor,"
            f" {self.judge.receipts} receipts read, {len(self.judge.wrong)} violations"
        )
        return "\n".join(lines)


async def _main(given: argparse.Namespace) -> int:
    # It warns of writing to customers and gateways that are gone, which is the point here.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    print(f"seed {given.seed}", flush=True)
    started = time.monotonic()
    async with fleet_in_a_folder(catalogue, given.gateways) as fleet:
        chaos = Chaos(fleet, given.seed, given.customers, given.only, given.at_once, progress=True)
        try:
            await chaos.run(given.faults)
        finally:
            print(chaos.table())
            print(f"seed {given.seed}, {time.monotonic() - started:.0f} s", flush=True)
    return 1 if chaos.judge.wrong else 0


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--customers", type=int, default=14)
    parser.add_argument("--gateways", type=int, default=3)
    parser.add_argument("--only", default="", help="only faults whose name has this text")
    parser.add_argument("--at-once", type=int, default=0, help="faults a round; 0: at random")
    sys.exit(asyncio.run(_main(parser.parse_args())))


if __name__ == "__main__":
    main()
