"""Owns the [[model]] tables of the configuration file: what may be sold, and its list price. Pure."""

import re
from collections.abc import Collection
from types import MappingProxyType

from tollbridge.catalog.fields import Fields
from tollbridge.catalog.plan import (
    ImagePlan,
    LaterPlan,
    ModelPlan,
    PricePlan,
    ServicePlan,
    TierPlan,
)
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
    rows = fields.tables("price", ("from", *_PRICE_FIELDS), what="a later price")
    plans: dict[int, LaterPlan] = {}
    for row in rows:
        price = read_price(row)
        if price is None:
            raise row.error("", "a later price must price something")
        from_ms = row.moment("from")
        if from_ms in plans:
            raise row.error("from", "two later prices begin at the same moment")
        plans[from_ms] = LaterPlan(from_ms, price)
    return tuple(plans[from_ms] for from_ms in sorted(plans))


def _efforts(fields: Fields) -> tuple[str, ...]:
    """Read the efforts that a model takes; their order is that of the list."""
    efforts = fields.texts("efforts", ())
    for effort in efforts:
        if effort not in EFFORTS:
            raise fields.error("efforts", f"efforts may hold {', '.join(EFFORTS)}")
    return tuple(effort for effort in EFFORTS if effort in efforts)


def check_pattern(fields: Fields, field: str, name: str) -> None:
    """Refuse a model name with blanks, or with a star anywhere but at its end."""
    if any(character.isspace() for character in name) or len(name) > _NAME_MAX:
        raise fields.error(field, f"{field}: a model name has no blanks and at most 256 characters")
    if "*" in name[:-1]:
        raise fields.error(field, f"{field}: a wildcard is one * at the end")


def _name(fields: Fields) -> str:
    name = fields.text("name", longest=_NAME_MAX)
    check_pattern(fields, "name", name)
    if is_endpoint(name):
        _check_endpoint(fields, name)
    return name


def _check_endpoint(fields: Fields, name: str) -> None:
    """Refuse a name that no endpoint has, and any other way of selling one than by the call."""
    if not can_be_sold(name):
        reason = "no endpoint has this name, and a model's name does not begin with /; see docs/channels.md"
        raise fields.error("name", reason)
    for field in MODEL_FIELDS:
        if field in fields and field not in _ENDPOINT_FIELDS:
            raise fields.error(field, f"{field}: an endpoint is sold by request alone")
    if "request" not in fields:
        raise fields.error("", 'an endpoint needs request, its price a call; "0" when it is free')


def read_price(fields: Fields) -> PricePlan | None:
    """Return what a table prices, None when it prices nothing; FileError."""
    rates = _rates(fields)
    items = {name: price for name in ITEMS if (price := fields.money(name, PRICE_MAX)) is not None}
    images = tuple(
        _image(row) for row in fields.tables("image", ("size", "quality", "price"), what="image")
    )
    if not rates and not items and not images:
        for name in ("tiers", "services"):
            if name in fields:
                raise fields.error(name, f"{name} need the model's own input and output prices")
        return None
    keys = [(image.size, image.quality) for image in images]
    if len(set(keys)) != len(keys):
        raise fields.error("image", "image prices the same size and quality twice")
    services = _services(fields, rates)
    return PricePlan(rates, _tiers(fields, rates), MappingProxyType(items), images, services)


def _services(fields: Fields, base: Collection[str]) -> tuple[ServicePlan, ...]:
    rows = fields.tables("services", ("name", "tiers", *TOKEN_BUCKETS), what="a service tier")
    if rows and not base:
        raise fields.error("services", "services need the model's own input and output prices")
    services = [_service(row, base) for row in rows]
    if len({one.name for one in services}) != len(services):
        raise fields.error("services", "services name the same tier twice")
    return tuple(sorted(services, key=lambda one: one.name))


def _service(row: Fields, base: Collection[str]) -> ServicePlan:
    name = row.text("name", longest=_SERVICE_MAX)
    if _SERVICE.fullmatch(name) is None:
        raise row.error("name", "a service tier is named in lower case, like flex or priority")
    if tier_name(name) != name:
        reason = f"no answer is of a service tier {name}: the usual one has the model's own prices"
        raise row.error("name", reason)
    rates = _rates(row)
    for bucket in base:
        if bucket not in rates:
            raise row.error("", f"the service tier {name} must price {bucket} as the model does")
    return ServicePlan(name, rates, _tiers(row, rates))


def _rates(fields: Fields) -> MappingProxyType[str, int]:
    rates = {
        name: price
        for name in TOKEN_BUCKETS
        if (price := fields.money(name, PRICE_MAX)) is not None
    }
    if rates and not {"input", "output"} <= rates.keys():
        first = next(iter(rates))
        raise fields.error(first, "input and output must both be priced: no token is sold for free")
    return MappingProxyType(rates)


def _tiers(fields: Fields, base: Collection[str]) -> tuple[TierPlan, ...]:
    rows = fields.tables("tiers", ("above", *TOKEN_BUCKETS), what="a tier")
    if rows and not base:
        raise fields.error("tiers", "tiers need the model's own input and output prices")
    tiers = [_tier(row, base) for row in rows]
    if len({tier.above for tier in tiers}) != len(tiers):
        raise fields.error("tiers", "tiers name the same `above` twice")
    return tuple(sorted(tiers, key=lambda tier: tier.above))


def _tier(row: Fields, base: Collection[str]) -> TierPlan:
    """Read a tier; it must price all that the model prices, so that nobody has to guess."""
    above = row.integer("above", None, 1, _TOKENS_MAX)
    rates = _rates(row)
    for name in base:
        if name not in rates:
            raise row.error("", f"the tier above {above} must price {name} as the model does")
    return TierPlan(above, rates)


def _image(row: Fields) -> ImagePlan:
    price = row.money("price", PRICE_MAX)
    if price is None:
        raise row.error("", "an image price needs price")
    return ImagePlan(row.text("size", "*"), row.text("quality", "*"), price)
