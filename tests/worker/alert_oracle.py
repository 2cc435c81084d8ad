"""What users must be told, worked out in plain Python from all that happened, one thing at a time."""

from dataclasses import dataclass, field
from typing import Any

from tests.worker.spenders import LOW, OWNER, email_of
from tollbridge.core.money import format_usd
from tollbridge.core.periods import period_at

PERCENTS = (80, 100)


@dataclass
class History:
    """All changes of one figure, the call behind each, and what it is now."""

    now: int = 0
    steps: list[tuple[int, int, Any, int]] = field(default_factory=list)

    def step(self, by: int, call: Any, round_: int) -> None:
        self.steps.append((self.now, self.now + by, call, round_))
        self.now += by

    def reached(self, mark: int, round_: int) -> Any:
        """Return (call,) of the step since which the figure is at `mark`; () if not of this round."""
        found: Any = ()
        for before, after, call, when in self.steps:
            if after < mark:
                found = ()
            elif before < mark:
                found = (call,) if when == round_ else ()
        return found


@dataclass
class Oracle:
    """Follows users, keys and their windows; `look` says what is told of what moved since the last."""

    balance: int
    key_limit: dict[int, int] = field(default_factory=dict)
    key_budget: dict[int, tuple[int, str]] = field(default_factory=dict)
    budget: dict[int, tuple[int, str]] = field(default_factory=dict)
    low: dict[int, int] = field(default_factory=dict)
    suspended: set[int] = field(default_factory=set)
    told: set[tuple[int, int, str, int]] = field(default_factory=set)
    mails: list[tuple[str, str, Any]] = field(default_factory=list)
    figures: dict[Any, History] = field(default_factory=dict)
    round_: int = 0

    def __post_init__(self) -> None:
        self.began: dict[str, int] = {}
        self.keys: dict[int, list[int]] = {}
        self.wallets: dict[int, list[int]] = {}

    def spent(self, key: int, amount: int, call: str, began: int) -> None:
        """A call was charged, or got back a negative `amount`."""
        if not amount:
            return
        user = OWNER[key]
        self._step(("limit", key), amount, call)
        if key in self.key_budget:
            start = period_at(self.key_budget[key][1], began).start_ms
            self._step(("key_budget", key, start), amount, call)
        for period in ("day", "week", "month"):
            start = period_at(period, began).start_ms
            self._step(("budget", user, period, start), amount, call)
        self._step(("wallet", user), amount, call)
        self.keys.setdefault(key, []).append(began)
        self.wallets.setdefault(user, []).append(began)

    def granted(self, user: int, amount: int) -> None:
        self._step(("wallet", user), -amount, None)
        self.wallets.setdefault(user, [])

    def limit_set(self, key: int, limit: int) -> None:
        if limit > self.key_limit[key]:
            gone = {"key_limit_80", "key_limit_100"}
            self.told = {mark for mark in self.told if mark[1] != key or mark[2] not in gone}
        self.key_limit[key] = limit

    def look(self, now: int) -> None:
        """Tell what is due, and begin another round."""
        for key, began in self.keys.items():
            self._look_at_key(key, began)
        for user, began in self.wallets.items():
            if user in self.suspended:
                continue
            amount, period = self.budget.get(user, (0, ""))
            for start in _starts(period, began) if amount else ():
                figure = self.figures[("budget", user, period, start)]
                title = f"Your budget for this {period}"
                self._level(figure, amount, (user, 0, f"budget_{period}", start), title)
            self._balance(user, now)
        self.keys, self.wallets = {}, {}
        self.round_ += 1

    def _look_at_key(self, key: int, began: list[int]) -> None:
        user = OWNER[key]
        if user in self.suspended:
            return
        if limit := self.key_limit.get(key):
            title = f"Limit of key k{key}"
            self._level(self.figures["limit", key], limit, (user, key, "key_limit", limit), title)
        if key in self.key_budget:
            amount, period = self.key_budget[key]
            for start in _starts(period, began):
                figure = self.figures["key_budget", key, start]
                title = f"Budget of key k{key} for this {period}"
                self._level(figure, amount, (user, key, f"key_budget_{period}", start), title)

    def _level(
        self, figure: History, limit: int, of: tuple[int, int, str, int], title: str
    ) -> None:
        user, key, kind, window = of
        crossings = {}
        for percent in PERCENTS:
            if figure.now * 100 >= limit * percent:
                mark = -(-limit * percent // 100)
                crossings[percent] = figure.reached(mark, self.round_)
        for percent, call in crossings.items():
            mark_ = (user, key, f"{kind}_{percent}", window)
            if mark_ in self.told:
                continue
            self.told.add(mark_)
            if percent == 80 and crossings.get(100) == call:
                continue
            self._mail(user, f"{title}: {percent}% spent", call[0] if call else None)

    def _balance(self, user: int, now: int) -> None:
        low = self.low.get(user, LOW)
        wallet = self.figures["wallet", user]
        days = [mark[3] for mark in self.told if mark[0] == user and mark[2] == "low_balance"]
        last = max(days, default=None)
        is_open = last is not None and (user, 0, "balance_well", last) not in self.told
        balance = self.balance - wallet.now
        today = period_at("day", now).start_ms
        if balance >= low:
            if is_open:
                self.told.add((user, 0, "balance_well", last))
            return
        if is_open or (last is not None and last >= today):
            return
        sunk = wallet.reached(self.balance - low + 1, self.round_)
        if sunk:
            self.told.add((user, 0, "low_balance", today))
            self._mail(user, f"Balance below ${format_usd(low)}", sunk[0])

    def _mail(self, user: int, subject: str, call: Any) -> None:
        self.mails.append((email_of(user), subject, call))

    def _step(self, name: Any, by: int, call: Any) -> None:
        self.figures.setdefault(name, History()).step(by, call, self.round_)


def _starts(period: str, began: list[int]) -> list[int]:
    edges = {period_at(period, at).start_ms for at in (min(began), max(began))} if began else set()
    return sorted(edges)
