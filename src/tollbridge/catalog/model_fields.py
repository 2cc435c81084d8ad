"""Owns the [[model]] tables of the configuration file: what may be sold, and its list price. Pure."""

import re
from collections.abc import Collection
from types import MappingProxyType

from tollbridge.catalog.fields import Fields, may_hold
from tollbridge.catalog.plan import (
    ImagePlan,
    LaterPlan,
    ModelPlan,
    PricePlan,
    ServicePlan,
    TierPlan,
)
from tollbridge.core.phrase import phrase
from tollbridge.protocols.abilities import EFFORTS
from tollbridge.protocols.endpoints import can_be_sold, is_endpoint
from tollbridge.protocols.service_tier import tier_name
from tollbridge.protocols.usage import TOKEN_BUCKETS

ITEMS = ("request", "second", "character", "web_search")
MODEL_FIELDS = (
    *("name", "context", "max_output", "sizes", "n_max", "prompt_max", "text_max", "efforts"),
    *(*TOKEN_BUCKETS, *ITEMS, "tiers", "image", "services", "price"),
)
_PRICE_FIELDS = (*TOKEN_BUCKETS, *ITEMS, "tiers", "image", "services")

_ENDPOINT_FIELDS = frozenset({"name", "context", "max_output", "request"})
_TOKENS_MAX = 100_000_000
_COUNT_MAX = 1_000_000
# $100,000 a million tokens or an item: with the bounds on tokens no list price of them can leave 64
# bits. Where factors lead beyond, the call is refused as too large before anything is sent.
PRICE_MAX = 10**14
_NAME_MAX = 256
_SERVICE = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_SERVICE_MAX = 32


def read_model(fields: Fields) -> ModelPlan:
    """Return the plan of one [[model]]; FileError with line and reason."""
    name = _name(fields)
    # An endpoint has no tokens; where they are asked for, one will do.
    tokens = 1 if is_endpoint(name) else None
    return ModelPlan(
        line=fields.line,
        name=name,
        context=fields.integer("context", tokens, 1, _TOKENS_MAX),
        max_output=fields.integer("max_output", tokens, 1, _TOKENS_MAX),
        price=read_price(fields),
        sizes=fields.texts("sizes", ()),
        n_max=fields.integer("n_max", 0, 0, _COUNT_MAX),
        prompt_max=fields.integer("prompt_max", 0, 0, _TOKENS_MAX),
        text_max=fields.integer("text_max", 0, 0, _TOKENS_MAX),
        efforts=_efforts(fields),
        later=_later(fields),
    )


def _later(fields: Fields) -> tuple[LaterPlan, ...]:
    """Read the prices that follow, each from its moment on."""
    rows = fields.tables("price", ("from", *_PRICE_FIELDS), what=phrase("a later price"))
    plans: dict[int, LaterPlan] = {}
    for row in rows:
        price = read_price(row)
        if price is None:
            raise row.error("", phrase("a later price must price something"))
        from_ms = row.moment("from")
        if from_ms in plans:
            raise row.error("from", phrase("two later prices begin at the same moment"))
        plans[from_ms] = LaterPlan(from_ms, price)
    return tuple(plans[from_ms] for from_ms in sorted(plans))


def _efforts(fields: Fields) -> tuple[str, ...]:
    """Read the efforts that a model takes; their order is that of the list."""
    efforts = fields.texts("efforts", ())
    for effort in efforts:
        if effort not in EFFORTS:
            raise fields.error("efforts", may_hold("efforts", EFFORTS))
    return tuple(effort for effort in EFFORTS if effort in efforts)


def check_pattern(fields: Fields, field: str, name: str) -> None:
    """Refuse a model name with blanks, or with a star anywhere but at its end."""
    if any(character.isspace() for character in name) or len(name) > _NAME_MAX:
        reason = phrase(
            "%(name)s: a model name has no blanks and at most 256 characters", name=field
        )
        raise fields.error(field, reason)
    if "*" in name[:-1]:
        raise fields.error(field, phrase("%(name)s: a wildcard is one * at the end", name=field))


def _name(fields: Fields) -> str:
    name = fields.text("name", longest=_NAME_MAX)
    check_pattern(fields, "name", name)
    if is_endpoint(name):
        _check_endpoint(fields, name)
    return name


