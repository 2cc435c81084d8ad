"""Owns how a client's name of a model becomes the upstream's. Pure: names in, names out.

What is sold, limited and charged is always the client's name; only the wire to the account knows
the other one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self


@dataclass(frozen=True, slots=True)
class NameMap:
    """Upstream names by client names: exact ones first, then the longest prefix."""

    exact: Mapping[str, str]
    prefixes: tuple[tuple[str, str], ...]
    """The longest first, without their star."""

    @classmethod
    def build(cls, rules: Mapping[str, str]) -> Self:
        """Return the map of rules whose left side may end in a star."""
        stars = [(name[:-1], sent) for name, sent in rules.items() if name.endswith("*")]
        stars.sort(key=lambda rule: (-len(rule[0]), rule[0]))
        exact = {name: sent for name, sent in rules.items() if not name.endswith("*")}
        return cls(MappingProxyType(exact), tuple(stars))

    def sent(self, name: str) -> str | None:
        """Return the upstream's name, None where no rule is about this one."""
        found = self.exact.get(name)
        if found is not None:
            return found
        return next((sent for prefix, sent in self.prefixes if name.startswith(prefix)), None)

    def rules(self) -> list[tuple[str, str]]:
        """Return all rules as they were written, exact names first."""
        stars = [(f"{prefix}*", sent) for prefix, sent in self.prefixes]
        return [*self.exact.items(), *stars]


def sent_name(maps: tuple[NameMap, ...], name: str) -> str:
    """Return the upstream's name by the first map that has a rule; the name itself without one."""
    for one in maps:
        found = one.sent(name)
        if found is not None:
            return found
    return name


def shown_name(maps: tuple[NameMap, ...], answered: str) -> str:
    """Return what a client may be told of a name that an upstream answers with, long after the call.

    Several names can lead to one model: the first rule tells, a pattern as it is written. An upstream
    may add a date to the name that it was asked for. A name that no rule leads to is shown as it is.
    """
    found: tuple[int, str] | None = None
    for asked, sent in (rule for one in maps for rule in one.rules()):
        if answered.startswith(sent) and (found is None or len(sent) > found[0]):
            found = (len(sent), asked)
    return answered if found is None else found[1]
