"""Owns the [[channel]] and [[channel.account]] tables of the configuration file. Pure.

What this version does not honour yet is refused here, with line and reason (contract.md).
"""

import re
from collections.abc import Mapping

from tollbridge.catalog.fields import Fields, may_hold
from tollbridge.catalog.limit_fields import LIMIT_FIELDS, read_limits
from tollbridge.catalog.model_fields import check_pattern
from tollbridge.catalog.oauth_fields import OAUTH_FIELD, read_oauth
from tollbridge.catalog.peak_fields import read_peak
from tollbridge.catalog.plan import AccountPlan, ChannelPlan
from tollbridge.catalog.rule_fields import (
    DROP_FIELD,
    HEADERS_FIELD,
    MAPPING_FIELD,
    PARAMS_FIELD,
    read_headers,
    read_mapping,
    read_params,
    read_params_drop,
)
from tollbridge.catalog.url_faults import url_fault
from tollbridge.core.errors import Surface
from tollbridge.core.phrase import phrase
from tollbridge.upstreams.addresses import dialable, literal
from tollbridge.upstreams.target import Proxy, Target

CHANNEL_FIELDS = (
    *("name", "platform", "surfaces", "models", "multiplier", "capabilities", "client_policy"),
    *("groups", "proxy", "account", "requires_telegram", "peak", MAPPING_FIELD),
    *LIMIT_FIELDS,
)
ACCOUNT_FIELDS = (
    *("name", "base_url", "secret", "secret_env", "weight", "priority", "compatible", "proxy"),
    *("cost", MAPPING_FIELD, HEADERS_FIELD, PARAMS_FIELD, DROP_FIELD, OAUTH_FIELD),
    *LIMIT_FIELDS,
)
POLICIES = ("any", "claude-code", "codex")
"""What a channel's `client_policy` may say."""

# "auto" is what a key says when it is bound to no channel; # and / separate pins in a key.
_NAME = re.compile(r"[^\s#/]{1,64}")
_PLATFORMS = ("openai", "anthropic", "gemini")
_VERSIONS = ("/v1", "/v1beta", "/v1alpha")
_CAPABILITIES = ("images",)
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog"})
_MULTIPLIER_MAX = 100
_WEIGHT_MAX = 1_000_000
_PRIORITY_MAX = 1_000_000
_SECRET_MAX = 4096
_URL_MAX = 2048


def read_channel(fields: Fields, environ: Mapping[str, str], *, allow_private: bool) -> ChannelPlan:
    """Return the plan of one [[channel]] with its accounts; FileError with line and reason."""
    platform = _platform(fields)
    accounts = tuple(
        read_account(row, environ, platform, allow_private=allow_private)
        for row in fields.tables("account", ACCOUNT_FIELDS, what=phrase("an account"))
    )
    refuse_twice(fields, "account", [account.name for account in accounts])
    return ChannelPlan(
        line=fields.line,
        name=_name(fields),
        platform=platform,
        surfaces=_surfaces(fields),
        models=_models(fields),
        multiplier=fields.multiplier("multiplier", "1.0", lowest=1, highest=_MULTIPLIER_MAX),
        capabilities=_among(fields, "capabilities", _CAPABILITIES),
        client_policy=fields.choice("client_policy", POLICIES, "any"),
        groups=fields.texts("groups", ("*",)),
        proxy=_proxy(fields, allow_private=allow_private),
        accounts=accounts,
        limits=read_limits(fields),
        mapping=read_mapping(fields, platform),
        requires_telegram=fields.boolean("requires_telegram", default=False),
        peak=read_peak(fields),
    )


def refuse_twice(fields: Fields, what: str, names: list[str]) -> None:
    """Refuse a table in which two things have one name."""
    for index, name in enumerate(names):
        if name in names[:index]:
            reason = phrase("%(what)s %(name)s is named twice here", what=what, name=name)
            raise fields.error("", reason)


def _name(fields: Fields) -> str:
    name = fields.text("name")
    if not _NAME.fullmatch(name) or name == "auto":
        reason = phrase("name: at most 64 characters without blanks, # or /, and not auto")
        raise fields.error("name", reason)
    return name


def _platform(fields: Fields) -> str:
    return fields.choice("platform", _PLATFORMS)


def _surfaces(fields: Fields) -> tuple[str, ...]:
    every = tuple(surface.value for surface in Surface)
    names = _among(fields, "surfaces", ("*", *every), ("*",))
    if not names:
        reason = phrase('surfaces must name at least one; ["*"] is all of them')
        raise fields.error("surfaces", reason)
    return ("*",) if "*" in names else names


