"""Owns what a call's multiplier is made of: its channel's, its user group's, the hour's. Pure."""

import json
from fractions import Fraction
from typing import Final

from tollbridge.catalog.snapshot import Channel, Snapshot
from tollbridge.core.money import Multiplier

FACTOR_MAX: Final = 5
"""What a group's or a peak's factor may be at most; with three decimals products fit 64 bits."""


def multiplier_of(
    snapshot: Snapshot, channel: Channel, group: str, at_ms: int
) -> tuple[Multiplier, str | None]:
    """Return the multiplier of a call at a moment, and as JSON what it is made of.

    The second is None where it is the channel's alone: the usual case, which makes nothing.
    """
    of_group, peak = snapshot.groups.get(group), channel.peak
    of_peak = peak.factor if peak is not None and peak.covers(at_ms) else None
    if of_group is None and of_peak is None:
        return channel.multiplier, None
    parts = [("channel", channel.multiplier)]
    if of_group is not None:
        parts.append(("group", of_group))
    if of_peak is not None:
        parts.append(("peak", of_peak))
    whole = _product(*(part for _, part in parts))
    text = json.dumps([[name, part.num, part.den] for name, part in parts], separators=(",", ":"))
    return whole, text


def lasting_multiplier(snapshot: Snapshot, channel: Channel, group: str) -> Multiplier:
    """Return the multiplier of a channel's calls outside of its peak hours."""
    of_group = snapshot.groups.get(group)
    return channel.multiplier if of_group is None else _product(channel.multiplier, of_group)


def _product(*factors: Multiplier) -> Multiplier:
    whole = Fraction(1)
    for factor in factors:
        whole *= Fraction(factor.num, factor.den)
    return Multiplier(whole.numerator, whole.denominator)
