"""Owns the values that travel to a money writer and back. Knows nothing of SQL or threads.

An item is what one call wants done to the books; writers take many items in one transaction
(money.md, "One call" and "Engines"). Amounts are nano-dollars.
"""

import asyncio
from typing import Any, NamedTuple

# The usage columns in the order in which rows are built; `charge` and `loss` come last because
# only the writer knows them: they depend on the hold and on what the wallet has.
USAGE_COLUMNS = (
    "tid", "at_ms", "user_id", "key_id", "key_name", "wallet_id", "channel_id", "channel_name",
    "account_id", "model_asked", "model_sent", "model_answered", "surface", "platform", "stream",
    "status", "error_kind", "end_state", "flags", "input", "cache_read", "cache_write_5m",
    "cache_write_1h", "output", "reasoning", "audio_input", "audio_output", "image_input",
    "image_output", "items", "price_id", "multiplier_num", "multiplier_den", "list_cost",
    "own_cost", "held", "first_token_ms", "total_ms", "client", "attempts", "service_tier",
    "factors", "reversed", "charge", "loss",
)  # fmt: skip
UsageRow = tuple[Any, ...]
TID = 0
STATUS, ERROR_KIND, END_STATE, FLAGS, WALLET, REVERSED = (
    USAGE_COLUMNS.index(name)
    for name in ("status", "error_kind", "end_state", "flags", "wallet_id", "reversed")
)
INT64_MAX = 2**63 - 1
_INT32_MAX = 2**31 - 1
_TEXTS = frozenset({
    "tid", "key_name", "channel_name", "model_asked", "model_sent", "model_answered", "surface",
    "platform", "error_kind", "end_state", "flags", "items", "client", "attempts",
    "service_tier", "factors",
})  # fmt: skip
_MAY_BE_NULL = frozenset({
    "account_id", "model_sent", "model_answered", "platform", "error_kind", "items", "price_id",
    "first_token_ms", "client", "attempts", "service_tier", "factors",
})  # fmt: skip
_PLAIN_TEXT_MAX = 16


class Figures(NamedTuple):
    """A purse as the books have it: what is not yet charged, and how much of that is held."""

    available: int
    held: int

    @property
    def free(self) -> int:
        """What new calls may hold."""
        return self.available - self.held


class Item:
    """One wish of one call. The writer sets `taken`; the loop publishes the result once.

    `resent` is set when an earlier try may have been written though its answer was lost: what
    the books say of the call then counts as that answer.
    """

    __slots__ = ("asked_at", "future", "resent", "taken")

    def __init__(self) -> None:
        self.future: asyncio.Future[Any] | None = None
        self.asked_at = 0.0
        self.taken = False
        self.resent = False


class Look(Item):
    """Read purses as they are now; the result is a dict of `Figures` by purse id."""

    __slots__ = ("purses",)

    def __init__(self, purses: tuple[int, ...]) -> None:
        super().__init__()
        self.purses = purses


class Hold(Item):
    """Set `amount` aside in every purse of `purses` (the wallet first); all or nothing."""

    __slots__ = ("amount", "at_ms", "bill", "cancelled", "purses", "tid")

    def __init__(
        self, tid: str, purses: tuple[int, ...], amount: int, at_ms: int, bill: str
    ) -> None:
        super().__init__()
        self.tid = tid
        self.purses = purses
        self.amount = amount
        self.at_ms = at_ms
        self.bill = bill
        self.cancelled = False


class Update(Item):
    """Checkpoint a hold: its cost so far and, when `amount` grew, a larger hold.

    Absolute and monotone, so a repeated update is harmless (money.md, step 5).
    """

    __slots__ = ("amount", "bill", "covered", "tid")

    def __init__(self, tid: str, amount: int, covered: int, bill: str) -> None:
        super().__init__()
        self.tid = tid
        self.amount = amount
        self.covered = covered
        self.bill = bill


class Settle(Item):
    """End a call: delete its hold, charge `cost`, write its usage row and journal lines.

    `row` lacks its last two columns, which the writer adds. With `cost` 0 this is also how a
    hold is voided. Setting `withheld` before the writer takes the item makes it cost nothing.
    `purses` are those of the hold: a settle that comes late finds the hold no more.
    """

    __slots__ = ("cost", "purses", "row", "tid", "withheld")

    def __init__(self, tid: str, cost: int, row: UsageRow, purses: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.tid = tid
        self.cost = cost
        self.row = row
        self.purses = purses or (row[WALLET],)
        self.withheld = False

    def effective(self) -> tuple[int, UsageRow]:
        """Return the cost and row that apply now: those of a withheld answer, if it is one."""
        if not self.withheld:
            return self.cost, self.row
        row = list(self.row)
        row[STATUS], row[ERROR_KIND], row[END_STATE] = 503, "database_down", "withheld"
        return 0, tuple(row)

    def plain(self) -> "Settle":
        """Return the same settle with long or strange values emptied: a row no database refuses."""
        values = tuple(map(_plain_value, USAGE_COLUMNS, self.row))
        twin = Settle(self.tid, self.cost, (self.tid, *values[1:]), self.purses)
        twin.withheld, twin.resent = self.withheld, self.resent
        return twin


def _plain_value(column: str, value: Any) -> Any:
    """Keep short ASCII words and counts that fit; nothing else is sure to fit its column."""
    if column in _TEXTS:
        if isinstance(value, str) and len(value) <= _PLAIN_TEXT_MAX and _is_plain(value):
            return value
        return None if column in _MAY_BE_NULL else ""
    if column == "stream":
        return bool(value)
    if isinstance(value, int) and 0 <= value <= (_INT32_MAX if column == "status" else INT64_MAX):
        return value
    return None if column in _MAY_BE_NULL else 0


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


class Record(Item):
    """Write the usage row of a call that was refused before it held anything."""

    __slots__ = ("row",)

    def __init__(self, row: UsageRow) -> None:
        super().__init__()
        self.row = row


class Return(Item):
    """Give back the charge of a settled call whose answer was withheld after all.

    Harmless when repeated, and when the settle was already taken as withheld. A key's limit gets
    the whole charge back even if the call had overrun it: the limit is a guard, not money.
    """

    __slots__ = ("purses", "tid")

    def __init__(self, tid: str, purses: tuple[int, ...]) -> None:
        super().__init__()
        self.tid = tid
        self.purses = purses


class HoldResult(NamedTuple):
    """Whether the hold stands; when not, `short` is the id of the first purse that lacks money."""

    ok: bool
    short: int | None


class SettleResult(NamedTuple):
    """What a settle came to. `open` is False when there was no such hold: nothing was done.

    `late` says that the hold had been reclaimed: the difference was booked.
    """

    open: bool
    charge: int
    loss: int
    balance: int
    late: bool = False


class Poisoned(Exception):
    """The database refuses this one item, whatever it is batched with."""


class LedgerBroken(Exception):
    """The writer cannot know whether money was written: the process must end and recover."""
