"""Owns the order in which a channel's accounts are tried.

Lower priority number first; within one priority by weight (product.md, "account"). The choice is
smooth: turns are spread evenly instead of drawn by chance, so a few calls already have the shares
of many. It costs the same for ten accounts and for a thousand. A session has an order of its own,
by weight too: while its first account cannot be asked, all its calls go to its second, where a
prompt cache then grows. Must not know why an account cannot be asked.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from itertools import accumulate, groupby
from typing import Final

from tollbridge.catalog.snapshot import Account, Channel

# Multiples of the golden ratio fill any interval evenly, whatever the number of turns.
_GOLDEN: Final = 0x9E3779B97F4A7C15
_BITS: Final = 64
_MASK: Final = (1 << _BITS) - 1
# So many turns may fall on accounts that cannot be asked before all of them are looked through.
_TURNS: Final = 4
# A session looks longer for its own: only so is its choice the same, whoever else is left out.
_STEPS: Final = 32
# From one step of a session to the next: a full cycle over all numbers, uneven in its high bits.
_STEP_BY: Final = 6_364_136_223_846_793_005
_STEP_ON: Final = 1_442_695_040_888_963_407


class _Tier:
    """The accounts of one priority; turns are counted over all calls."""

    __slots__ = ("_spare_turn", "_turn", "_upto", "accounts")

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.accounts = tuple(accounts)
        self._upto = list(accumulate(max(account.weight, 0) for account in accounts))
        if not self._upto[-1]:
            self._upto = list(range(1, len(accounts) + 1))
        self._turn = self._spare_turn = 0

    def next(self) -> Account:
        """Return whose turn it is."""
        self._turn = (self._turn + _GOLDEN) & _MASK
        return self.of(self._turn)

    def of(self, number: int) -> Account:
        """Return the account on which a number falls."""
        return self.accounts[bisect_right(self._upto, (number * self._upto[-1]) >> _BITS)]

    def among(self, choices: Sequence[Account], session: int | None) -> Account:
        """Return whose turn it is among a few of them, by their own weights, or the session's.

        These turns are counted apart: when they come depends on the others.
        """
        at = session
        if at is None:
            at = self._spare_turn = (self._spare_turn + _GOLDEN) & _MASK
        upto = list(accumulate(max(account.weight, 1) for account in choices))
        return choices[bisect_right(upto, (at * upto[-1]) >> _BITS)]


class Plan:
    """Whose turn it is in each channel; one for all calls of a process."""

    __slots__ = ("_tiers",)

    def __init__(self) -> None:
        self._tiers: dict[int, tuple[Channel, list[_Tier]]] = {}

    def pick(
        self,
        channel: Channel,
        tried: Collection[int],
        usable: Callable[[Account], bool],
        session: int | None = None,
    ) -> Account | None:
        """Return the next account to try, None when no other can be asked.

        `session` is a 64-bit number: while the accounts stay the same, it always means the same
        order of those of one priority, over many numbers each by its weight. It takes nobody's turn.
        """
        accounts = channel.accounts
        if len(accounts) == 1:
            only = accounts[0]
            return only if only.id not in tried and usable(only) else None
        for tier in self._tiers_of(channel):
            at = session
            for _ in range(_TURNS if at is None else _STEPS):
                account = tier.next() if at is None else tier.of(at)
                if account.id not in tried and usable(account):
                    return account
                if at is not None:
                    at = (at * _STEP_BY + _STEP_ON) & _MASK
            left = [one for one in tier.accounts if one.id not in tried and usable(one)]
            if left:
                return tier.among(left, session)
        return None

    def _tiers_of(self, channel: Channel) -> list[_Tier]:
        known = self._tiers.get(channel.id)
        # A new snapshot brings new channels, perhaps with other accounts.
        if known is None or known[0] is not channel:
            ordered = sorted(channel.accounts, key=lambda account: account.priority)
            groups = groupby(ordered, key=lambda account: account.priority)
            known = (channel, [_Tier(list(members)) for _, members in groups])
            self._tiers[channel.id] = known
        return known[1]
