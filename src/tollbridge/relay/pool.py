"""Owns the choice among a channel's accounts: whose turn it is, and who may be asked at all.

One for all calls of a process. It tells operators when an account falls out. Must not know of
requests, money or connections.
"""

from collections.abc import Callable, Collection

from tollbridge.catalog.snapshot import Account, Channel
from tollbridge.core.telemetry import get_logger
from tollbridge.notify.kinds import Kind
from tollbridge.relay.effects import Effect, Trouble
from tollbridge.relay.health import Health, Standing
from tollbridge.relay.plan import Plan
from tollbridge.relay.retries import FLOOR_PER_S, RetryBudget

_log = get_logger(__name__)
# Worth an operator's attention: these do not pass by themselves in seconds.
_TOLD = frozenset({Trouble.QUARANTINED, Trouble.MODEL_BLOCKED})


class Pool:
    """Accounts, as calls get them."""

    __slots__ = ("_alarm", "_parks", "_plan", "health", "retries")

    def __init__(
        self,
        clock: Callable[[], float],
        alarm: Callable[[Kind, str, str], None],
        *,
        parks: bool = True,
        retry_floor_per_s: int = FLOOR_PER_S,
    ) -> None:
        """`clock` gives seconds that only rise; `alarm` tells operators without waiting.

        Without `parks` nothing is ever held against an account. `retry_floor_per_s` second tries a
        second are always allowed to a channel.
        """
        self._parks = parks
        self.health = Health(clock)
        self.retries = RetryBudget(retry_floor_per_s)
        self._plan = Plan()
        self._alarm = alarm

    def next(
        self,
        channel: Channel,
        model: str,
        tried: Collection[int],
        serves: Callable[[Account], bool],
        session: int | None = None,
    ) -> Account | None:
        """Return the account to try now, None when no other can be asked.

        `serves` says which accounts could answer such a call at all; `session` is a preference
        (`Plan.pick`).
        """
        health, pick = self.health, self._plan.pick
        return pick(
            channel,
            tried,
            lambda account: serves(account) and health.usable(account, model),
            session,
        ) or pick(
            # Rather one that may still be in trouble than nobody.
            channel,
            tried,
            lambda account: serves(account) and health.spared(account, model),
            session,
        )

    def any_steady(self, channel: Channel, model: str, serves: Callable[[Account], bool]) -> bool:
        """Say whether an account could be asked whose last calls did not all fail."""
        steady = self.health.steady
        return any(serves(account) and steady(account, model) for account in channel.accounts)

    def any_left(
        self,
        channel: Channel,
        model: str,
        tried: Collection[int],
        serves: Callable[[Account], bool],
    ) -> bool:
        """Say whether another account could be asked; whose turn it is stays as it is."""
        health = self.health
        return any(
            account.id not in tried
            and serves(account)
            and (health.usable(account, model) or health.spared(account, model))
            for account in channel.accounts
        )

    def wait_s(self, channel: Channel, model: str, serves: Callable[[Account], bool]) -> float:
        """Return after how many seconds the first account may be asked again; 0 when there is none."""
        waits = [self.health.wait_s(one, model) for one in channel.accounts if serves(one)]
        return min(waits, default=0.0)

    def failed(
        self, channel: Channel, account: Account, model: str, effect: Effect, reason: str
    ) -> None:
        """A call to the account failed; `reason` is a word of ours, never what an upstream said."""
        if not self._parks:
            return
        usable = self.health.usable
        last = not any(one.id != account.id and usable(one, model) for one in channel.accounts)
        standing = self.health.failed(account, model, effect, reason, last=last)
        if standing is not None:
            self._tell(channel, account, standing)

    def _tell(self, channel: Channel, account: Account, standing: Standing) -> None:
        _log.warning(
            "account parked",
            channel=channel.name,
            account=account.name,
            trouble=standing.trouble.value,
            model=standing.model,
            reason=standing.reason,
        )
        if standing.trouble in _TOLD:
            what = f" for {standing.model}" if standing.model else ""
            detail = f"{standing.trouble.value}{what}: {standing.reason}"
            self._alarm(Kind.ACCOUNT_DISABLED, f"{channel.name}/{account.name}", detail)
