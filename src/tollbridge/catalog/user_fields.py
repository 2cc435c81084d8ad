"""Owns the [[user]] and [[user.key]] tables of the configuration file. Pure."""

from collections.abc import Collection
from ipaddress import ip_network

from tollbridge.catalog.channel_fields import refuse_twice
from tollbridge.catalog.fields import Fields
from tollbridge.catalog.limit_fields import BUDGET_FIELDS, LIMIT_FIELDS, read_budget, read_limits
from tollbridge.catalog.model_fields import check_pattern
from tollbridge.catalog.plan import KeyPlan, UserPlan
from tollbridge.protocols.endpoints import is_endpoint

USER_FIELDS = (
    *("email", "role", "group", "password", "credit", "key", "telegram_id", "low_balance"),
    *LIMIT_FIELDS,
    *BUDGET_FIELDS,
)
KEY_FIELDS = (
    *("name", "secret", "channel", "limit", "ips", "models", "expires", "may_pin"),
    *LIMIT_FIELDS,
    *BUDGET_FIELDS,
)
AUTO = "auto"

_ROLES = ("user", "staff", "admin")
_EMAIL_MAX = 320
_NAME_MAX = 64
_SECRET_MIN = 32
_SECRET_MAX = 256
_PASSWORD_MIN = 8
_PASSWORD_MAX = 1024


def read_user(fields: Fields, channels: Collection[str]) -> UserPlan:
    """Return the plan of one [[user]]; `channels` are the names that its keys may be bound to."""
    keys = tuple(_key(row, channels) for row in fields.tables("key", KEY_FIELDS, what="a key"))
    refuse_twice(fields, "key", [key.name for key in keys])
    return UserPlan(
        line=fields.line,
        email=_email(fields),
        role=fields.choice("role", _ROLES, "user"),
        group=fields.text("group", "default", longest=_NAME_MAX),
        password=_password(fields),
        credit=fields.money("credit"),
        keys=keys,
        limits=read_limits(fields),
        telegram_id=_telegram_id(fields),
        budget=read_budget(fields),
        low_balance=fields.money("low_balance"),
    )


def read_networks(fields: Fields, name: str) -> tuple[str, ...]:
    """Return a list of addresses and networks in CIDR notation, in normal form."""
    texts = fields.texts(name, ())
    try:
        networks = [str(ip_network(text)) for text in texts]
    except ValueError:
        reason = f"{name} must hold addresses or networks like 10.0.0.0/8, without host bits"
        raise fields.error(name, reason) from None
    return tuple(sorted(networks))


def _email(fields: Fields) -> str:
    email = fields.text("email", longest=_EMAIL_MAX)
    local, _, domain = email.rpartition("@")
    if not local or not domain or "@" in local or any(one.isspace() for one in email):
        raise fields.error("email", "email is not an e-mail address")
    return email


def _telegram_id(fields: Fields) -> int | None:
    if "telegram_id" not in fields:
        return None
    return fields.integer("telegram_id", None, 1, 2**63 - 1)


def _password(fields: Fields) -> str | None:
    if "password" not in fields:
        return None
    password = fields.raw("password")
    if not isinstance(password, str) or not _PASSWORD_MIN <= len(password) <= _PASSWORD_MAX:
        raise fields.error("password", "password must be a string of 8 to 1024 characters")
    return password


def _key(fields: Fields, channels: Collection[str]) -> KeyPlan:
    channel = fields.text("channel", AUTO)
    if channel != AUTO and channel not in channels:
        raise fields.error("channel", f"channel {channel} is neither in this file nor known")
    return KeyPlan(
        line=fields.line,
        name=fields.text("name", longest=_NAME_MAX),
        secret=_secret(fields),
        channel=None if channel == AUTO else channel,
        limit=fields.money("limit"),
        expires_ms=fields.moment("expires") if "expires" in fields else None,
        ips=read_networks(fields, "ips"),
        models=_models(fields),
        limits=read_limits(fields),
        budget=read_budget(fields),
        may_pin=fields.boolean("may_pin", default=False),
    )


def _secret(fields: Fields) -> str | None:
    if "secret" not in fields:
        return None
    secret = fields.text("secret", longest=_SECRET_MAX)
    if len(secret) < _SECRET_MIN:
        raise fields.error("secret", f"secret must have at least {_SECRET_MIN} characters")
    if not secret.isascii() or " " in secret:
        raise fields.error("secret", "secret must be printable ASCII without blanks")
    return secret


def _models(fields: Fields) -> tuple[str, ...]:
    models = fields.texts("models", ())
    for model in models:
        check_pattern(fields, "models", model)
        # An endpoint is listed by the name that it is sold by, whatever that is.
        if model.endswith("*") and not is_endpoint(model):
            raise fields.error("models", "models of a key are exact names, without wildcards")
    return tuple(sorted(models))
