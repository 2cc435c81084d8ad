"""Owns how the state of an account is told to operators: words, tones, and since when until when."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.language import N_
from tollbridge.storage.account_troubles import Shown, troubles_of

STATES: Final = {
    "active": N_("Active"),
    "parked": N_("Parked"),
    "disabled": N_("Disabled"),
    "no_credential": N_("No credential"),
}
TROUBLES: Final = {
    "rate_limited": N_("Rate limited"),
    "overloaded": N_("Overloaded"),
    "quarantined": N_("Quarantined"),
    "model_blocked": N_("Model blocked"),
    "failing": N_("Failing"),
    "proxy_down": N_("Proxy down"),
    "signed_out": N_("Signed out"),
}
_PARKED_ABOVE: Final = 500


@dataclass(frozen=True, slots=True)
class Staff:
    """The accounts of a channel: how many work, of how many, and why the others do not."""

    live: int
    all: int
    reasons: tuple[tuple[str, int], ...]
    """A msgid and how many accounts it holds for, the most first."""


async def troubles_in(
    connection: AsyncConnection, rows: Sequence[RowMapping]
) -> Mapping[int, Sequence[Shown]]:
    """Return what is held against accounts that are parked or active, by account."""
    ids = [row["id"] for row in rows if row["state"] in {"parked", "active"}]
    found: dict[int, Sequence[Shown]] = {}
    for start in range(0, len(ids), _PARKED_ABOVE):
        found |= await troubles_of(connection, ids[start : start + _PARKED_ABOVE])
    return found


def staff_by_channel(
    rows: Iterable[RowMapping], troubles: Mapping[int, Sequence[Shown]]
) -> dict[int, Staff]:
    """Return how the accounts of each channel are."""
    of: dict[int, list[RowMapping]] = {}
    for row in rows:
        of.setdefault(row["channel_id"], []).append(row)
    return {channel_id: _staff(members, troubles) for channel_id, members in of.items()}


def _staff(members: list[RowMapping], troubles: Mapping[int, Sequence[Shown]]) -> Staff:
    away = [row for row in members if row["state"] != "active"]
    reasons = Counter(word_of(row["state"], troubles.get(row["id"], ())) for row in away)
    return Staff(len(members) - len(away), len(members), tuple(reasons.most_common()))


def word_of(state: str, held: Sequence[Shown]) -> str:
    """Return the msgid of the state an account is in, as exactly as is known."""
    if state == "parked" and held:
        return TROUBLES.get(held[0].trouble, STATES["parked"])
    return STATES[state]


def hosts_of(rows: Iterable[RowMapping]) -> dict[int, str]:
    """Return where accounts are reached, by account, without anything that could be a credential."""
    return {row["id"]: urlsplit(row["base_url"]).hostname or "" for row in rows}
