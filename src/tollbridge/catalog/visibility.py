"""Owns which channels and models a key gets to see. Pure: a snapshot in, names out.

Must not know of keys: what matters of one (its channel, its user's group, its model list) comes in
as values. The relay's choice and the API's lists both follow from here.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from tollbridge.catalog.snapshot import Channel, Snapshot
from tollbridge.protocols.endpoints import is_endpoint


def open_channels(snapshot: Snapshot, channel_id: int | None, group: str) -> list[Channel]:
    """Return the enabled channels open to a key bound to `channel_id`; None is auto.

    Empty when there is none. An auto key sees what its user's group may choose.
    """
    if channel_id is not None:
        bound = snapshot.channels.get(channel_id)
        return [bound] if bound and bound.enabled else []
    return [
        channel
        for channel in snapshot.channels.values()
        if channel.enabled and ("*" in channel.groups or group in channel.groups)
    ]


def listed_models(
    snapshot: Snapshot, channels: Iterable[Channel], allowed: frozenset[str]
) -> dict[str, Channel]:
    """Return every priced model that the channels list by name, sorted, with the cheapest of them.

    `allowed` narrows it to a key's own list; empty allows all. A name of that list which a channel
    serves by a wildcard is listed too, because it can be called.
    """
    found: dict[str, list[Channel]] = {}
    for channel in channels:
        names = set(snapshot.visible[channel.id])
        if allowed:
            names &= allowed
            names |= {name for name in allowed if is_sold(snapshot, channel, name)}
        for name in names:
            found.setdefault(name, []).append(channel)
    return {name: cheapest(selling) for name, selling in sorted(found.items())}


def seller(snapshot: Snapshot, channels: Iterable[Channel], name: str) -> Channel | None:
    """Return the cheapest channel that could serve a call of the model `name`, if any."""
    selling = [channel for channel in channels if is_sold(snapshot, channel, name)]
    return cheapest(selling) if selling else None


def cheapest(channels: Sequence[Channel], at_ms: int | None = None) -> Channel:
    """Return the channel that a call goes to when several could take it: the cheapest with somebody
    to ask, the first of equals. ValueError when there are none.

    At a moment, in milliseconds since 1970, peak hours count; without one they do not.
    """
    staffed = [channel for channel in channels if channel.accounts] or channels
    return min(staffed, key=lambda one: _factor(one, at_ms))


def _factor(channel: Channel, at_ms: int | None) -> Fraction:
    factor, peak = Fraction(channel.multiplier.num, channel.multiplier.den), channel.peak
    if at_ms is None or peak is None or not peak.covers(at_ms):
        return factor
    return factor * Fraction(peak.factor.num, peak.factor.den)


def is_sold(snapshot: Snapshot, channel: Channel, name: str) -> bool:
    """Tell whether a call of the model `name` could be served by the channel at a price."""
    if name.endswith("*") or is_endpoint(name) or not channel.serves(name):
        return False
    model = snapshot.model(name)
    return model is not None and model.price is not None
