"""Owns the writing of tools, and of which may be called, in Gemini's words.

It raises Untranslatable for a vendor's own tool other than the search of the web. Must not know turns
or settings.
"""

from typing import Any

from tollbridge.protocols.conversation import (
    Conversation,
    Custom,
    Function,
    Json,
    ServerTool,
    ToolChoice,
    WebSearch,
    Wire,
)
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.schema_rules import gemini_schema, object_schema
from tollbridge.protocols.tool_names import ToolNames

# How another protocol's client wrote its tool, which says nothing beyond the schema.
_SPELLINGS = frozenset({"functions", "group", "additional"})
_FREE_TEXT: Json = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
}


class ToolWriter:
    """Writes the tools of one request.

    `plain`: the upstream knows only Google's older schemas; `asks_to_mix`: the model wants to be told
    that its vendor's own tools stand beside functions (Gemini 3; without it such a request is
    refused).
    """

    def __init__(
        self,
        conversation: Conversation,
        names: ToolNames,
        losses: Losses,
        *,
        plain: bool = False,
        asks_to_mix: bool = False,
    ) -> None:
        self._conversation = conversation
        self._same = conversation.wire is Wire.GEMINI
        self._names = names
        self._losses = losses
        self._plain = plain
        kinds = {isinstance(tool, Function | Custom) for tool in conversation.tools}
        self._mixes = asks_to_mix and not self._same and len(kinds) == 2

    def tools(self) -> list[Json]:
        """Return the tools: all functions as one, in the place of the first, and the vendor's own."""
        made: list[Json] = []
        declared: list[Json] = []
        for tool in self._conversation.tools:
            if isinstance(tool, Function | Custom):
                if not declared:
                    made.append({"functionDeclarations": declared})
                declared.append(self._declared(tool))
            elif isinstance(tool, WebSearch):
                made.append(self._search(tool))
            elif tool.wire is Wire.GEMINI:
                made.append(tool.raw)
            else:
                raise _no_such_tool(tool)
        return made

    def _declared(self, tool: Function | Custom) -> Json:
        return self._custom(tool) if isinstance(tool, Custom) else self._function(tool)

    def _function(self, tool: Function) -> Json:
        made: Json = {"name": self._names.outward(tool.name, tool.namespace)}
        if tool.description:
            made["description"] = tool.description
        if self._same:
            made |= tool.extra
            if tool.schema is not None and "parameters" not in made:
                made["parametersJsonSchema"] = tool.schema
            return made
        if tool.schema is not None:
            made |= self._schema(tool.schema)
        if tool.strict:
            self._losses.note("strict")
        if tool.cache is not None:
            self._losses.note("cache_hint")
        if tool.extra.keys() - _SPELLINGS:
            self._losses.note("tool_example")
        return made

    def _schema(self, schema: Json) -> Json:
        if self._plain:
            return {"parameters": gemini_schema(schema, self._losses)}
        return {"parametersJsonSchema": object_schema(schema)}

    def _custom(self, tool: Custom) -> Json:
        name = self._names.outward(tool.name, tool.namespace)
        self._names.customs.add(name)
        said = [tool.description, _grammar(tool.format)]
        description = "\n\n".join(text for text in said if text)
        made: Json = {"name": name, **self._schema(_FREE_TEXT)}
        return {**made, "description": description} if description else made

    def _search(self, tool: WebSearch) -> Json:
        if tool.wire is Wire.GEMINI:
            return tool.raw
        for option in (tool.domains, tool.blocked, tool.uses, tool.location):
            if option:
                self._losses.note("search_option")
        return {"googleSearch": {}}

    def config(self) -> Json:
        """Return which tools may be called; {} where the client did not say or has no such tool."""
        choice = self._conversation.choice
        if self._conversation.parallel is False:
            self._losses.note("parallel")
        calling = {} if choice is None else self._calling(choice)
        if self._mixes:
            # Then AUTO is not among the modes; it is what happens without one.
            calling = {} if calling.get("mode") == "AUTO" else calling
            mixed: Json = {"includeServerSideToolInvocations": True}
            return {**mixed, "functionCallingConfig": calling} if calling else mixed
        return {"functionCallingConfig": calling} if calling else {}

    def _calling(self, choice: ToolChoice) -> Json:
        if self._same and choice.raw is not None:
            return choice.raw
        if choice.mode == "other":
            raise Untranslatable("tool_choice", "This model's vendor has no such choice of tools.")
        declared = {
            tool.name: self._names.outward(tool.name, tool.namespace)
            for tool in self._conversation.tools
            if isinstance(tool, (Function, Custom))
        }
        if choice.mode in {"auto", "none", "required"}:
            mode = {"auto": "AUTO", "none": "NONE", "required": "ANY"}[choice.mode]
            return {"mode": mode} if declared or self._same else {}
        names = [
            declared.get(name, name) for name in choice.names if name in declared or self._same
        ]
        if not names:
            self._losses.note("tool_choice")
            return {}
        free = choice.mode == "subset" and not choice.required
        return {"mode": "VALIDATED" if free else "ANY", "allowedFunctionNames": names}


def _grammar(form: Json | None) -> str:
    """Return what a free-text tool's grammar says, for a vendor that cannot enforce it."""
    if not form or form.get("type") == "text":
        return ""
    # Chat nests what Responses has flat.
    inner: Any = form.get("grammar")
    rules = inner if isinstance(inner, dict) else form
    syntax, definition = rules.get("syntax") or "given", rules.get("definition")
    return f"The input must follow this {syntax} grammar:\n{definition}" if definition else ""


def _no_such_tool(tool: ServerTool) -> Untranslatable:
    return Untranslatable(
        "tools", f"The tool {tool.kind} is its vendor's own; this model's vendor has none like it."
    )
