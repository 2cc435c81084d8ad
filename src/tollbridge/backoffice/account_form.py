"""Owns the form of an account: a table of the configuration file in fields, and back.

What is sealed is never shown: an empty field keeps it. What is wrong with a table is not known here.
"""

from collections.abc import Mapping
from typing import Any, Final

from tollbridge.backoffice import typed
from tollbridge.catalog.plan import OAuthPlan
from tollbridge.upstreams.oauth import STYLES
from tollbridge.web.forms import Form

OAUTH: Final = ("token_url", "client_id", "client_secret", "scope", "style", "refresh_token")
_SECRET: Final = ("secret", "proxy", "headers", "client_secret", "refresh_token")
_INTEGERS: Final = ("weight", "priority", "rpm", "tpm", "concurrency")
_TEXTS: Final = ("name", "base_url", "cost")
FIELDS: Final = frozenset(
    {*_TEXTS, *_INTEGERS, *_SECRET, *OAUTH, "compatible", "mapping", "params", "params_drop"}
)


def blank() -> dict[str, Any]:
    """Return the table that the form of a new account begins with."""
    return {
        "weight": 1, "priority": 0, "cost": "1.0", "compatible": False, "mapping": {},
        "params": {}, "params_drop": [], "rpm": 0, "tpm": 0, "concurrency": 0,
    }  # fmt: skip


def shown(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the fields show of a table."""
    return {
        **{name: table.get(name, "") for name in (*_TEXTS, *_INTEGERS)},
        **dict.fromkeys(OAUTH, ""),
        "style": STYLES[0],
        "auth": "secret",
        "compatible": table["compatible"],
        "mapping": typed.shown_pairs(table["mapping"]),
        "params": typed.shown_json(table["params"]),
        "params_drop": typed.shown_lines(table["params_drop"]),
    }


def typed_values(form: Form) -> dict[str, Any]:
    """Return what the fields of a form that was sent show again; never a secret."""
    values: dict[str, Any] = {name: form.raw(name) for name in FIELDS if name not in _SECRET}
    values |= {"auth": form.raw("auth"), "client_secret": "", "refresh_token": ""}
    return values | {"compatible": form.flag("compatible")}


def table_of(form: Form) -> dict[str, Any]:
    """Return the table that a form says."""
    table: dict[str, Any] = typed.given_texts(form, (*_TEXTS, "proxy", "secret"))
    table |= typed.given_integers(form, _INTEGERS)
    table |= {
        "compatible": form.flag("compatible"),
        "mapping": typed.pairs(form, "mapping"),
        "headers": typed.headers(form, "headers"),
        "params": typed.json_object(form, "params"),
        "params_drop": typed.lines(form, "params_drop"),
    }
    if form.raw("auth") == "oauth":
        table.pop("secret", None)
        table["oauth"] = typed.given_texts(form, OAUTH)
    return table


def kept(form: Form) -> frozenset[str]:
    """Return the sealed columns that stay as they are: those that were left empty and not taken away."""
    return frozenset(
        name
        for name in ("proxy", "headers")
        if not form.raw(name).strip() and not form.flag(f"no_{name}")
    )


def sign_in_of(form: Form) -> OAuthPlan:
    """Return how an account is to sign in."""
    texts = {name: form.raw(f"oauth_{name}").strip() for name in OAUTH}
    return OAuthPlan(
        token_url=texts["token_url"],
        client_id=texts["client_id"],
        client_secret=texts["client_secret"],
        scope=texts["scope"],
        style=texts["style"] or STYLES[0],
        refresh_token=texts["refresh_token"],
    )