def _check_endpoint(fields: Fields, name: str) -> None:
    """Refuse a name that no endpoint has, and any other way of selling one than by the call."""
    if not can_be_sold(name):
        reason = phrase(
            "no endpoint has this name, and a model's name does not begin with /; see docs/channels.md"
        )
        raise fields.error("name", reason)
    for field in MODEL_FIELDS:
        if field in fields and field not in _ENDPOINT_FIELDS:
            reason = phrase("%(name)s: an endpoint is sold by request alone", name=field)
            raise fields.error(field, reason)
    if "request" not in fields:
        reason = phrase('an endpoint needs request, its price a call; "0" when it is free')
        raise fields.error("", reason)


def read_price(fields: Fields) -> PricePlan | None:
    """Return what a table prices, None when it prices nothing; FileError."""
    rates = _rates(fields)
    items = {name: price for name in ITEMS if (price := fields.money(name, PRICE_MAX)) is not None}
    images = tuple(
        _image(row)
        for row in fields.tables("image", ("size", "quality", "price"), what=phrase("image"))
    )
    if not rates and not items and not images:
        for name in ("tiers", "services"):
            if name in fields:
                raise fields.error(name, _without_base(name))
        return None
    keys = [(image.size, image.quality) for image in images]
    if len(set(keys)) != len(keys):
        raise fields.error("image", phrase("image prices the same size and quality twice"))
    services = _services(fields, rates)
    return PricePlan(rates, _tiers(fields, rates), MappingProxyType(items), images, services)


def _without_base(name: str) -> str:
    return phrase("%(name)s need the model's own input and output prices", name=name)


def _services(fields: Fields, base: Collection[str]) -> tuple[ServicePlan, ...]:
    rows = fields.tables(
        "services", ("name", "tiers", *TOKEN_BUCKETS), what=phrase("a service tier")
    )
    if rows and not base:
        raise fields.error("services", _without_base("services"))
    services = [_service(row, base) for row in rows]
    if len({one.name for one in services}) != len(services):
        raise fields.error("services", phrase("services name the same tier twice"))
    return tuple(sorted(services, key=lambda one: one.name))


def _service(row: Fields, base: Collection[str]) -> ServicePlan:
    name = row.text("name", longest=_SERVICE_MAX)
    if _SERVICE.fullmatch(name) is None:
        reason = phrase("a service tier is named in lower case, like flex or priority")
        raise row.error("name", reason)
    if tier_name(name) != name:
        reason = phrase(
            "no answer is of a service tier %(name)s: the usual one has the model's own prices",
            name=name,
        )
        raise row.error("name", reason)
    rates = _rates(row)
    for bucket in base:
        if bucket not in rates:
            reason = phrase(
                "the service tier %(name)s must price %(bucket)s as the model does",
                name=name,
                bucket=bucket,
            )
            raise row.error("", reason)
    return ServicePlan(name, rates, _tiers(row, rates))


def _rates(fields: Fields) -> MappingProxyType[str, int]:
    rates = {
        name: price
        for name in TOKEN_BUCKETS
        if (price := fields.money(name, PRICE_MAX)) is not None
    }
    if rates and not {"input", "output"} <= rates.keys():
        first = next(iter(rates))
        reason = phrase("input and output must both be priced: no token is sold for free")
        raise fields.error(first, reason)
    return MappingProxyType(rates)


def _tiers(fields: Fields, base: Collection[str]) -> tuple[TierPlan, ...]:
    rows = fields.tables("tiers", ("above", *TOKEN_BUCKETS), what=phrase("a tier"))
    if rows and not base:
        raise fields.error("tiers", _without_base("tiers"))
    tiers = [_tier(row, base) for row in rows]
    if len({tier.above for tier in tiers}) != len(tiers):
        raise fields.error("tiers", phrase("tiers name the same `above` twice"))
    return tuple(sorted(tiers, key=lambda tier: tier.above))


def _tier(row: Fields, base: Collection[str]) -> TierPlan:
    """Read a tier; it must price all that the model prices, so that nobody has to guess."""
    above = row.integer("above", None, 1, _TOKENS_MAX)
    rates = _rates(row)
    for name in base:
        if name not in rates:
            reason = phrase(
                "the tier above %(above)s must price %(bucket)s as the model does",
                above=above,
                bucket=name,
            )
            raise row.error("", reason)
    return TierPlan(above, rates)


def _image(row: Fields) -> ImagePlan:
    price = row.money("price", PRICE_MAX)
    if price is None:
        raise row.error("", phrase("an image price needs price"))
    return ImagePlan(row.text("size", "*"), row.text("quality", "*"), price)
