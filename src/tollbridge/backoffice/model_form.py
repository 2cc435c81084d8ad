"""Owns the form of a model and its list price: a table of the configuration file in fields, and back.

Prices that few models have (context tiers, images, service tiers) are one field in the file's own
words. What is wrong with a table is not known here.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tollbridge.backoffice import typed
from tollbridge.catalog.fields import FileError
from tollbridge.catalog.model_fields import ITEMS
from tollbridge.catalog.plan import PricePlan
from tollbridge.catalog.price_import_toml import price_rows
from tollbridge.core.language import N_
from tollbridge.core.money import format_usd
from tollbridge.protocols.usage import TOKEN_BUCKETS
from tollbridge.web.forms import Form

LIMITS: Final = ("context", "max_output", "n_max", "prompt_max", "text_max")
PRICES: Final = (*TOKEN_BUCKETS, *ITEMS)
MORE: Final = "more"
FROM: Final = "from"
FIELDS: Final = frozenset({"name", *LIMITS, *PRICES, "sizes", "efforts", MORE, FROM})
_IN_MORE: Final = frozenset({"tiers", "image", "services"})
_MOMENT: Final = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d", re.ASCII)

NOT_TOML: Final = N_("Write tiers, image and services as the configuration file does.")
NOT_A_MOMENT: Final = N_("Enter a moment such as 2030-01-31T08:00.")


def blank() -> dict[str, Any]:
    """Return what the fields of a new model show."""
    return {**dict.fromkeys(FIELDS, ""), "n_max": 0, "prompt_max": 0, "text_max": 0}


def shown(table: Mapping[str, Any], price: PricePlan | None) -> dict[str, Any]:
    """Return what the fields show of a model and its price."""
    values: dict[str, Any] = blank()
    values |= {name: table[name] for name in ("name", *LIMITS)}
    values |= {name: typed.shown_lines(table[name]) for name in ("sizes", "efforts")}
    if price is not None:
        given = {**price.rates, **price.items}
        values |= {name: format_usd(nano) for name, nano in given.items()}
        values[MORE] = "\n".join(price_rows(price))
    return values


def typed_values(form: Form) -> dict[str, Any]:
    """Return what the fields of a form that was sent show again."""
    return {name: form.raw(name) for name in FIELDS}


def table_of(form: Form) -> dict[str, Any]:
    """Return the table that a form says, without the moment from which its price holds."""
    table: dict[str, Any] = typed.given_texts(form, ("name",))
    table |= {
        name: value.removeprefix("$").strip()
        for name, value in typed.given_texts(form, PRICES).items()
    }
    table |= typed.given_integers(form, LIMITS)
    table |= {name: typed.lines(form, name) for name in ("sizes", "efforts")}
    return {
        name: value for name, value in {**table, **_more(form)}.items() if value not in ([], ())
    }


def _more(form: Form) -> dict[str, Any]:
    text = form.block(MORE, most=typed.TEXT_MAX)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError):
        table = {"": ""}
    if not table.keys() <= _IN_MORE:
        form.fault(MORE, NOT_TOML)
        return {}
    return table


def blame(form: Form, error: FileError) -> None:
    """Note what a reader found wrong beside the field that the form has for it."""
    first = error.field.partition(".")[0]
    field = MORE if first in _IN_MORE else first
    typed.blame(form, FileError(error.line, error.reason, field), FIELDS)


def moment_of(form: Form) -> int | None:
    """Return the moment in UTC that was typed, in milliseconds; None when none was."""
    text = form.raw(FROM).strip()
    if not text:
        return None
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000
    except ValueError:
        form.fault(FROM, NOT_A_MOMENT)
        return None
