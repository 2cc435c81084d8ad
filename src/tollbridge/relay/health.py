"""Owns which accounts may be asked now: states with an end, compared when somebody asks.

No job brings an account back: its time does (architecture.md, "Account health"), or an operator who
says that it is well, or another credential or address. States are this process's own; others see
them on the board (`relay/board.py`). Must not know channels, money or what an answer says.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from tollbridge.catalog.snapshot import Account
from tollbridge.relay.breaker import Breaker
from tollbridge.relay.effects import COOLDOWN_MAX_S, Effect, Scope, Trouble
from tollbridge.relay.strain import Strain

_ALL_MODELS: Final = ""
_SPENT_MAX: Final = 10_000
# A state of the breaker: the last reason is only one of many.
_CALLS_FAIL: Final = "calls fail"


class Standing(NamedTuple):
    """What is held against an account. `model` is empty where all of them are meant.

    `since_s` and `until_s` are times of the health's own clock; `reason` is for operators only. A
    breaker whose time is over lets one call through and waits for what becomes of it.
    """

    account: Account
    trouble: Trouble
    model: str
    until_s: float
    reason: str
    transient: bool = True
    since_s: float = 0.0


class _Record:
    """All that is known against one account, as it is configured in `account`."""

    __slots__ = ("account", "breaker", "parked", "repeats", "strain")

    def __init__(self, account: Account) -> None:
        self.account = account
        self.parked: dict[str, Standing] = {}
        self.breaker: Breaker | None = None
        self.repeats: dict[str, int] = {}
        self.strain: Strain | None = None


class Health:
    """The states of all accounts of a process."""

    __slots__ = ("_accounts", "_clock", "_proxies", "_records", "revision")

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start with every account in good standing; `clock` gives seconds that only rise."""
        self._clock = clock
        self._accounts: dict[int, Account] | None = None
        self._records: dict[int, _Record] = {}
        self._proxies: dict[str, Standing] = {}
        self.revision = 0
        """Moves whenever something is newly held or let go, other than by time."""

    def adopt(self, accounts: Iterable[Account]) -> None:
        """The catalogue changed: let go of what is held against accounts that are not so any more.

        Calls that began with an older one of them say nothing from now on. An account that was
        recovered frees its proxy as well.
        """
        before, self._accounts = self._accounts or {}, {one.id: one for one in accounts}
        for account in self._accounts.values():
            old = before.get(account.id)
            if old is not None and old.recovered_ms != account.recovered_ms:
                self._free(old.proxy)
                self._free(account.proxy)
        for record in [*self._records.values()]:
            if not self._current(record.account):
                del self._records[record.account.id]
                self.revision += 1

    def usable(self, account: Account, model: str) -> bool:
        """Say whether a call of this model may go to the account now."""
        if not (self._records or self._proxies):
            return True
        now = self._clock()
        proxy = self._proxies.get(account.proxy) if account.proxy else None
        if proxy is not None and proxy.until_s > now:
            return False
        record = self._record(account)
        if record is None:
            return True
        for name in (_ALL_MODELS, model) if record.parked else ():
            standing = record.parked.get(name)
            if standing is not None and standing.until_s > now:
                return False
        return record.breaker is None or record.breaker.allows(now)

    def spared(self, account: Account, model: str) -> bool:
        """Say whether only passing causes are held against an account, for when nobody else is left."""
        return all(
            standing.transient
            for standing in self.standings(account)
            if standing.model in {_ALL_MODELS, model}
        )

    def steady(self, account: Account, model: str) -> bool:
        """Say whether the account may be asked now, and its last calls did not all fail."""
        if not self.usable(account, model):
            return False
        record = self._record(account)
        strain = record.strain if record is not None else None
        return strain is None or not strain.holds(self._clock())

    def began(self, account: Account) -> None:
        """A call goes to the account."""
        record = self._record(account)
        if record is not None and record.breaker is not None:
            record.breaker.begin(self._clock())

    def succeeded(self, account: Account, model: str) -> None:
        """The account answered a call of this model: its breaker and what doubles begin anew."""
        record = self._record(account)
        if record is None:
            return
        record.strain = None
        breaker = record.breaker
        if breaker is not None:
            self.revision += breaker.open_until is not None
            breaker.succeeded(self._clock())
            if breaker.quiet:
                record.breaker = None
        record.repeats.pop(_ALL_MODELS, None)
        record.repeats.pop(model, None)

    def failed(
        self, account: Account, model: str, effect: Effect, reason: str, *, last: bool
    ) -> Standing | None:
        """A call failed; return what is newly held against the account, if anything is.

        `last`: no other account could take the call, so a passing cause does not park this one.
        """
        if effect.for_s is not None or last:
            self.undecided(account)
        if not self._current(account):
            return None
        now = self._clock()
        record = self._record(account)
        if record is None:
            record = self._records[account.id] = _Record(account)
        if effect.transient:
            record.strain = record.strain or Strain()
            record.strain.failed(now)
            if last:
                return None
        if effect.scope is Scope.PROXY:
            return self._hold_proxy(account, effect, now, reason)
        if effect.for_s is None:
            return self._count(record, now, reason)
        where = model if effect.scope is Scope.MODEL else _ALL_MODELS
        before = record.parked.get(where)
        if before is not None and before.until_s <= now:
            before = None
        until_s = now + _longer(record, where, effect, before, now)
        if before is not None and before.until_s >= until_s:
            return None
        lasts = before is not None and before.trouble is effect.trouble
        since_s = before.since_s if before is not None and lasts else now
        standing = Standing(
            account, effect.trouble, where, until_s, reason, effect.transient, since_s
        )
        self._park(record, standing, now)
        return None if before is not None else standing

    def undecided(self, account: Account) -> None:
        """A try has ended that says nothing of whether calls fail: if it was a probe, another may go."""
        record = self._record(account)
        if record is not None and record.breaker is not None:
            record.breaker.probe_over()

    def take_over(self, standing: Standing) -> None:
        """Hold what another process, or this one's last life, has found out about an account.

        It ends when it says, at the latest after the longest time that any cause has.
        """
        now = self._clock()
        account = standing.account
        until_s = min(standing.until_s, now + COOLDOWN_MAX_S)
        if until_s <= now or not self._current(account):
            return
        record = self._record(account)
        if record is None:
            record = self._records[account.id] = _Record(account)
        before = record.parked.get(standing.model)
        if before is None or before.until_s < until_s:
            self._park(record, standing._replace(until_s=until_s), now)

    def standings(self, account: Account) -> list[Standing]:
        """Return what is held against an account now."""
        now = self._clock()
        found: list[Standing] = []
        proxy = self._proxies.get(account.proxy) if account.proxy else None
        if proxy is not None and proxy.until_s > now:
            found.append(proxy._replace(account=account))
        record = self._record(account)
        if record is None:
            return found
        found += [standing for standing in record.parked.values() if standing.until_s > now]
        breaker = record.breaker
        if breaker is not None and breaker.open_until is not None:
            found.append(_open(account, breaker, breaker.open_until))
        return found

    def every_standing(self) -> list[Standing]:
        """Return what is held against any account of the catalogue now."""
        return [
            standing
            for account in (self._accounts or {}).values()
            if account.id in self._records or account.proxy in self._proxies
            for standing in self.standings(account)
        ]

    def wait_s(self, account: Account, model: str) -> float:
        """Return for how many seconds the account may not be asked for this model; 0 if it may."""
        now = self._clock()
        times = [one.until_s - now for one in self.standings(account) if one.model in {"", model}]
        return max([0.0, *times])

    def _record(self, account: Account) -> _Record | None:
        """Return what is known against an account as it is, not as it was before a change."""
        record = self._records.get(account.id)
        if record is None or record.account is account:
            return record
        if identity_of(record.account) != identity_of(account):
            return None
        # A new snapshot with the same account in it: the next look costs no comparison.
        record.account = account
        return record

    def _current(self, account: Account) -> bool:
        """Say whether the catalogue has the account like this; all are, before there is one."""
        if self._accounts is None:
            return True
        current = self._accounts.get(account.id)
        return current is account or (
            current is not None and identity_of(current) == identity_of(account)
        )

    def _count(self, record: _Record, now: float, reason: str) -> Standing | None:
        breaker = record.breaker
        if breaker is None:
            breaker = record.breaker = Breaker()
        until_s, opened = breaker.open_until, breaker.failed(now)
        self.revision += breaker.open_until != until_s
        if not opened or breaker.open_until is None:
            return None
        return _open(record.account, breaker, breaker.open_until)._replace(reason=reason)

    def _hold_proxy(
        self, account: Account, effect: Effect, now: float, reason: str
    ) -> Standing | None:
        """Judge a proxy as a proxy: all who share it wait, none of them is at fault."""
        before = self._proxies.get(account.proxy)
        lasts = before is not None and before.until_s > now
        since_s = before.since_s if before is not None and lasts else now
        until_s = now + (effect.for_s or 0.0)
        standing = Standing(account, effect.trouble, _ALL_MODELS, until_s, reason, since_s=since_s)
        self._proxies[account.proxy] = standing
        self.revision += 1
        return None if lasts else standing

    def _park(self, record: _Record, standing: Standing, now: float) -> None:
        if len(record.parked) >= _SPENT_MAX:
            # Under wildcards there can be any number of model names: let go of what is over.
            record.parked = {
                model: one for model, one in record.parked.items() if one.until_s > now
            }
        record.parked[standing.model] = standing
        self.revision += 1

    def _free(self, proxy: str) -> None:
        if self._proxies.pop(proxy, None) is not None:
            self.revision += 1


