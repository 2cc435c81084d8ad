"""Owns the order in which a channel's accounts are tried. Pure.

Lower priority number first; within one priority by weight (product.md, "account").
"""

from collections.abc import Collection, Sequence

from tollbridge.catalog.snapshot import Account


def candidates(accounts: Sequence[Account], tried: Collection[int]) -> list[Account]:
    """Return the accounts of the best priority that is left, without those already tried."""
    left = [account for account in accounts if account.id not in tried]
    if not left:
        return []
    best = min(account.priority for account in left)
    return [account for account in left if account.priority == best]


def pick(accounts: Sequence[Account], tried: Collection[int], chance: int) -> Account | None:
    """Return the next account to try, or None when all have been.

    `chance` is any non-negative integer; over even chances each account comes up by its weight.
    """
    if len(accounts) == 1:
        return None if accounts[0].id in tried else accounts[0]
    choices = candidates(accounts, tried)
    if len(choices) <= 1:
        return choices[0] if choices else None
    total = sum(max(account.weight, 0) for account in choices)
    if total == 0:
        return choices[chance % len(choices)]
    at = chance % total
    for account in choices:
        at -= max(account.weight, 0)
        if at < 0:
            return account
    return choices[-1]
