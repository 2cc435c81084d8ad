"""Owns a second opinion on the books: one item after the other, in plain dictionaries."""

from dataclasses import dataclass, field, replace

from tests.storage.books import LIMIT, OTHER, SECOND, WALLET
from tollbridge.storage.ledger_items import (
    Figures,
    Hold,
    HoldResult,
    Look,
    Poisoned,
    Record,
    Return,
    Settle,
    SettleResult,
    Update,
)

GONE = HoldResult(ok=False, short=None)
NOT_OPEN = SettleResult(open=False, charge=0, loss=0, balance=0)


@dataclass
class Standing:
    """A hold as the model has it."""

    purses: tuple[int, ...]
    amount: int
    covered: int = 0
    strange: bool = False


@dataclass
class Model:
    """What the file must hold; `take` says what each item must be answered."""

    available: dict[int, int]
    holds: dict[str, Standing] = field(default_factory=dict)
    usage: dict[str, tuple[int, int]] = field(default_factory=dict)
    reclaimed: set[str] = field(default_factory=set)
    lenient: bool = False
    spoilt: bool = False

    def copy(self) -> "Model":
        """Return an independent copy."""
        return replace(
            self,
            available=dict(self.available),
            holds={tid: replace(one) for tid, one in self.holds.items()},
            usage=dict(self.usage),
            reclaimed=set(self.reclaimed),
        )

    def held(self, purse):
        """Return what all holds on a purse come to."""
        return sum(one.amount for one in self.holds.values() if purse in one.purses)

    def figures(self):
        """Return every purse."""
        return {purse: Figures(self.available[purse], self.held(purse)) for purse in self.available}

    def short(self, purses, amount):
        """Return the first purse that lacks `amount`."""
        figures = self.figures()
        return next((purse for purse in purses if figures[purse].free < amount), None)

    def stages(self, wishes):
        """Return what a group of items, some poisonous, is answered, and the states on the way.

        As one transaction where no poison would be written; else one item after the other.
        """
        together = self.copy()
        together.spoilt = False
        answers = [together.take(item, poison=poison, lenient=True) for item, poison in wishes]
        if not together.spoilt and not any(one.strange for one in together.holds.values()):
            return answers, [self.copy(), together]
        stages, answers = [self.copy()], []
        for item, poison in wishes:
            stages.append(stages[-1].copy())
            answers.append(stages[-1].take(item, poison=poison))
        return answers, stages

    def take(self, item, *, poison=False, lenient=False):
        """Do one item; `lenient` goes on after poison and remembers it."""
        self.lenient = lenient
        name = {
            Hold: self._hold,
            Update: self._update,
            Settle: self._settle,
            Record: self._record,
            Return: self._return,
            Look: self._look,
        }
        return name[type(item)](item, poison)

    def _look(self, item, poison):
        return {purse: self.figures()[purse] for purse in item.purses}

    def _hold(self, item, poison):
        if item.tid in self.holds or item.tid in self.usage:
            return GONE
        short = self.short(item.purses, item.amount)
        if short is not None:
            return HoldResult(ok=False, short=short)
        if poison and not self.lenient:
            return Poisoned
        self.holds[item.tid] = Standing(item.purses, item.amount, strange=poison)
        return HoldResult(ok=True, short=None)

    def _update(self, item, poison):
        one = self.holds.get(item.tid)
        if one is None:
            return GONE
        more = item.amount - one.amount
        short = self.short(one.purses, more) if more > 0 else None
        if short is not None:
            return HoldResult(ok=False, short=short)
        newer = item.covered >= one.covered
        if newer and poison and not self.lenient:
            return Poisoned
        one.strange = poison if newer else one.strange
        one.amount = max(one.amount, item.amount)
        one.covered = max(one.covered, item.covered)
        return HoldResult(ok=True, short=None)

    def _settle(self, item, poison):
        cost = 0 if item.withheld else item.cost
        one = self.holds.pop(item.tid, None)
        if one is None:
            if item.tid in self.reclaimed:
                self.spoilt |= poison
                return self._settle_late(item, cost)
            if cost == 0:
                self.spoilt |= poison and item.tid not in self.usage
                self.usage.setdefault(item.tid, (0, 0))
            return NOT_OPEN
        self.spoilt |= poison
        return self.end(item.tid, one, cost)

    def _settle_late(self, item, cost):
        """The call comes back after it was posted by others: it pays its cost all the same."""
        self.reclaimed.discard(item.tid)
        wallet, posted = item.purses[0], self.usage[item.tid][0]
        charge = min(cost, posted + self.available[wallet] - self.held(wallet))
        self.available[wallet] -= charge - posted
        for limit in item.purses[1:]:
            left = self.available[limit] - (charge - posted)
            self.available[limit] = max(left, self.held(limit))
        self.usage[item.tid] = (charge, cost - charge)
        return SettleResult(True, charge, cost - charge, self.available[wallet], late=True)

    def end(self, tid, one, cost):
        """End a call that held `one`."""
        wallet = one.purses[0]
        spare = self.available[wallet] - self.held(wallet)
        charge = min(cost, spare)
        self.available[wallet] -= charge
        for limit in one.purses[1:]:
            self.available[limit] = max(self.available[limit] - charge, self.held(limit))
        self.usage[tid] = (charge, cost - charge)
        return SettleResult(True, charge, cost - charge, self.available[wallet])

    def _record(self, item, poison):
        tid = item.row[0]
        if poison or tid in self.usage:
            self.spoilt = True
            return Poisoned
        self.usage[tid] = (0, 0)
        return None

    def _return(self, item, poison):
        if item.tid not in self.usage:
            return False
        for purse in item.purses:
            self.available[purse] += self.usage[item.tid][0]
        self.usage[item.tid] = (0, 0)
        self.reclaimed.discard(item.tid)
        return True

    def recover(self):
        """Post every hold at its checkpoint, as a start of the node does."""
        for tid in sorted(self.holds):
            one = self.holds.pop(tid)
            self.end(tid, one, one.covered)
            self.reclaimed.add(tid)

    def state(self):
        """Return all of it, comparable with what is read from the file."""
        return (
            self.figures(),
            {tid: (one.amount, one.covered) for tid, one in self.holds.items()},
            self.usage,
            self.reclaimed,
        )


def of_file(query):
    """Read the same from a file; `query` runs SQL."""
    return (
        {
            purse: Figures(available, held)
            for purse, available, held in query("SELECT id, available, held FROM purse")
        },
        {tid: (amount, at) for tid, amount, at in query("SELECT tid, amount, covered FROM hold")},
        {tid: (charge, loss) for tid, charge, loss in query("SELECT tid, charge, loss FROM usage")},
        {row[0] for row in query("SELECT tid FROM usage WHERE end_state = 'reclaimed'")},
    )


def beginning(available, limit, second=0):
    """Return the model of a fresh file."""
    return Model({WALLET: available, OTHER: available, LIMIT: limit, SECOND: second})
