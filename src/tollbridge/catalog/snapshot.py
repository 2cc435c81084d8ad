"""Owns the immutable view of the catalogue that the relay reads. Pure: no database, no clock.

A new snapshot replaces the old one as a whole; a call keeps the one that it began with.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from types import MappingProxyType
from typing import Self

from tollbridge.catalog.name_map import NameMap, sent_name
from tollbridge.catalog.peak import Peak
from tollbridge.catalog.prices import Price
from tollbridge.core.errors import Profile, Surface
from tollbridge.core.money import Multiplier
from tollbridge.protocols.endpoints import is_endpoint

_NEAREST_MAX = 3
_NEAREST_LIKENESS = 0.6
# Comparing costs by length, and the name is whatever a client wrote.
_NAME_MAX = 256


@dataclass(frozen=True, slots=True)
class Account:
    """One upstream credential. `proxy` is the one to use: its own or its channel's, "" = direct.

    `mapping` are its own names and then its channel's; empty where none is mapped. `headers`, by
    lower-case names, are added to its calls, `params` (JSON values) set in bodies and `params_drop`
    taken out.
    `rpm`, `tpm` and `concurrency` are 0 where there is no limit. `auth` is "secret", or "oauth" where
    the credential is a token that is fetched again and again; `secret` is empty then. `recovered_ms`
    is when an operator last said that the account is well.
    """

    id: int
    channel_id: int
    name: str
    platform: str
    base_url: str
    secret: str = field(repr=False)
    weight: int
    priority: int
    compatible: bool
    proxy: str = field(repr=False)
    cost: Multiplier
    stops_on_abort: bool
    rpm: int = 0
    tpm: int = 0
    concurrency: int = 0
    mapping: tuple[NameMap, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, bytes] = field(default_factory=dict)
    params_drop: tuple[str, ...] = ()
    auth: str = "secret"
    recovered_ms: int = 0

    def sent(self, model: str) -> str:
        """Return the name under which this account's upstream has a model that is sold."""
        return sent_name(self.mapping, model) if self.mapping else model


@dataclass(frozen=True, slots=True)
class Model:
    """What may be sold. `name` may be a wildcard; without a price it is refused, never free.

    `n_max`, `prompt_max` and `text_max` are 0 where the operator set no limit. `efforts` are those
    that the model takes, from the least; empty: what its name says of it.
    """

    id: int
    name: str
    context: int
    max_output: int
    price: Price | None
    sizes: tuple[str, ...] = ()
    n_max: int = 0
    prompt_max: int = 0
    text_max: int = 0
    efforts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """What a user chooses. `models` are exact names; `wildcards` are prefixes, the longest first.

    `rpm`, `tpm` and `concurrency` are 0 where there is no limit.
    """

    id: int
    name: str
    platform: str
    surfaces: frozenset[Surface]
    models: frozenset[str]
    multiplier: Multiplier
    capabilities: frozenset[str]
    client_policy: str
    groups: frozenset[str]
    enabled: bool
    accounts: tuple[Account, ...]
    rpm: int = 0
    tpm: int = 0
    concurrency: int = 0
    wildcards: tuple[str, ...] = ()
    requires_telegram: bool = False
    peak: Peak | None = None

    def serves(self, model: str) -> bool:
        """Tell whether the channel's list names the model, exactly or by a wildcard.

        Endpoints are sold by names of their own: the plain wildcard means models alone.
        """
        wildcards = self.wildcards
        if is_endpoint(model):
            wildcards = tuple(filter(None, wildcards))
        return model in self.models or (bool(wildcards) and model.startswith(wildcards))


@dataclass(frozen=True, slots=True)
class Site:
    """Settings of the whole installation (catalog.site_fields). Amounts are nano-dollars."""

    error_profile: Profile = Profile.STRICT
    trusted_proxies: tuple[str, ...] = ()
    allow_private_upstreams: bool = False
    name: str = "Tollbridge"
    sign_up: str = "closed"
    sign_up_bonus: int = 1_000_000_000
    email_allowed: tuple[str, ...] = ()
    email_blocked: tuple[str, ...] = ()
    email_aliases: str = "fold"
    terms_version: str = "1"
    terms: str = field(default="", repr=False)
    refunds: str = field(default="", repr=False)
    disclaimer: str = field(default="", repr=False)
    contact_email: str = ""
    contact_telegram: str = ""
    contact_qq: str = ""
    contact_wechat: str = ""


