"""Owns a JSON schema in the words of Gemini's `Schema`, an allow-list (protocols.md 5.5).

One unknown keyword fails the whole request, so nothing is copied: every place is written anew, with
references written out. Must not know where a schema stands in a request.
"""

from typing import Any, Final

from tollbridge.protocols.conversation import Json
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.schema_parts import (
    COUNTS,
    DEPTH_MAX,
    SILENT,
    Pool,
    alternatives,
    as_count,
    describe,
    is_number,
    is_short,
    kind_of,
    names_in,
    primitives,
)

_FORMATS: Final = {
    "string": frozenset({"date-time"}),
    "number": frozenset({"float", "double"}),
    "integer": frozenset({"int32", "int64"}),
}
_READ: Final = frozenset({
    *("type", "title", "description", "enum", "const", "nullable", "default", "example", "format"),
    *("anyOf", "oneOf", "additionalProperties"),
})  # fmt: skip
_READ_OF: Final = {
    "object": frozenset({"properties", "required", "propertyOrdering", *COUNTS["object"]}),
    "array": frozenset({"items", "prefixItems", *COUNTS["array"]}),
    "string": frozenset({"pattern", *COUNTS["string"]}),
    "number": frozenset({"minimum", "maximum"}),
    "integer": frozenset({"minimum", "maximum"}),
    "boolean": frozenset[str](),
}
_BOUNDS: Final = (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1))


class GeminiSchema:
    """Writes one schema."""

    def __init__(self, root: Json, losses: Losses) -> None:
        self._root = root
        self._pool = Pool(root, losses)

    def written(self) -> Json:
        """Return the whole schema."""
        return self._node(self._root, frozenset(), 0)

    def _node(self, schema: Any, seen: frozenset[str], depth: int) -> Json:
        if not isinstance(schema, dict):
            self._pool.lose(schema is not True)
            return {"type": "STRING"}
        if depth >= DEPTH_MAX or not self._pool.spend(1):
            self._pool.lose()
            return self._cut(schema)
        flat, seen = self._pool.flat(schema, seen)
        options, beside = alternatives(flat)
        if not options:
            return self._plain(beside, seen, depth)
        made, nullable = self._alternatives(options, beside, seen, depth)
        if not made:
            return self._plain(beside, seen, depth) | {"nullable": True}
        if nullable:
            made = [one | {"nullable": True} for one in made]
        return made[0] if len(made) == 1 else {"anyOf": made}

    def _alternatives(
        self, options: list[Json], beside: Json, seen: frozenset[str], depth: int
    ) -> tuple[list[Json], bool]:
        """Write the alternatives; say whether null is one.

        Beside alternatives Gemini takes no other keyword, so each gets what stood there.
        """
        made: list[Json] = []
        nullable = False
        for option in options:
            flat, within = self._pool.flat(option, seen)
            if _is_null(flat):
                nullable = True
                continue
            if not self._pool.spend(1):
                self._pool.lose()
                break
            both = dict(flat)
            self._pool.merge(both, beside)
            made.append(self._node(both, within, depth + 1))
        return made, nullable

    def _plain(self, flat: Json, seen: frozenset[str], depth: int) -> Json:
        kind = kind_of(flat) or "null"
        nullable = flat.get("nullable") is True
        if kind == "null":
            # A type must be there, and text can say everything.
            self._pool.lose()
            nullable = nullable or _is_null(flat)
            kind = "string"
        made: Json = {"type": kind.upper()}
        made |= self._pool.texts(flat, "title", "description")
        made |= {"nullable": True} if nullable else {}
        for name in ("default", "example"):
            if flat.get(name) is not None:
                self._pool.lose(not is_short(flat[name]))
                made |= {name: flat[name]} if is_short(flat[name]) else {}
        for name in COUNTS.get(kind, ()):
            if (count := as_count(flat.get(name))) is not None:
                made[name] = count
        read = SILENT | _READ | _READ_OF[kind]
        rest = {name: value for name, value in flat.items() if name not in read}
        if isinstance(flat.get("additionalProperties"), dict):
            rest["additionalProperties"] = flat["additionalProperties"]
        self._inside(made, flat, rest, seen, depth)
        self._values(made, flat, rest)
        if rest:
            self._pool.lose()
            describe(made, rest)
        return made

    def _inside(self, made: Json, flat: Json, rest: Json, seen: frozenset[str], depth: int) -> None:
        """Write what only this type has."""
        kind = made["type"]
        if kind == "OBJECT":
            self._object(made, flat, seen, depth)
        elif kind == "ARRAY":
            made["items"] = self._items(flat, seen, depth)
        elif kind == "STRING":
            made |= self._pool.texts(flat, "pattern")
        elif kind in {"NUMBER", "INTEGER"}:
            _bounds(made, flat, rest)

    def _object(self, made: Json, flat: Json, seen: frozenset[str], depth: int) -> None:
        written = {
            name: self._node(value, seen, depth + 1)
            for name, value in self._pool.properties(flat)
            if value is not False
        }
        if written:
            made["properties"] = written
        for keyword in ("required", "propertyOrdering"):
            # Names of nothing are refused.
            known = [name for name in names_in(flat.get(keyword)) if name in written]
            if known:
                made[keyword] = known

    def _items(self, flat: Json, seen: frozenset[str], depth: int) -> Json:
        items, places = flat.get("items"), flat.get("prefixItems")
        if isinstance(items, list):
            items, places = None, items
        if isinstance(places, list) and places:
            self._pool.lose()
            every = [*places, *([items] if isinstance(items, dict) else [])]
            items = {"anyOf": every} if len(every) > 1 else every[0]
        return self._node(True if items is None else items, seen, depth + 1)

    def _values(self, made: Json, flat: Json, rest: Json) -> None:
        """Write enum and format; Gemini knows values of text only, none of them empty, and few formats."""
        values = self._pool.values(flat)
        if values is None:
            rest |= {name: flat[name] for name in ("enum", "const") if name in flat}
        else:
            if None in values:
                made["nullable"] = True
            words = [value for value in values if isinstance(value, str) and value]
            if made["type"] == "STRING" and words:
                made["enum"] = words
            if made["type"] != "STRING" or len(words) + values.count(None) < len(values):
                rest["enum"] = values
        form = flat.get("format")
        if isinstance(form, str) and form != "enum":
            place = made if form in _FORMATS.get(made["type"].lower(), ()) else rest
            place["format"] = form

    def _cut(self, schema: Json) -> Json:
        """Return what a schema says at first sight, without anything below it."""
        kind = kind_of(schema) or "object"
        made: Json = {"type": "STRING" if kind == "null" else kind.upper()}
        made |= self._pool.texts(schema, "description")
        return made | {"items": {"type": "STRING"}} if kind == "array" else made


def _bounds(made: Json, flat: Json, rest: Json) -> None:
    """Write the bounds; one that is outside itself moves by one where there are only whole numbers."""
    for name, outside, step in _BOUNDS:
        if is_number(flat.get(name)):
            made[name] = flat[name]
            if flat.get(outside) is False:
                del rest[outside]
        elif is_number(flat.get(outside)):
            made[name] = flat[outside]
            if made["type"] == "INTEGER" and isinstance(flat[outside], int):
                made[name] += step
                del rest[outside]


def _is_null(schema: Json) -> bool:
    return schema.get("type") == "null" or set(primitives(schema) or [0]) == {None}
