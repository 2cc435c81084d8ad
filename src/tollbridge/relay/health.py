"""Owns which accounts may be asked now: states with an end, compared when somebody asks.

No job brings an account back: its time does (architecture.md, "Account health"). A success of a
model ends what was held against it. States are this process's own; a cause that lasts is seen by
every process for itself. Must not know channels, money or what an answer says.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from tollbridge.catalog.snapshot import Account
from tollbridge.relay.breaker import Breaker
from tollbridge.relay.effects import COOLDOWN_MAX_S, Effect, Scope, Trouble

_ALL_MODELS: Final = ""
_SPENT_MAX: Final = 10_000


class Standing(NamedTuple):
    """What is held against an account. `model` is empty where all of them are meant.

    `until_s` is a time of the health's own clock; `reason` is for operators only. `account` is what
    it was then: with another credential or address it is a new one, against which nothing is held.
    """

    account: Account
    trouble: Trouble
    model: str
    until_s: float
    reason: str
    transient: bool = True


class Health:
    """The states of all accounts of a process."""

    __slots__ = ("_breakers", "_clock", "_parked", "_proxies", "_repeats")

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start with every account in good standing; `clock` gives seconds that only rise."""
        self._clock = clock
        self._parked: dict[tuple[int, str], Standing] = {}
        self._breakers: dict[int, Breaker] = {}
        self._proxies: dict[str, Standing] = {}
        self._repeats: dict[tuple[int, str], int] = {}

    def usable(self, account: Account, model: str) -> bool:
        """Say whether a call of this model may go to the account now."""
        if not (self._parked or self._breakers or self._proxies):
            return True
        now = self._clock()
        parked = self._parked
        if parked and any(
            standing is not None and standing.until_s > now and standing.account == account
            for standing in (
                parked.get((account.id, _ALL_MODELS)),
                parked.get((account.id, model)),
            )
        ):
            return False
        proxy = self._proxies.get(account.proxy) if account.proxy else None
        if proxy is not None and proxy.until_s > now:
            return False
        breaker = self._breakers.get(account.id)
        return breaker is None or breaker.allows(now)

    def spared(self, account: Account, model: str) -> bool:
        """Say whether only passing causes are held against an account, for when nobody else is left."""
        return all(
            standing.transient
            for standing in self.standings(account)
            if standing.model in {_ALL_MODELS, model}
        )

    def began(self, account: Account) -> None:
        """A call goes to the account."""
        breaker = self._breakers.get(account.id)
        if breaker is not None:
            breaker.begin(self._clock())

    def succeeded(self, account: Account, model: str) -> None:
        """The account answered a call of this model: what was held against both is over."""
        if self._breakers:
            breaker = self._breakers.get(account.id)
            if breaker is not None:
                breaker.succeeded(self._clock())
                if breaker.quiet:
                    del self._breakers[account.id]
        if self._repeats:
            self._repeats.pop((account.id, _ALL_MODELS), None)
            self._repeats.pop((account.id, model), None)

    def failed(
        self, account: Account, model: str, effect: Effect, reason: str, *, last: bool
    ) -> Standing | None:
        """A call failed; return what is newly held against the account, if anything is.

        `last`: no other account could take the call, so a passing cause does not park this one.
        """
        if effect.transient and last:
            return None
        now = self._clock()
        if effect.for_s is None:
            return self._count(account, now, reason)
        if effect.scope is Scope.PROXY:
            return self._hold_proxy(account, effect, now, reason)
        where = model if effect.scope is Scope.MODEL else _ALL_MODELS
        key = (account.id, where)
        before = self._parked.get(key)
        for_s = self._longer(key, effect, before, now)
        standing = Standing(account, effect.trouble, where, now + for_s, reason, effect.transient)
        if before is not None and before.account != account:
            before = None
        if before is not None and before.until_s >= standing.until_s:
            return None
        self._tidy(now)
        self._parked[key] = standing
        return None if before is not None and before.until_s > now else standing

    def recover(self, account_id: int) -> None:
        """Forget all that is held against an account: an operator says that it is well."""
        for key in [key for key in self._parked if key[0] == account_id]:
            del self._parked[key]
        for key in [key for key in self._repeats if key[0] == account_id]:
            del self._repeats[key]
        self._breakers.pop(account_id, None)

    def standings(self, account: Account) -> list[Standing]:
        """Return what is held against an account now."""
        now = self._clock()
        found = [
            standing
            for (account_id, _), standing in self._parked.items()
            if account_id == account.id and standing.until_s > now and standing.account == account
        ]
        proxy = self._proxies.get(account.proxy) if account.proxy else None
        if proxy is not None and proxy.until_s > now:
            found.append(proxy)
        breaker = self._breakers.get(account.id)
        if breaker is not None and breaker.open_until is not None:
            until_s = max(breaker.open_until, now)
            found.append(Standing(account, Trouble.FAILING, _ALL_MODELS, until_s, "calls fail"))
        return found

    def wait_s(self, account: Account, model: str) -> float:
        """Return for how many seconds the account may not be asked for this model; 0 if it may."""
        now = self._clock()
        times = [one.until_s - now for one in self.standings(account) if one.model in {"", model}]
        return max([0.0, *times])

    def _count(self, account: Account, now: float, reason: str) -> Standing | None:
        breaker = self._breakers.get(account.id)
        if breaker is None:
            breaker = self._breakers[account.id] = Breaker()
        if not breaker.failed(now) or breaker.open_until is None:
            return None
        return Standing(account, Trouble.FAILING, _ALL_MODELS, breaker.open_until, reason)

    def _hold_proxy(
        self, account: Account, effect: Effect, now: float, reason: str
    ) -> Standing | None:
        """Judge a proxy as a proxy: all who share it wait, none of them is at fault."""
        before = self._proxies.get(account.proxy)
        until_s = now + (effect.for_s or 0.0)
        standing = Standing(account, effect.trouble, _ALL_MODELS, until_s, reason)
        self._proxies[account.proxy] = standing
        return None if before is not None and before.until_s > now else standing

    def _longer(
        self, key: tuple[int, str], effect: Effect, before: Standing | None, now: float
    ) -> float:
        """Return how long to wait: twice as long each time in a row, for causes that may last."""
        for_s = effect.for_s or 0.0
        if effect.trouble is not Trouble.QUARANTINED:
            return for_s
        if before is not None and before.until_s > now:
            # One of several calls that were under way together.
            return before.until_s - now
        times = self._repeats[key] = self._repeats.get(key, 0) + 1
        return float(min(for_s * 2 ** (times - 1), COOLDOWN_MAX_S))

    def _tidy(self, now: float) -> None:
        """Let go of what is over; under wildcards there can be any number of model names."""
        if len(self._parked) >= _SPENT_MAX:
            self._parked = {key: one for key, one in self._parked.items() if one.until_s > now}