def split_names(names: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Split a list of model names into exact names and wildcard prefixes, the longest first."""
    every = set(names)
    stars = {name for name in every if name.endswith("*")}
    prefixes = sorted((name[:-1] for name in stars), key=lambda prefix: (-len(prefix), prefix))
    return frozenset(every - stars), tuple(prefixes)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The catalogue at one `change.version`. Make it by `build`, which fills in the look-ups."""

    version: int
    site: Site
    channels: Mapping[int, Channel]
    channels_by_name: Mapping[str, Channel]
    models: Mapping[str, Model]
    visible: Mapping[int, tuple[str, ...]]
    """By channel: the exact model names that can be listed and are priced, sorted."""
    _wildcards: Mapping[str, Model] = field(repr=False)
    _lengths: tuple[int, ...] = field(repr=False)
    groups: Mapping[str, Multiplier] = field(default_factory=dict)
    """Factors on the prices of groups of users; only those other than 1."""
    due_ms: int | None = None
    """When the next price begins or ends, in milliseconds since 1970: this is past then."""

    @classmethod
    def build(
        cls,
        version: int,
        site: Site,
        channels: Iterable[Channel],
        models: Iterable[Model],
        groups: Mapping[str, Multiplier] | None = None,
        due_ms: int | None = None,
    ) -> Self:
        """Return the snapshot of these channels and models with every look-up precomputed."""
        by_id = {channel.id: channel for channel in channels}
        by_name = {model.name: model for model in models}
        stars = {name[:-1]: model for name, model in by_name.items() if name.endswith("*")}
        lengths = tuple(sorted({len(prefix) for prefix in stars}, reverse=True))
        bare = cls(
            version=version,
            site=site,
            channels=MappingProxyType(by_id),
            channels_by_name=MappingProxyType({one.name: one for one in by_id.values()}),
            models=MappingProxyType(by_name),
            visible=MappingProxyType({}),
            _wildcards=MappingProxyType(stars),
            _lengths=lengths,
            groups=MappingProxyType(dict(groups or {})),
            due_ms=due_ms,
        )
        visible = {channel.id: bare._listed(channel) for channel in by_id.values()}
        object.__setattr__(bare, "visible", MappingProxyType(visible))
        return bare

    def model(self, name: str) -> Model | None:
        """Return what is sold under a name: exactly, else by the longest wildcard; else None."""
        exact = self.models.get(name)
        if exact is not None:
            return exact
        # The plain wildcard, which is the last, is none for endpoints.
        plain = not is_endpoint(name)
        for length in self._lengths:
            found = self._wildcards.get(name[:length]) if length or plain else None
            if found is not None:
                return found
        return None

    def nearest(self, name: str, among: Iterable[str]) -> list[str]:
        """Return at most three of the names that look most like `name`, the likest first."""
        asked = name[:_NAME_MAX].lower()
        matcher = SequenceMatcher(a="", b=asked)
        likely: list[tuple[float, str]] = []
        for candidate in among:
            matcher.set_seq1(candidate.lower())
            if matcher.quick_ratio() >= _NEAREST_LIKENESS:
                likeness = matcher.ratio()
                if likeness >= _NEAREST_LIKENESS:
                    likely.append((-likeness, candidate))
        return [candidate for _, candidate in sorted(likely)[:_NEAREST_MAX]]

    def _listed(self, channel: Channel) -> tuple[str, ...]:
        exact = {name for name in self.models if not name.endswith("*") and channel.serves(name)}
        return tuple(
            sorted(
                name
                for name in exact | channel.models
                if self._is_priced(name) and not is_endpoint(name)
            )
        )

    def _is_priced(self, name: str) -> bool:
        model = self.model(name)
        return model is not None and model.price is not None
