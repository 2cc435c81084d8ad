"""Owns the `peak` table of a [[channel]]: hours of the day with a factor of their own. Pure."""

from tollbridge.catalog.factors import FACTOR_MAX
from tollbridge.catalog.fields import Fields, may_hold
from tollbridge.catalog.peak import DAYS, MINUTES, Peak, minutes_of, zone_of
from tollbridge.core.phrase import phrase, reason_of

PEAK_FIELD = "peak"
_FIELDS = ("from", "to", "zone", "days", "factor")


def read_peak(fields: Fields) -> Peak | None:
    """Return a channel's peak hours, None when it has none; FileError with line and reason."""
    inner = fields.table(PEAK_FIELD, _FIELDS, what=phrase("peak"))
    if inner is None:
        return None
    start, end = _minute(inner, "from"), _minute(inner, "to")
    if start in {end, MINUTES}:
        reason = phrase("peak ends at another time than it begins; all day is 00:00 to 24:00")
        raise inner.error("to", reason)
    zone = inner.text("zone")
    try:
        zone_of(zone)
    except ValueError as error:
        fault = reason_of(error)
        reason = phrase("zone: %(fault)s; names are like Asia/Shanghai", fault=fault)
        raise inner.error("zone", reason) from None
    days = inner.texts("days", DAYS)
    if not days or not set(days) <= set(DAYS):
        raise inner.error("days", may_hold("days", DAYS))
    if "factor" not in inner:
        raise inner.error("", phrase("%(what)s needs %(name)s", what=phrase("peak"), name="factor"))
    factor = inner.factor("factor", "1.0", highest=FACTOR_MAX)
    return Peak(start, end, frozenset(map(DAYS.index, days)), zone, factor)


def _minute(fields: Fields, name: str) -> int:
    text = fields.text(name) if name in fields else ""
    if not text:
        raise fields.error(name, phrase("%(what)s needs %(name)s", what=phrase("peak"), name=name))
    try:
        return minutes_of(text)
    except ValueError as error:
        fault = phrase("%(name)s: %(fault)s", name=name, fault=reason_of(error))
        raise fields.error(name, fault) from None
