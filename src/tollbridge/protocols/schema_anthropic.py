"""Owns a JSON schema in the form that Anthropic's `output_config` takes (protocols.md 5.2).

Objects are closed, bounds are said in descriptions, several types are alternatives; references
stay. Must not know where a schema stands in a request.
"""

from typing import Any, Final

from tollbridge.protocols.conversation import Json
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.schema_parts import (
    DEPTH_MAX,
    SILENT,
    Pool,
    alternatives,
    as_count,
    describe,
    kind_of,
    names_in,
)

_FORMATS: Final = frozenset({
    *("date-time", "time", "date", "duration", "email"),
    *("hostname", "uri", "ipv4", "ipv6", "uuid"),
})  # fmt: skip
_SAID: Final = frozenset({*SILENT, "title", "description", "nullable"})


class AnthropicSchema:
    """Writes one schema."""

    def __init__(self, root: Json, losses: Losses) -> None:
        self._root = root
        self._pool = Pool(root, losses)

    def written(self) -> Json:
        """Return the whole schema."""
        return self._node(self._root, 0)

    def _node(self, schema: Any, depth: int) -> Json:
        if not isinstance(schema, dict):
            self._pool.lose(schema is not True)
            return {}
        if depth >= DEPTH_MAX or not self._pool.spend(1):
            self._pool.lose()
            return {"type": "object", "properties": {}, "additionalProperties": False}
        made = self._definitions(schema, depth)
        ref = schema.get("$ref")
        if isinstance(ref, str):
            # A reference stands alone.
            made["$ref"] = ref.replace("#/definitions/", "#/$defs/", 1)
            self._pool.lose(not schema.keys() <= _SAID | {"$ref"})
            return made
        made |= self._pool.texts(schema, "title", "description")
        rest = {name: value for name, value in schema.items() if name not in _SAID}
        if isinstance(rest.get("additionalProperties"), bool):
            del rest["additionalProperties"]
        self._shape(made, rest, depth)
        if rest:
            self._pool.lose()
            describe(made, rest)
        return made

    def _definitions(self, schema: Json, depth: int) -> Json:
        written: Json = {}
        for keyword in ("$defs", "definitions"):
            found = schema.get(keyword)
            for name, value in found.items() if isinstance(found, dict) else ():
                written[name] = self._node(value, depth + 1)
        return {"$defs": written} if written else {}

    def _shape(self, made: Json, rest: Json, depth: int) -> None:
        """Write the values, the alternatives or the type, and take out of `rest` what is said."""
        values = self._pool.values(rest)
        if values is not None:
            made["enum"] = values
            _drop(rest, "enum", "const", "type")
            return
        every = rest.get("allOf")
        if isinstance(every, list) and every:
            self._all(made, rest, every, depth)
            return
        options, beside = alternatives(rest)
        if options:
            made["anyOf"] = [self._option(option, beside, depth) for option in options]
            rest.clear()
            return
        kind = kind_of(rest)
        _drop(rest, "type")
        if kind is not None:
            made["type"] = kind
            self._inside(made, rest, kind, depth)

    def _all(self, made: Json, rest: Json, every: list[Any], depth: int) -> None:
        _drop(rest, "allOf")
        if rest:
            # What stands beside is one more demand.
            every = [*every, dict(rest)]
            rest.clear()
        written = [self._node(one, depth + 1) for one in every]
        if len(written) == 1 and "$defs" not in written[0]:
            if "$ref" in written[0]:
                _drop(made, "title", "description")
            made.update({**written[0], **made})
        else:
            made["allOf"] = written

    def _option(self, option: Json, beside: Json, depth: int) -> Json:
        """Write one alternative, with what stands beside all of them."""
        both = dict(option)
        if "$ref" not in option:
            self._pool.merge(both, beside)
        else:
            self._pool.lose(bool(beside))
        return self._node(both, depth + 1)

    def _inside(self, made: Json, rest: Json, kind: str, depth: int) -> None:
        """Write what only this type has."""
        if kind == "object":
            found = {
                name: self._node(value, depth + 1) for name, value in self._pool.properties(rest)
            }
            made |= {"properties": found, "additionalProperties": False}
            required = [name for name in names_in(rest.get("required")) if name in found]
            _drop(rest, "properties", "required")
            made |= {"required": required} if required else {}
        elif kind == "array":
            if isinstance(rest.get("items"), dict):
                made["items"] = self._node(rest.pop("items"), depth + 1)
            if as_count(rest.get("minItems")) in {0, 1}:
                made["minItems"] = as_count(rest.pop("minItems"))
        elif kind == "string" and isinstance(rest.get("format"), str):
            made |= {"format": rest.pop("format")} if rest["format"] in _FORMATS else {}


def _drop(rest: Json, *names: str) -> None:
    for name in names:
        rest.pop(name, None)