def _among(
    fields: Fields, name: str, options: tuple[str, ...], default: tuple[str, ...] = ()
) -> tuple[str, ...]:
    values = fields.texts(name, default)
    for value in values:
        if value not in options:
            raise fields.error(name, may_hold(name, options))
    return tuple(sorted(values))


def _models(fields: Fields) -> tuple[str, ...]:
    models = fields.texts("models")
    for model in models:
        check_pattern(fields, "models", model)
    return tuple(sorted(models))


def read_account(
    fields: Fields,
    environ: Mapping[str, str],
    platform: str,
    *,
    allow_private: bool,
    proven: bool = False,
) -> AccountPlan:
    """Return the plan of one account; FileError with line and reason.

    `proven`: how it proves itself may be left out, because it stays as it is.
    """
    said = "secret" in fields or "secret_env" in fields
    stays = OAUTH_FIELD in fields or (proven and not said)
    return AccountPlan(
        line=fields.line,
        name=_name(fields),
        base_url=_base_url(fields, allow_private=allow_private),
        secret="" if stays else _secret(fields, environ),
        weight=fields.integer("weight", 1, 1, _WEIGHT_MAX),
        priority=fields.integer("priority", 0, -_PRIORITY_MAX, _PRIORITY_MAX),
        compatible=_compatible(fields, platform),
        proxy=_proxy(fields, allow_private=allow_private),
        cost=fields.multiplier("cost", "1.0", lowest=0, highest=_MULTIPLIER_MAX),
        limits=read_limits(fields),
        mapping=read_mapping(fields, platform),
        headers=read_headers(fields),
        params=read_params(fields),
        params_drop=read_params_drop(fields),
        oauth=read_oauth(fields, environ, allow_private=allow_private),
    )


def _compatible(fields: Fields, platform: str) -> bool:
    compatible = fields.boolean("compatible", default=False)
    if compatible and platform != "openai":
        reason = phrase("compatible is for upstreams in OpenAI's shape only")
        raise fields.error("compatible", reason)
    return compatible


def _secret(fields: Fields, environ: Mapping[str, str]) -> str:
    if ("secret" in fields) == ("secret_env" in fields):
        reason = phrase("an account needs either secret or secret_env, or oauth")
        raise fields.error("", reason)
    if "secret" in fields:
        secret, name = fields.text("secret", longest=_SECRET_MAX), "secret"
    else:
        name = "secret_env"
        secret = environ.get(fields.text("secret_env"), "")
        if not secret:
            reason = phrase("%(name)s names a variable that is not set", name="secret_env")
            raise fields.error("secret_env", reason)
    # It travels in a header, where anything else could end the line.
    if not (secret.isascii() and secret.isprintable() and secret == secret.strip()):
        raise fields.error(name, phrase("%(name)s: a secret is printable ASCII", name=name))
    return secret


def _base_url(fields: Fields, *, allow_private: bool) -> str:
    url = fields.text("base_url", longest=_URL_MAX)
    try:
        target = Target.parse(url)
    except ValueError as error:
        raise fields.error("base_url", _named("base_url", url_fault(error))) from None
    if target.prefix.endswith(_VERSIONS):
        reason = phrase("base_url is the vendor's root, without /v1 or /v1beta")
        raise fields.error("base_url", reason)
    _check_host(fields, "base_url", target.host, allow_private=allow_private)
    return url.rstrip("/")


def _proxy(fields: Fields, *, allow_private: bool) -> str:
    if fields.raw("proxy") in {None, ""}:
        return ""
    url = fields.text("proxy", longest=_URL_MAX)
    try:
        host = Proxy.parse(url).host
    except ValueError as error:
        raise fields.error("proxy", _named("proxy", url_fault(error))) from None
    _check_host(fields, "proxy", host, allow_private=allow_private)
    return url


def _named(name: str, fault: str) -> str:
    return phrase("%(name)s: %(fault)s", name=name, fault=fault)


def _check_host(fields: Fields, name: str, host: str, *, allow_private: bool) -> None:
    """Refuse what is never dialled. Names are judged again when they are resolved."""
    address = literal(host)
    if host.rstrip(".") in _METADATA_NAMES or (
        address is not None and not dialable(address, allow_private=True)
    ):
        reason = phrase("link-local and metadata addresses are never dialled")
        raise fields.error(name, _named(name, reason))
    if address is not None and not allow_private and not dialable(address, allow_private=False):
        reason = phrase("loopback and private addresses need allow_private_upstreams = true")
        raise fields.error(name, _named(name, reason))
