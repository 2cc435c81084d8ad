"""Owns the rules in [[channel]] and [[channel.account]] tables: how names are mapped. Pure."""

import re
from collections.abc import Mapping

from tollbridge.catalog.fields import Fields
from tollbridge.catalog.model_fields import check_pattern

MAPPING_FIELD = "mapping"

_RULES_MAX = 1_000
_SENT = re.compile(r"[!-)+-~]{1,256}")
# It becomes a segment of a path there.
_SENT_IN_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def read_mapping(fields: Fields, platform: str) -> Mapping[str, str]:
    """Return upstream names by client names, whose left side may end in a star; FileError."""
    given = read_table(fields, MAPPING_FIELD, 'a table like {"our name" = "upstream name"}')
    rules: dict[str, str] = {}
    shape = _SENT_IN_PATH if platform == "gemini" else _SENT
    if len(given) > _RULES_MAX:
        raise fields.error(MAPPING_FIELD, f"mapping: at most {_RULES_MAX} names")
    for name, sent in given.items():
        if not name or not name.isprintable():
            raise fields.error(MAPPING_FIELD, "mapping: a model name is printable and not empty")
        check_pattern(fields, MAPPING_FIELD, name)
        if not isinstance(sent, str) or shape.fullmatch(sent) is None:
            raise fields.error(
                MAPPING_FIELD,
                "mapping: an upstream name is printable ASCII without blanks and without *"
                + (", and part of a path at Gemini" if platform == "gemini" else ""),
            )
        rules[name] = sent
    return rules


def read_table(fields: Fields, name: str, expected: str) -> dict[str, object]:
    """Return an inline table as TOML gave it, empty when it is not given; FileError."""
    value = fields.raw(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise fields.error(name, f"{name} must be {expected}")
    return value
