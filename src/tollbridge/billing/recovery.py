"""Owns the start of a node's books: the calls of a process that is gone are posted and freed.

Each orphaned hold is charged what its last checkpoint says, with a usage row that says so
(money.md, "Death and time"). Runs before the first call is taken.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from msgspec import DecodeError

from tollbridge.billing.bill import Bill, Ending, unpack, usage_row
from tollbridge.billing.terms import Terms
from tollbridge.core.clock import now_ms
from tollbridge.core.money import ceil_div
from tollbridge.protocols.usage import Usage
from tollbridge.storage.ledger_batch import OpenHold
from tollbridge.storage.ledger_items import Settle
from tollbridge.storage.ledger_sqlite import SqliteBook

_AT_ONCE = 256
_UNKNOWN = Terms()


def reclaim(book: SqliteBook, path: Path) -> int:
    """Post every hold that stands and free the rest of it; return how many there were.

    `path` is the file of the books, where their prices are read.

    Every transaction is complete in itself, so a process that dies here is recovered the same
    way. Raises sqlite3.Error when the database itself fails.
    """
    orphans = book.adopt()
    for at in range(0, len(orphans), _AT_ONCE):
        some = orphans[at : at + _AT_ONCE]
        terms = Terms.of_file(path, map(bill_of, some))
        _post(book, [posting(hold, terms) for hold in some])
    return len(orphans)


def _post(book: SqliteBook, settles: Sequence[Settle]) -> None:
    """One bill that the tables refuse must not keep the node from starting: it goes plain."""
    try:
        book.apply(settles)
    except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, ValueError):
        if len(settles) == 1:
            book.apply([settles[0].plain()])
        else:
            for settle in settles:
                _post(book, [settle])


def posting(hold: OpenHold, terms: Terms = _UNKNOWN) -> Settle:
    """Return the settle that ends a hold whose process died, at its own checkpoint.

    Without the price of the call its list cost is worked back from the charge, and its own cost is
    not known.
    """
    bill = bill_of(hold)
    # The hold's own columns are what was debited; the bill beside it only explains.
    bill.tid, bill.wallet_id = hold.tid, hold.purses[0]
    usage = bill.used or Usage(input=bill.input, output=bill.output)
    listed, own = terms.worth(bill, usage) or (_worked_back(hold, bill), 0)
    ending = Ending(
        state="reclaimed",
        status=500,
        error_kind="internal",
        flags=("reclaimed",),
        usage=usage,
        list_cost=listed,
        own_cost=own,
        held=hold.amount,
        total_ms=max(now_ms() - hold.at_ms, 0),
    )
    return Settle(hold.tid, hold.covered, usage_row(bill, ending), hold.purses)


def _worked_back(hold: OpenHold, bill: Bill) -> int:
    return ceil_div(hold.covered * bill.den, bill.num) if bill.num > 0 else 0


def bill_of(hold: OpenHold) -> Bill:
    """Return the bill of a hold; one that this version cannot read must not keep the money held."""
    try:
        return unpack(hold.bill)
    except DecodeError:
        return Bill(
            hold.tid, hold.at_ms, 0, 0, "", hold.purses[0], 0, "", None, "", "", "chat", "", False,
            0, 1, 1, "",
        )  # fmt: skip
