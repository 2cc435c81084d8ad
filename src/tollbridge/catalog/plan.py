"""Owns what a configuration file asks for, as values. Pure: no text, no database.

Money is nano-dollars (prices per million tokens), times milliseconds since 1970. `line` is where a
thing stands in the file, for errors that only the database can reveal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tollbridge.catalog.peak import Peak
from tollbridge.core.errors import Profile
from tollbridge.core.money import Multiplier


class LimitsPlan(NamedTuple):
    """Requests and tokens per minute, and calls at a time; 0 is no limit."""

    rpm: int = 0
    tpm: int = 0
    concurrency: int = 0


NO_LIMITS = LimitsPlan()


class BudgetPlan(NamedTuple):
    """What a key may spend in each day, week or month, or what a user wants to be told of."""

    amount: int
    period: str


@dataclass(frozen=True, slots=True)
class SitePlan:
    """The settings of the installation; `more` has those others that the file names."""

    error_profile: Profile
    trusted_proxies: tuple[str, ...]
    allow_private_upstreams: bool
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TierPlan:
    """The buckets priced for calls with more input tokens than `above`."""

    above: int
    rates: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """The price of one image of a size and quality."""

    size: str
    quality: str
    price: int


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What the buckets cost where an answer names a service tier."""

    name: str
    rates: Mapping[str, int]
    tiers: tuple[TierPlan, ...]


@dataclass(frozen=True, slots=True)
class PricePlan:
    """Only what the operator priced: what is missing falls back when the Price is built."""

    rates: Mapping[str, int]
    tiers: tuple[TierPlan, ...]
    items: Mapping[str, int]
    images: tuple[ImagePlan, ...]
    services: tuple[ServicePlan, ...] = ()


@dataclass(frozen=True, slots=True)
class LaterPlan:
    """A price that begins at a moment, in milliseconds since 1970."""

    from_ms: int
    price: PricePlan


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """A model that may be sold; without a price it is listed by nobody and refused."""

    line: int
    name: str
    context: int
    max_output: int
    price: PricePlan | None
    sizes: tuple[str, ...]
    n_max: int
    prompt_max: int
    text_max: int
    efforts: tuple[str, ...] = ()
    later: tuple[LaterPlan, ...] = ()
    """By their beginnings."""


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A group of users and the factor on its prices."""

    line: int
    name: str
    factor: Multiplier


@dataclass(frozen=True, slots=True)
class OAuthPlan:
    """How an account signs in. `access_token` "" and `expires_ms` 0 where only a refresh token is given."""

    token_url: str
    client_id: str
    refresh_token: str = field(repr=False)
    client_secret: str = field(default="", repr=False)
    scope: str = ""
    style: str = "form"
    access_token: str = field(default="", repr=False)
    expires_ms: int = 0


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """An upstream credential of a channel: a secret, or with `oauth` none and how it signs in."""

    line: int
    name: str
    base_url: str
    secret: str = field(repr=False)
    weight: int
    priority: int
    compatible: bool
    proxy: str = field(repr=False)
    cost: Multiplier
    limits: LimitsPlan = NO_LIMITS
    mapping: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, object] = field(default_factory=dict)
    params_drop: tuple[str, ...] = ()
    oauth: OAuthPlan | None = None


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """A channel with all its accounts."""

    line: int
    name: str
    platform: str
    surfaces: tuple[str, ...]
    models: tuple[str, ...]
    multiplier: Multiplier
    capabilities: tuple[str, ...]
    client_policy: str
    groups: tuple[str, ...]
    proxy: str = field(repr=False)
    accounts: tuple[AccountPlan, ...]
    limits: LimitsPlan = NO_LIMITS
    mapping: Mapping[str, str] = field(default_factory=dict)
    requires_telegram: bool = False
    peak: Peak | None = None


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """A key of a user. `secret` None: make one, or keep the one that exists. `channel` None: auto."""

    line: int
    name: str
    secret: str | None = field(repr=False)
    channel: str | None
    limit: int | None
    expires_ms: int | None
    ips: tuple[str, ...]
    models: tuple[str, ...]
    limits: LimitsPlan = NO_LIMITS
    budget: BudgetPlan | None = None
    may_pin: bool = False


@dataclass(frozen=True, slots=True)
class UserPlan:
    """A user with the named keys. `credit` is granted once, when the user is new."""

    line: int
    email: str
    role: str
    group: str
    password: str | None = field(repr=False)
    credit: int | None
    keys: tuple[KeyPlan, ...]
    limits: LimitsPlan = NO_LIMITS
    telegram_id: int | None = None
    budget: BudgetPlan | None = None
    low_balance: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a file asks for. `site` None: the file says nothing about it."""

    site: SitePlan | None
    models: tuple[ModelPlan, ...]
    channels: tuple[ChannelPlan, ...]
    users: tuple[UserPlan, ...]
    groups: tuple[GroupPlan, ...] = ()
