"""Owns the `peak` table of a [[channel]]: hours of the day with a factor of their own. Pure."""

from tollbridge.catalog.factors import FACTOR_MAX
from tollbridge.catalog.fields import Fields
from tollbridge.catalog.peak import DAYS, MINUTES, Peak, minutes_of, zone_of

PEAK_FIELD = "peak"
_FIELDS = ("from", "to", "zone", "days", "factor")


def read_peak(fields: Fields) -> Peak | None:
    """Return a channel's peak hours, None when it has none; FileError with line and reason."""
    inner = fields.table(PEAK_FIELD, _FIELDS, what="peak")
    if inner is None:
        return None
    start, end = _minute(inner, "from"), _minute(inner, "to")
    if start in {end, MINUTES}:
        raise inner.error(
            "to", "peak ends at another time than it begins; all day is 00:00 to 24:00"
        )
    zone = inner.text("zone")
    try:
        zone_of(zone)
    except ValueError as error:
        raise inner.error("zone", f"zone: {error}; names are like Asia/Shanghai") from None
    days = inner.texts("days", DAYS)
    if not days or not set(days) <= set(DAYS):
        raise inner.error("days", f"days may hold {', '.join(DAYS)}")
    if "factor" not in inner:
        raise inner.error("", "peak needs factor")
    factor = inner.factor("factor", "1.0", highest=FACTOR_MAX)
    return Peak(start, end, frozenset(map(DAYS.index, days)), zone, factor)


def _minute(fields: Fields, name: str) -> int:
    try:
        return minutes_of(fields.text(name))
    except ValueError as error:
        raise fields.error(name, f"{name}: {error}") from None
