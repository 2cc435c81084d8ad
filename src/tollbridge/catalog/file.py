"""Owns the configuration file as a whole: TOML text in, a checked plan out (contract.md). Pure.

Everything that can be wrong is found here, before a database is touched, except what only the
database knows: that comes in as `Known`.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollbridge.catalog.channel_fields import CHANNEL_FIELDS, read_channel
from tollbridge.catalog.fields import Fields, FileError
from tollbridge.catalog.groups import GROUP_FIELDS, read_group
from tollbridge.catalog.lines import Lines
from tollbridge.catalog.model_fields import MODEL_FIELDS, read_model
from tollbridge.catalog.plan import Plan, SitePlan, UserPlan
from tollbridge.catalog.site_fields import BY_NAME, checked
from tollbridge.catalog.user_fields import USER_FIELDS, read_networks, read_user
from tollbridge.core.errors import Profile
from tollbridge.core.phrase import phrase

_SECTIONS = ("site", "model", "channel", "group", "user")
_SITE_FIELDS = ("error_profile", "trusted_proxies", "allow_private_upstreams")
_TOML_PLACE = re.compile(r"\s*\((?:at line (\d+), column \d+|at end of document)\)$")


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows that a file may lean on without saying it."""

    channels: frozenset[str] = frozenset()
    allow_private_upstreams: bool = False


def parse_file(text: str, environ: Mapping[str, str], known: Known | None = None) -> Plan:
    """Return what a configuration file asks for.

    `environ` holds the variables that `secret_env` may name. FileError, with line and reason, for
    anything that is wrong, unknown, or not honoured by this version.
    """
    known = known or Known()
    lines = Lines(text)
    top = Fields(_load(text), (), lines, _SECTIONS, what="the file")
    site = _site(top, lines)
    allow_private = site.allow_private_upstreams if site else known.allow_private_upstreams
    models = tuple(
        read_model(row) for row in top.tables("model", MODEL_FIELDS, what=phrase("a model"))
    )
    channels = tuple(
        read_channel(row, environ, allow_private=allow_private)
        for row in top.tables("channel", CHANNEL_FIELDS, what=phrase("a channel"))
    )
    _refuse_twice("model", [(one.line, one.name) for one in models])
    _refuse_twice("channel", [(one.line, one.name) for one in channels])
    names = known.channels | {channel.name for channel in channels}
    users = tuple(read_user(row, names) for row in top.tables("user", USER_FIELDS, what="a user"))
    _refuse_twice("user", [(one.line, one.email.lower()) for one in users])
    _refuse_shared_secrets(users)
    groups = tuple(read_group(row) for row in top.tables("group", GROUP_FIELDS, what="a group"))
    _refuse_twice("group", [(one.line, one.name) for one in groups])
    return Plan(site, models, channels, users, groups)


def _load(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
    found = _TOML_PLACE.search(message)
    line = int(found[1]) if found and found[1] else text.count("\n") + 1
    raise FileError(line, f"not valid TOML: {_TOML_PLACE.sub('', message)}")


def _site(top: Fields, lines: Lines) -> SitePlan | None:
    if "site" not in top:
        return None
    fields = Fields(top.raw("site"), ("site",), lines, tuple(BY_NAME), what="[site]")
    profiles = tuple(profile.value for profile in Profile)
    return SitePlan(
        error_profile=Profile(fields.choice("error_profile", profiles, Profile.STRICT.value)),
        trusted_proxies=read_networks(fields, "trusted_proxies"),
        allow_private_upstreams=fields.boolean("allow_private_upstreams", default=False),
        more=_more(fields),
    )


def _more(fields: Fields) -> dict[str, Any]:
    """Return the settings that the back office may change too; what the file does not name stays."""
    found = {}
    for name, field in BY_NAME.items():
        if name in _SITE_FIELDS or name not in fields:
            continue
        try:
            found[name] = checked(field, fields.raw(name))
        except ValueError as error:
            raise fields.error(name, str(error)) from None
    return found


def _refuse_twice(what: str, named: list[tuple[int, str]]) -> None:
    first: dict[str, int] = {}
    for line, name in named:
        if name in first:
            raise FileError(line, f"{what} {name} is named twice, first on line {first[name]}")
        first[name] = line


def _refuse_shared_secrets(users: tuple[UserPlan, ...]) -> None:
    first: dict[str, int] = {}
    for key in (key for user in users for key in user.keys):
        if key.secret is None:
            continue
        if key.secret in first:
            raise FileError(key.line, f"this key's secret is also that of line {first[key.secret]}")
        first[key.secret] = key.line


def unpriced(plan: Plan, stored: Mapping[str, bool]) -> list[str]:
    """Return notes on channel models that nothing prices, so that calls to them are refused.

    `stored` are the models that the database has since, name → whether priced now: a price that the
    file gives a moment may have begun.
    """
    priced = {**{model.name: model.price is not None for model in plan.models}, **stored}
    return [
        f"note: channel {channel.name} lists {model}, which has no price: calls to it are refused"
        for channel in plan.channels
        for model in channel.models
        if not _is_priced(model, priced)
    ]


def _is_priced(model: str, priced: Mapping[str, bool]) -> bool:
    if model.endswith("*"):
        # A wildcard lists whatever is sold under it.
        return any(one.startswith(model[:-1]) or _covers(one, model) for one in priced)
    if model in priced:
        return priced[model]
    covering = [one for one in priced if _covers(one, model)]
    return bool(covering) and priced[max(covering, key=len)]


def _covers(pattern: str, name: str) -> bool:
    return pattern.endswith("*") and name.startswith(pattern[:-1])


__all__ = ["FileError", "Known", "Plan", "parse_file", "unpriced"]
