"""Owns what an orphaned call is worth beside its charge: at list price, and to the operator.

By the price and the account that its bill names, where they are still known. Must not know how a
call is posted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import asyncpg

from tollbridge.billing.bill import Bill
from tollbridge.billing.pricing import AmountTooLarge, Unpriced, list_cost, own_cost
from tollbridge.catalog.price_rows import price_of
from tollbridge.catalog.prices import Price
from tollbridge.core.money import Multiplier
from tollbridge.core.storable import INT64_MAX
from tollbridge.protocols.usage import Usage
from tollbridge.storage.term_rows import TermRows, read_from_file, read_from_server


@dataclass(frozen=True, slots=True)
class Terms:
    """Prices by id, and what accounts cost over list price by id: those that are still known."""

    prices: Mapping[int, Price] = field(default_factory=dict)
    costs: Mapping[int, Multiplier] = field(default_factory=dict)

    @classmethod
    def of_file(cls, path: Path, bills: Iterable[Bill]) -> Self:
        """Read the terms of some hundred bills at most from a SQLite file; raises sqlite3.Error."""
        return cls._of(read_from_file(path, *_named(bills)))

    @classmethod
    async def of_server(cls, connection: asyncpg.Connection, bills: Iterable[Bill]) -> Self:
        """Read the terms of bills from PostgreSQL; raises asyncpg's errors."""
        return cls._of(await read_from_server(connection, *_named(bills)))

    def worth(self, bill: Bill, usage: Usage) -> tuple[int, int] | None:
        """Return (list cost, own cost) in nano-dollars, by the rules of a call that ended by itself.

        None when the price is not known any more, or no sum can be worked out by it.
        """
        price = self.prices.get(bill.price_id)
        if price is None:
            return None
        try:
            listed = list_cost(usage, price.served(usage.tier))
        except (AmountTooLarge, Unpriced):
            return None
        cost = None if bill.account_id is None else self.costs.get(bill.account_id)
        return listed, 0 if cost is None else own_cost(listed, cost)

    @classmethod
    def _of(cls, rows: TermRows) -> Self:
        prices = {}
        for row in rows.prices:
            try:
                prices[row["id"]] = price_of(row, "")
            except ValueError:
                # A damaged row must not keep the money held: it is as good as none.
                continue
        return cls(prices, {number: Multiplier(num, den) for number, num, den in rows.costs})


def _named(bills: Iterable[Bill]) -> tuple[set[int], set[int]]:
    """Return the ids of prices and accounts; what no database holds is no id."""
    pairs = [(bill.price_id, bill.account_id or 0) for bill in bills]
    prices = {price for price, _ in pairs if 0 < price <= INT64_MAX}
    return prices, {account for _, account in pairs if 0 < account <= INT64_MAX}
