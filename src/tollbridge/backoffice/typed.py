"""Owns how lists, maps and faults of the configuration file look in a form: one thing a line.

What was shown and comes back unchanged means the same. Must not know which fields there are.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from tollbridge.catalog.fields import FileError
from tollbridge.core.language import N_
from tollbridge.core.phrase import Phrase
from tollbridge.web.forms import Form

TEXT_MAX: Final = 200_000
WHOLE: Final = "whole"
"""The name under which a fault stands that no single field has."""

SENTENCE: Final = N_("%(fault)s.")
NOT_A_MAP: Final = N_("Write one pair a line, such as: name = value")
NOT_HEADERS: Final = N_("Write one header a line, such as: x-name: value")
NOT_JSON: Final = N_('Write a JSON object, such as {"top_k": 40}.')
_INTEGER_MAX: Final = 2**53


def blame(form: Form, error: FileError, known: Collection[str]) -> None:
    """Note what a reader of the file found wrong, beside the field that the form has for it."""
    name = error.field.replace(".", "_")
    while name and name not in known:
        name = name.rpartition("_")[0]
    reason = error.reason
    pattern = SENTENCE if not reason.endswith("?") else "%(fault)s"
    sentence = reason[:1].upper() + reason[1:]
    form.fault(name or WHOLE, Phrase(pattern % {"fault": sentence}, pattern, {"fault": reason}))


def lines(form: Form, name: str) -> list[str]:
    """Return the lines of a field that are not empty."""
    typed = form.block(name, most=TEXT_MAX).split("\n")
    return [line.strip() for line in typed if line.strip()]


def shown_lines(entries: Iterable[str]) -> str:
    """Return entries as a field shows them."""
    return "\n".join(entries)


def pairs(form: Form, name: str) -> dict[str, str]:
    """Return what lines such as `a = b` say; neither side has blanks."""
    found: dict[str, str] = {}
    for line in lines(form, name):
        parts = line.split()
        if len(parts) != 3 or parts[1] != "=" or parts[0] in found:
            form.fault(name, NOT_A_MAP)
            return {}
        found[parts[0]] = parts[2]
    return found


def shown_pairs(mapping: Mapping[str, str]) -> str:
    """Return a map as a field shows it."""
    return "\n".join(f"{name} = {value}" for name, value in mapping.items())


def headers(form: Form, name: str) -> dict[str, str]:
    """Return what lines such as `x-name: value` say."""
    found: dict[str, str] = {}
    for line in lines(form, name):
        header, colon, value = line.partition(":")
        if not colon or header.strip() in found:
            form.fault(name, NOT_HEADERS)
            return {}
        found[header.strip()] = value.strip()
    return found


def json_object(form: Form, name: str) -> dict[str, Any]:
    """Return a JSON object that can be stored and sent; empty when nothing was typed."""
    text = form.block(name, most=TEXT_MAX)
    try:
        value = json.loads(text) if text else {}
        # Half a character, and numbers beyond all bounds, can be read but not written.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        form.fault(name, NOT_JSON)
        return {}
    return value


def shown_json(value: Mapping[str, Any]) -> str:
    """Return a JSON object as a field shows it."""
    text = json.dumps(value, indent=2, ensure_ascii=False) if value else ""
    # The one control character that JSON leaves as it is, and that no form takes.
    return text.replace("\x7f", "\\u007f")


def given_texts(form: Form, names: Iterable[str]) -> dict[str, Any]:
    """Return the fields in which something was typed."""
    return {name: form.raw(name).strip() for name in names if form.raw(name).strip()}


def given_integers(form: Form, names: Iterable[str]) -> dict[str, Any]:
    """Return the whole numbers of the fields in which something was typed."""
    return {
        name: form.integer(name, least=-_INTEGER_MAX) for name in names if form.raw(name).strip()
    }
