"""Owns the names of service tiers: which one an answer says that it was served in. Pure.

The usual tier has many names and is none here; the others keep the vendor's word in lower case, for
prices are given by it.
"""

import re
from typing import Final

from msgspec.structs import replace

from tollbridge.protocols.usage import Usage

_USUAL: Final = frozenset(
    {"auto", "default", "standard", "standard_only", "on_demand", "traffic_type_unspecified"}
)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")


def tier_name(said: object) -> str:
    """Return the tier that an answer names, "" for the usual one and for what is no name."""
    if not isinstance(said, str):
        return ""
    # Traffic types of Gemini say the tier behind the way of paying.
    name = said.lower().removeprefix("on_demand_")
    return "" if name in _USUAL or _NAME.fullmatch(name) is None else name


def with_tier(usage: Usage | None, said: object) -> Usage | None:
    """Return a usage with the tier that its answer names, unchanged for the usual one."""
    name = tier_name(said) if said is not None else ""
    return replace(usage, tier=name) if usage is not None and name else usage
