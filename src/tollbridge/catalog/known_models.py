"""Owns which models of a platform's own vendor are known by name, price and size; no network. Pure.

Only what an import could price as it stands is named. Must not know what is sold here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from tollbridge.catalog.price_import import Unsayable, translated
from tollbridge.catalog.price_import_source import (
    NoCounterpart,
    Wish,
    chosen,
    counterpart,
    read_source,
)
from tollbridge.protocols.endpoints import is_endpoint

VENDORS: Final = MappingProxyType(
    {"openai": "openai", "anthropic": "anthropic", "gemini": "google"}
)
"""The name of each platform's vendor in the source."""

_FOREIGN: Final = re.compile(r"^claude")
_DIGITS: Final = re.compile(r"(\d+)")
_SOUGHT: Final = re.compile(r"gpt-\d|claude-|gemini-\d")
"""How the names begin that somebody looks for first; other families come after them."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be priced; `context` in tokens, None where the source does not say."""

    name: str
    context: int | None


def known_models(platform: str, at_ms: int) -> Sequence[KnownModel]:
    """Return the models of a platform's vendor, those that are sought most and higher versions first.

    None for another platform.
    """
    vendor = VENDORS.get(platform)
    if vendor is None:
        return ()
    at = datetime.fromtimestamp(at_ms / 1_000, UTC)
    (provider,) = chosen(read_source(), (vendor,))
    names = [one.id for one in provider.models if not one.deprecated]
    found = [one for name in names if (one := _known(platform, name, at)) is not None]
    return sorted(found, key=lambda one: _rank(one.name), reverse=True)


def _known(platform: str, name: str, at: datetime) -> KnownModel | None:
    if name.endswith("-") or is_endpoint(name):
        return None
    if platform == "gemini" and _FOREIGN.match(name):
        # Sold by the same vendor elsewhere, not by this protocol.
        return None
    try:
        Wish.of_text(name)
        _, model = counterpart(chosen(read_source(), ()), name)
        rates = translated(model, at).price.rates
    except (NoCounterpart, Unsayable, ValueError):
        return None
    return KnownModel(name, model.context_window) if rates else None


def _rank(name: str) -> tuple[bool, list[tuple[int, int, str]]]:
    return _SOUGHT.match(name) is not None, _by_version(name)


def _by_version(name: str) -> list[tuple[int, int, str]]:
    """Return a key by which 5.10 comes after 5.9."""
    return [
        (1, int(part), "") if part.isdigit() else (0, 0, part)
        for part in _DIGITS.split(name)
        if part
    ]