def identity_of(account: Account) -> tuple[object, ...]:
    """Return what makes an account the one that something is held against.

    With another address, credential, proxy or rule for its calls, or once it was recovered, it is a
    new one. A token that is fetched again and again is no new credential.
    """
    return (
        account.id,
        account.recovered_ms,
        account.platform,
        account.base_url,
        account.proxy,
        account.auth,
        account.secret if account.auth == "secret" else "",
        account.compatible,
        account.mapping,
        account.headers,
        account.params,
        account.params_drop,
    )


def _open(account: Account, breaker: Breaker, until_s: float) -> Standing:
    return Standing(
        account,
        Trouble.FAILING,
        _ALL_MODELS,
        until_s,
        _CALLS_FAIL,
        since_s=breaker.opened_at,
    )


def _longer(
    record: _Record, where: str, effect: Effect, before: Standing | None, now: float
) -> float:
    """Return how long to wait: twice as long each time in a row, for causes that may last."""
    for_s = effect.for_s or 0.0
    if effect.trouble is not Trouble.QUARANTINED:
        return for_s
    if before is not None:
        # One of several calls that were under way together.
        return before.until_s - now
    times = record.repeats[where] = record.repeats.get(where, 0) + 1
    return float(min(for_s * 2 ** (times - 1), COOLDOWN_MAX_S))
