"""Owns what all rules of schemas share: reading a JSON schema's keywords, and the effort spent on one.

Nothing here raises or goes on without bound, whatever a schema says. Must not know any vendor.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from tollbridge.protocols.conversation import Json
from tollbridge.protocols.losses import Losses

PLACES_MAX: Final = 20_000
"""Places of one schema that are written, references written out; what is beyond is cut.

A hundred characters of text count as a place: a reference may repeat them any number of times.
"""
_CHARS_A_PLACE: Final = 100
DEPTH_MAX: Final = 32
"""Levels of a schema that are written; what is below is cut."""

COUNTS: Final = {
    "object": ("minProperties", "maxProperties"),
    "array": ("minItems", "maxItems"),
    "string": ("minLength", "maxLength"),
}
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
OWN: Final = {
    "object": frozenset({
        *("properties", "required", "additionalProperties", "patternProperties"),
        *("propertyNames", "propertyOrdering", *COUNTS["object"]),
    }),
    "array": frozenset({"items", "prefixItems", "contains", "uniqueItems", *COUNTS["array"]}),
    "string": frozenset({"pattern", "format", *COUNTS["string"]}),
    "number": frozenset({*_BOUNDS, "format"}),
    "integer": frozenset({*_BOUNDS, "format"}),
    "boolean": frozenset[str](),
    "null": frozenset[str](),
}  # fmt: skip
"""The keywords that speak of one type only."""

SILENT: Final = frozenset({"$schema", "$id", "$comment", "$anchor", "$defs", "definitions"})
"""The keywords that say nothing of a value; nothing is lost with them."""

_TELLING = frozenset({
    *(name for names in OWN.values() for name in names if name != "properties"),
    *("enum", "const", "default", "example", "examples", "not", "dependentRequired"),
})  # fmt: skip
_MEMBERS_MAX = 20
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


class Pool:
    """What one schema may cost, its references and what it loses."""

    __slots__ = ("_left", "_losses", "_root")

    def __init__(self, root: Json, losses: Losses) -> None:
        self._root = root
        self._losses = losses
        self._left = PLACES_MAX

    def spend(self, places: int) -> bool:
        """Take so many places; False when there are no more."""
        self._left -= places
        return self._left > 0

    def texts(self, schema: Json, *names: str) -> Json:
        """Return the keywords of these names that are texts."""
        return {
            name: value
            for name in names
            if isinstance(value := schema.get(name), str) and self.spend(_cost(value))
        }

    def values(self, schema: Json) -> list[Any] | None:
        """Return the values that `enum` or `const` allow, None when there are none or others."""
        found = primitives(schema)
        if found is None:
            return None
        cost = sum(1 + len(value) if isinstance(value, str) else 8 for value in found)
        return found if self.spend(cost // _CHARS_A_PLACE) else None

    def properties(self, schema: Json) -> Iterator[tuple[str, Any]]:
        """Iterate over the properties that may still be written."""
        found = schema.get("properties")
        for name, value in found.items() if isinstance(found, dict) else ():
            if not self.spend(1 + _cost(name)):
                self.lose()
                return
            yield name, value

    def lose(self, when: bool = True) -> None:
        """Note that a keyword is lost."""
        if when:
            self._losses.note("schema_keyword")

    def flat(self, schema: Json, seen: frozenset[str]) -> tuple[Json, frozenset[str]]:
        """Return the schema with its reference and `allOf` written out, and the references within.

        A schema that contains itself says only its type and description the second time.
        """
        if "$ref" not in schema and "allOf" not in schema:
            return schema, seen
        made: Json = {}
        entered: set[str] = set()
        todo = [schema]
        for one in todo:
            self.merge(made, {k: v for k, v in one.items() if k not in {"$ref", "allOf"}})
            ref = one.get("$ref")
            if isinstance(ref, str) and ref not in entered:
                entered.add(ref)
                todo.extend(self._target(ref, ref in seen))
            every = one.get("allOf")
            todo.extend(part for part in _list(every) if isinstance(part, dict))
            if not self.spend(1):
                self.lose()
                break
        return made, seen | entered

    def merge(self, into: Json, other: Json) -> None:
        """Add to one schema what another demands too; where both say a keyword, the first stays."""
        if not self.spend(len(other) // 8):
            return
        for name, value in other.items():
            if name not in into:
                into[name] = value
            elif name == "properties" and isinstance(into[name], dict) and isinstance(value, dict):
                if self.spend((len(value) + len(into[name])) // 8):
                    into[name] = {**value, **into[name]}
            elif name == "required":
                into[name] = list(dict.fromkeys([*names_in(into[name]), *names_in(value)]))

    def _target(self, ref: str, again: bool) -> list[Json]:
        found: Any = self._root if ref == "#" or ref.startswith("#/") else None
        for step in ref.split("/")[1:]:
            name = _ESCAPED.sub(_unescaped, step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and int(name[:9]) < len(found):
                found = found[int(name[:9])]
            else:
                found = found.get(name) if isinstance(found, dict) else None
        self.lose(again or not isinstance(found, dict))
        if not isinstance(found, dict):
            return []
        if again:
            return [{k: v for k, v in found.items() if k in {"type", "title", "description"}}]
        return [found]


def alternatives(flat: Json) -> tuple[list[Json], Json]:
    """Return the alternatives of a schema, and what stands beside them.

    Several types are as many alternatives, each with the keywords that are its own.
    """
    for name in ("anyOf", "oneOf"):
        options = [one for one in _list(flat.get(name)) if isinstance(one, dict)]
        if options:
            beside = {k: v for k, v in flat.items() if k not in {"anyOf", "oneOf"}}
            if isinstance(beside.get("type"), list):
                del beside["type"]
            return options, beside
    types = [one for one in _list(flat.get("type")) if isinstance(one, str) and one in OWN]
    if len(types) < 2:
        return [], flat | {"type": types[0]} if types else flat
    own = frozenset().union(*OWN.values())
    options = [{"type": one, **{k: v for k, v in flat.items() if k in OWN[one]}} for one in types]
    return options, {k: v for k, v in flat.items() if k != "type" and k not in own}


def kind_of(schema: Json) -> str | None:
    """Return the type of a schema in lower case, by its keywords where it does not say it."""
    said = schema.get("type")
    if isinstance(said, str) and said.lower() in OWN:
        return said.lower()
    if isinstance(schema.get("properties"), dict):
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    values = primitives(schema)
    if values:
        kinds = {_KIND_OF_VALUE[type(value)] for value in values if value is not None}
        return kinds.pop() if len(kinds) == 1 else "string"
    kinds = {kind for kind in ("string", "number") if OWN[kind] - {"format"} & schema.keys()}
    return kinds.pop() if len(kinds) == 1 else None


_KIND_OF_VALUE = {str: "string", bool: "boolean", int: "integer", float: "number"}


def primitives(schema: Json) -> list[Any] | None:
    """Return the values that `enum` or `const` allow, None when there are none or others."""
    values = [schema["const"]] if "const" in schema else _list(schema.get("enum"))
    if not values or not all(value is None or type(value) in _KIND_OF_VALUE for value in values):
        return None
    return list(values)


def names_in(value: Any) -> list[str]:
    """Return the texts of a list."""
    return [one for one in _list(value) if isinstance(one, str)]


def as_count(value: Any) -> int | None:
    """Return a whole number from 0, also one that is written as text or with a point."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and value >= 0 else None


def is_number(value: Any) -> bool:
    """Say whether a value is a number, truth values not counted."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def describe(made: Json, rest: Json) -> None:
    """Add to a description, in short, the keywords that the vendor does not know."""
    told = [
        f"{name}: {msgspec.json.encode(value).decode()}"
        for name, value in rest.items()
        if name in _TELLING and is_short(value)
    ]
    if told:
        before = made.get("description")
        words = f"({', '.join(told)})"
        made["description"] = f"{before} {words}" if before else words


def is_short(value: Any) -> bool:
    """Say whether a value may be repeated without thought: few members, no nesting, no long text."""
    if isinstance(value, (list, dict)):
        leaves = value.values() if isinstance(value, dict) else value
        return len(value) <= _MEMBERS_MAX and all(
            not isinstance(one, (list, dict)) and is_short(one) for one in leaves
        )
    return not isinstance(value, str) or len(value) <= _CHARS_A_PLACE


def _unescaped(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("%", "")).decode(errors="replace")


def _cost(text: str) -> int:
    return len(text) // _CHARS_A_PLACE


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else []
