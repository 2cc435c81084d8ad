"""Owns what a user may wish of a key, what is wrong with a wish, and its columns. Pure.

Amounts are nano-dollars, times milliseconds since 1970. Must not know how keys are stored or shown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final

from sqlalchemy import RowMapping

from tollbridge.catalog.limit_fields import CONCURRENCY_MAX, RPM_MAX, TPM_MAX
from tollbridge.catalog.snapshot import Channel, Snapshot
from tollbridge.catalog.visibility import is_sold, open_channels
from tollbridge.core.faults import OUT_OF_RANGE
from tollbridge.core.language import N_
from tollbridge.core.money import MAX_AMOUNT
from tollbridge.core.periods import PERIODS
from tollbridge.storage.rows import names_from_json, to_json

NAME_MAX: Final = 64
IPS_MAX: Final = 100
MODELS_MAX: Final = 200
GONE_MARK: Final = "#"
"""What the name of a deleted key begins with, and no other."""

_RATES: Final = {"rpm": RPM_MAX, "tpm": TPM_MAX, "concurrency": CONCURRENCY_MAX}

NO_NAME: Final = N_("Give the key a name.")
BAD_NAME: Final = N_("A name has at most 64 characters and does not begin with #.")
NAME_TAKEN: Final = N_("You have a key of this name already.")
NO_CHANNEL: Final = N_("This channel is not there for you. Choose another one.")
NO_AMOUNT: Final = N_("Enter an amount above 0, or leave it empty for no limit.")
NO_PERIOD: Final = N_("Choose how long the budget is for.")
PAST: Final = N_("This is in the past.")
BAD_IP: Final = N_("Enter addresses or networks such as 192.0.2.1 or 10.0.0.0/8.")
NO_MODEL: Final = N_("The channel does not sell one of these models.")


class KeyRefused(Exception):
    """What was wished cannot be. `faults` has a msgid for each field of KeyWish at fault."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(", ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class KeyWish:
    """All that a user says of a key. `channel_id` None is auto; None and 0 are no limit.

    `models` empty: all of the channel; `ips` empty: from anywhere.
    """

    name: str
    channel_id: int | None = None
    limit: int | None = None
    budget: int | None = None
    budget_period: str | None = None
    expires_ms: int | None = None
    ips: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    rpm: int = 0
    tpm: int = 0
    concurrency: int = 0


def choices_of(snapshot: Snapshot, group: str) -> list[Channel]:
    """Return the channels that a user's group may choose, by name."""
    return sorted(open_channels(snapshot, None, group), key=lambda channel: channel.name)


def own_faults(wish: KeyWish, taken: set[str], at_ms: int) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the wish itself."""
    if not _is_name(wish.name):
        yield "name", BAD_NAME if wish.name.strip() else NO_NAME
    elif wish.name in taken:
        yield "name", NAME_TAKEN
    if wish.limit is not None and not 0 < wish.limit <= MAX_AMOUNT:
        yield "limit", NO_AMOUNT
    if wish.budget is not None and not 0 < wish.budget <= MAX_AMOUNT:
        yield "budget", NO_AMOUNT
    if wish.budget_period not in ((None,) if wish.budget is None else PERIODS):
        yield "budget_period", NO_PERIOD
    if wish.expires_ms is not None and wish.expires_ms <= at_ms:
        yield "expires", PAST
    if len(wish.ips) > IPS_MAX or not all(map(_is_network, wish.ips)):
        yield "ips", BAD_IP
    yield from (
        (name, OUT_OF_RANGE)
        for name, most in _RATES.items()
        if not 0 <= getattr(wish, name) <= most
    )


def _is_name(name: str) -> bool:
    fits = 0 < len(name) <= NAME_MAX and name.isprintable() and name == name.strip()
    return fits and not name.startswith(GONE_MARK)


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def offer_faults(
    wish: KeyWish, before: KeyWish | None, snapshot: Snapshot, group: str
) -> dict[str, str]:
    """Return what is wrong with the channel and the models, as far as they are others than before."""
    faults = {}
    moved = before is None or wish.channel_id != before.channel_id
    choices = choices_of(snapshot, group)
    if moved and wish.channel_id is not None:
        choices = [channel for channel in choices if channel.id == wish.channel_id]
        if not choices:
            faults["channel"] = NO_CHANNEL
    elif wish.channel_id is not None:
        choices = open_channels(snapshot, wish.channel_id, group)
    known = set() if moved or before is None else set(before.models)
    fresh = set(wish.models) - known
    sold = {name for name in fresh if any(is_sold(snapshot, one, name) for one in choices)}
    if len(wish.models) > MODELS_MAX or ("channel" not in faults and fresh - sold):
        faults["models"] = NO_MODEL
    return faults


def columns_of(wish: KeyWish) -> dict[str, Any]:
    """Return a key's columns, without those of its limit."""
    ips = sorted({str(ip_network(text, strict=False)) for text in wish.ips})
    return {
        "name": wish.name,
        "channel_id": wish.channel_id,
        "budget_nano": wish.budget,
        "budget_period": wish.budget_period,
        "expires_ms": wish.expires_ms,
        "ips": to_json(ips),
        "models": to_json(sorted(set(wish.models))),
        "rpm": wish.rpm,
        "tpm": wish.tpm,
        "concurrency": wish.concurrency,
    }


def wish_of(row: RowMapping) -> KeyWish:
    return KeyWish(
        name=row["name"],
        channel_id=row["channel_id"],
        limit=row["limit_nano"],
        budget=row["budget_nano"],
        budget_period=row["budget_period"],
        expires_ms=row["expires_ms"],
        ips=names_from_json(row["ips"]),
        models=names_from_json(row["models"]),
        rpm=row["rpm"],
        tpm=row["tpm"],
        concurrency=row["concurrency"],
    )
