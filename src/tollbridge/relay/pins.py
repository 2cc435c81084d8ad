"""Owns pinning: a call that names its channel, or the one account, by itself (contract.md, "Pinning").

A right that a key can have, or an administrator's. A pinned channel still fails over among its
accounts; a pinned account never does. Must not know how keys are looked up.
"""

from tollbridge.catalog.snapshot import Account, Channel
from tollbridge.core.errors import ApiError, Kind
from tollbridge.identity.keys import KeyRecord
from tollbridge.identity.presented import name_of
from tollbridge.relay.call import Call

HEADER = b"x-tollbridge-channel"
_ADMIN = "admin"


def pin(call: Call) -> None:
    """Bind a call to what its key's suffix or its header names; ApiError when that may not be.

    The header wins over the suffix: it is the narrower of the two. A channel that the key's user
    may not choose does not exist for it.
    """
    key = call.key
    wish = name_of(call.exchange.headers.get(HEADER, b"").strip()) or key.pin
    if not wish:
        return
    facts = {"key_last6": key.last6}
    if not (key.may_pin or key.user_role == _ADMIN):
        raise ApiError(Kind.PIN_FORBIDDEN, facts=facts)
    name, _, account = wish.partition("/")
    channel = call.snapshot.channels_by_name.get(name)
    if channel is None or not _may_choose(key, channel):
        raise ApiError(Kind.PIN_BAD_ID, facts=facts)
    if not channel.enabled:
        raise ApiError(Kind.CHANNEL_DISABLED, facts=facts)
    call.pinned = channel
    if account:
        call.only_account = _account(channel, account, facts).id


def _may_choose(key: KeyRecord, channel: Channel) -> bool:
    """Say whether a channel is the key's own, its user's to choose, or its user an administrator."""
    groups = channel.groups
    return (
        key.user_role == _ADMIN
        or key.channel_id == channel.id
        or "*" in groups
        or key.user_group in groups
    )


def _account(channel: Channel, name: str, facts: dict[str, str]) -> Account:
    for account in channel.accounts:
        if account.name == name:
            return account
    raise ApiError(Kind.PIN_BAD_ID, facts=facts)
