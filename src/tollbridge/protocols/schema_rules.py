"""Owns what each vendor takes of a JSON schema, and how the rest is said without it.

Whoever writes a request asks here. A schema that is too deep, too large or contains itself is cut,
never refused (protocols.md 5.2, 5.5). Must not know where a schema stands in a request.
"""

from tollbridge.protocols.conversation import Json
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.schema_anthropic import AnthropicSchema
from tollbridge.protocols.schema_gemini import GeminiSchema
from tollbridge.protocols.schema_parts import Pool, alternatives, names_in

_NOT_AT_THE_ROOT = ("$ref", "allOf", "anyOf", "oneOf")


def gemini_schema(schema: Json, losses: Losses) -> Json:
    """Return the schema in the words of Gemini's `Schema`; references are written out."""
    return GeminiSchema(schema, losses).written()


def anthropic_output_schema(schema: Json, losses: Losses) -> Json:
    """Return the schema for Anthropic's `output_config`: closed objects, no bounds."""
    return AnthropicSchema(schema, losses).written()


def object_schema(schema: Json | None) -> Json:
    """Return the schema of a tool's input: an object with properties at the root.

    One that is so already is returned as it is. Alternatives at the root, which vendors refuse
    there, become one object with the properties of all; required is what all of them require.
    """
    given = schema or {}
    loose = any(name in given for name in _NOT_AT_THE_ROOT)
    if given.get("type") == "object" and isinstance(given.get("properties"), dict) and not loose:
        return given
    pool = Pool(given, Losses())
    flat, seen = pool.flat(given, frozenset())
    options, beside = alternatives(flat)
    made = {
        "type": "object",
        **{k: v for k, v in beside.items() if k not in {"type", *_NOT_AT_THE_ROOT}},
        **_definitions(given),
    }
    if not isinstance(made.get("properties"), dict):
        made["properties"] = {}
    branches = [pool.flat(option, seen)[0] for option in options]
    objects = [one for one in branches if "properties" in one or "required" in one]
    for one in objects:
        pool.merge(made, {"properties": one.get("properties")})
    if objects:
        common = set.intersection(*(set(names_in(one.get("required"))) for one in objects))
        required = [name for name in made["properties"] if name in common]
        pool.merge(made, {"required": required} if required else {})
    return made


def _definitions(schema: Json) -> Json:
    return {name: schema[name] for name in ("$defs", "definitions") if name in schema}
