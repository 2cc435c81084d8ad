"""Owns the form of a channel: a table of the configuration file in fields, and back.

What is wrong with a table is not known here; the file's own readers say it.
"""

from collections.abc import Mapping
from typing import Any, Final

from tollbridge.backoffice import typed
from tollbridge.catalog.channel_fields import POLICIES
from tollbridge.catalog.peak import DAYS
from tollbridge.core.errors import Surface
from tollbridge.core.language import N_
from tollbridge.web.forms import Form
from tollbridge.web.visit import Visit

PLATFORMS: Final = ("openai", "anthropic", "gemini")
SURFACES: Final = ("*", *(surface.value for surface in Surface))
ALL: Final = N_("All")
POLICY_NAMES: Final = {"any": N_("Any client")}
"""What policies are called that are no names of programs."""
DAY_NAMES: Final = {
    "mon": N_("Mon"),
    "tue": N_("Tue"),
    "wed": N_("Wed"),
    "thu": N_("Thu"),
    "fri": N_("Fri"),
    "sat": N_("Sat"),
    "sun": N_("Sun"),
}
FIELDS: Final = frozenset(
    {
        *("name", "platform", "surfaces", "models", "multiplier", "capabilities", "client_policy"),
        *("groups", "proxy", "requires_telegram", "mapping", "rpm", "tpm", "concurrency"),
        *("peak_from", "peak_to", "peak_zone", "peak_days", "peak_factor"),
    }
)

_LIMITS: Final = ("rpm", "tpm", "concurrency")
_PEAK: Final = ("from", "to", "zone", "factor")


def offered(visit: Visit) -> dict[str, list[tuple[str, str]]]:
    """Return what the form offers to choose from: values and their texts."""
    return {
        "platforms": [(one, one) for one in PLATFORMS],
        "surfaces": [("*", visit.text(ALL)), *((one, one) for one in SURFACES[1:])],
        "policies": [(one, visit.text(POLICY_NAMES.get(one, one))) for one in POLICIES],
        "days": [(day, visit.text(name)) for day, name in DAY_NAMES.items()],
    }


def blank() -> dict[str, Any]:
    """Return the table that the form of a new channel begins with."""
    return {
        "platform": "openai", "surfaces": ["*"], "models": [], "multiplier": "1.0",
        "capabilities": [], "client_policy": "any", "groups": ["*"], "mapping": {},
        "requires_telegram": False, "rpm": 0, "tpm": 0, "concurrency": 0,
    }  # fmt: skip


def shown(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the fields show of a table."""
    peak = table.get("peak", {})
    return {
        "name": table.get("name", ""),
        "platform": table["platform"],
        "surfaces": table["surfaces"],
        "models": typed.shown_lines(table["models"]),
        "multiplier": table["multiplier"],
        "capabilities": table["capabilities"],
        "client_policy": table["client_policy"],
        "groups": typed.shown_lines(table["groups"]),
        "mapping": typed.shown_pairs(table["mapping"]),
        "requires_telegram": table["requires_telegram"],
        "peak_days": peak.get("days", list(DAYS)),
        **{name: table[name] for name in _LIMITS},
        **{f"peak_{name}": peak.get(name, "") for name in _PEAK},
    }


def typed_values(form: Form) -> dict[str, Any]:
    """Return what the fields of a form that was sent show again; never its proxy."""
    many = ("surfaces", "capabilities", "peak_days")
    values: dict[str, Any] = {name: form.raw(name) for name in FIELDS - {"proxy"}}
    values |= {name: form.many(name) for name in many}
    return values | {"requires_telegram": form.flag("requires_telegram")}


def table_of(form: Form) -> dict[str, Any]:
    """Return the table that a form says, without platform if that is not asked."""
    table: dict[str, Any] = typed.given_texts(
        form, ("name", "platform", "multiplier", "client_policy", "proxy")
    )
    table |= {
        "surfaces": form.many("surfaces"),
        "models": typed.lines(form, "models"),
        "capabilities": form.many("capabilities"),
        "groups": typed.lines(form, "groups"),
        "mapping": typed.pairs(form, "mapping"),
        "requires_telegram": form.flag("requires_telegram"),
        **typed.given_integers(form, _LIMITS),
    }
    peak = typed.given_texts(form, [f"peak_{name}" for name in _PEAK])
    if peak:
        table["peak"] = {name.removeprefix("peak_"): value for name, value in peak.items()}
        table["peak"]["days"] = form.many("peak_days")
    return table


def kept(form: Form) -> frozenset[str]:
    """Return the sealed columns that stay as they are: those that were left empty and not taken away."""
    stays = not form.raw("proxy").strip() and not form.flag("no_proxy")
    return frozenset({"proxy"} if stays else ())
