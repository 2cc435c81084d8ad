"""Owns the filters of calls in an address of a page: as given, with their faults, and what they ask. Pure.

Pages of users and of operators read by it what both may ask. Must not know how calls are found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from tollbridge.core.outcomes import Ended
from tollbridge.web.forms import Form
from tollbridge.web.receipt_words import ENDED

_MODEL_MAX = 256
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Filters(Generic[T]):
    """The fields as they were given, what is wrong with them, and what they ask for."""

    given: Mapping[str, str]
    form: Form
    asked: T

    @property
    def any(self) -> bool:
        """Whether anything is narrowed down."""
        return bool(self.given)

    def address(self, path: str, **more: str) -> str:
        """Return a path with these filters, and more, in its query."""
        query = urlencode({**self.given, **more})
        return f"{path}?{query}" if query else path


def given_in(query: Mapping[str, str], fields: Sequence[str]) -> tuple[dict[str, str], Form]:
    """Return the fields of an address in which something stands, and them as a form."""
    given = {name: query[name].strip() for name in fields if query.get(name, "").strip()}
    return given, Form({name: [value] for name, value in given.items()})


def narrowed(form: Form, from_ms: int | None, until_ms: int | None) -> dict[str, Any]:
    """Return fields of `storage.call_search.Narrowed` that all pages ask for in one way."""
    how = form.choice("status", ENDED, blank="")
    return {
        "model": form.text("model", most=_MODEL_MAX, need=False) or None,
        "ended": Ended(how) if how else None,
        "from_ms": from_ms,
        "until_ms": until_ms,
    }
