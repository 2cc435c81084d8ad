"""Owns pinning: a call that names its channel, or the one account, by itself (contract.md, "Pinning").

A right that a key can have, or an administrator's. A pinned channel still fails over among its
accounts; a pinned account never does. Must not know how keys are looked up.
"""

from tollbridge.catalog.snapshot import Account, Channel
from tollbridge.core.errors import ApiError, Kind
from tollbridge.relay.call import Call

HEADER = b"x-tollbridge-channel"
_WISH_MAX = 200


def pin(call: Call) -> None:
    """Bind a call to what its key's suffix or its header names; ApiError when that may not be.

    The header wins over the suffix: it is the narrower of the two.
    """
    header = call.exchange.headers.get(HEADER)
    wish = call.key.pin if header is None else header.strip().decode("latin-1")
    if not wish:
        return
    key = call.key
    facts = {"key_last6": key.last6}
    if not (key.may_pin or key.user_role == "admin"):
        raise ApiError(Kind.PIN_FORBIDDEN, facts=facts)
    name, _, account = wish[:_WISH_MAX].partition("/")
    channel = call.snapshot.channels_by_name.get(name)
    if channel is None:
        raise ApiError(Kind.PIN_BAD_ID, facts=facts)
    if not channel.enabled:
        raise ApiError(Kind.CHANNEL_DISABLED, facts=facts)
    call.pinned = channel
    if account:
        call.only_account = _account(channel, account, facts).id


def _account(channel: Channel, name: str, facts: dict[str, str]) -> Account:
    for account in channel.accounts:
        if account.name == name:
            return account
    raise ApiError(Kind.PIN_BAD_ID, facts=facts)
