"""Owns the random wishes of calls, and the items that are made of them; both engines get the same."""

from hypothesis import strategies as st

from tests.storage import books
from tests.storage.books import LIMIT, OTHER, SECOND, WALLET
from tollbridge.storage.ledger_items import Look

PURSES = (
    (WALLET,), (WALLET, LIMIT), (OTHER,), (OTHER, LIMIT), (WALLET, LIMIT, SECOND), (OTHER, SECOND),
)  # fmt: skip
_KINDS = (
    ["hold"] * 3 + ["begin"] * 4 + ["update"] * 4 + ["settle"] * 5 + ["twice", "void", "withheld", "rehold", "record"]
    + ["return", "return", "look", "stray"]
)  # fmt: skip
SETTLES = frozenset({"settle", "twice", "void", "withheld"})


def wishes(most: int = 6, *, poison: bool = True) -> st.SearchStrategy:
    """Return lists of wishes: kind, which call, two amounts, purses, whether it is poison."""
    wish = st.tuples(
        st.sampled_from(_KINDS),
        st.integers(0, 7),
        st.integers(0, 500),
        st.integers(0, 500),
        st.sampled_from([*PURSES, PURSES[0]]),
        st.sampled_from([False] * 9 + [poison]),
    )
    return st.lists(wish, min_size=1, max_size=most)


class Calls:
    """The calls of one process: `items` lets much happen to few of them."""

    def __init__(self, skew_ms: int = 0) -> None:
        self.skew_ms = skew_ms
        self.known: list[str] = []
        self._purses_of: dict[str, tuple[int, ...]] = {}

    def items(self, wanted, standing):
        """Return (item, whether it is poison) for each wish; `standing` are the open holds."""
        settled, returned = set(), set()
        items = []
        for kind, index, small, large, purses, poison in wanted:
            # Few calls at a time, so that much happens to each; strays know no call.
            recent = self.known[-4:]
            tid = recent[index % len(recent)] if recent else books.tid()
            skipped = False
            if kind in {"hold", "begin", "record", "stray"}:
                tid = books.tid()
            elif kind == "rehold":
                skipped = tid in settled or tid not in standing
            else:
                # A charge is given back by a later batch: only then it is known as taken.
                skipped = tid in (
                    returned if kind in SETTLES else settled if kind == "return" else ()
                )
            if skipped:
                continue
            if kind in SETTLES:
                settled.add(tid)
            if kind == "return":
                returned.add(tid)
            if kind in {"hold", "begin"}:
                self.known.append(tid)
                self._purses_of[tid] = purses
            for _ in range(2 if kind == "twice" else 1):
                item = self._item(kind, tid, small, large, purses, poison=poison)
                items.append((item, poison and kind != "look"))
            if kind == "begin":
                items.append((books.update(tid, small + 1, large), False))
        return items

    def _item(self, kind, tid, small, large, purses, *, poison):
        bill = "\ud800" if poison else "{}"
        purses_of_call = self._purses_of.get(tid, purses)
        if kind in {"hold", "begin", "rehold"}:
            item = books.hold(tid, small + 1, purses, bill)
            item.at_ms += self.skew_ms
            return item
        if kind == "update":
            return books.update(tid, large, small, bill)
        if kind in {*SETTLES, "stray"}:
            strange = {"model_asked": "\udc00", "input": 1 << 66} if poison else {}
            cost = 0 if kind == "void" else large
            item = books.settle(tid, cost, purses_of_call[0], purses=purses_of_call, **strange)
            item.withheld = kind == "withheld"
            return item
        if kind == "record":
            item = books.record(tid)
            item.row = (*item.row[:-1], bill) if poison else item.row
            return item
        if kind == "return":
            return books.give_back(tid, purses_of_call)
        return Look(purses)
