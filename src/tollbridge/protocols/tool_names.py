"""Owns the names of tools on their way through another protocol and back (protocols.md 5.5)."""

import hashlib
import re

from tollbridge.protocols.conversation import Conversation, Custom, Function

_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_-]")
_DIGEST_CHARS = 8


class ToolNames:
    """The client's tools and what they are called at the upstream; made anew for each request.

    `answer_tool` is the name of a tool that we added ourselves, whose input is the answer's text;
    None without one. `customs` are the upstream's names of tools that take free text there as one
    string field `input`.
    """

    __slots__ = ("_back", "_longest", "_out", "answer_tool", "customs")

    def __init__(self, conversation: Conversation, longest: int = 64) -> None:
        self._longest = longest
        self._out: dict[tuple[str, str], str] = {}
        self._back: dict[str, tuple[str, str]] = {}
        self.answer_tool: str | None = None
        self.customs: set[str] = set()
        for tool in conversation.tools:
            if isinstance(tool, (Function, Custom)):
                self.outward(tool.name, tool.namespace)

    def outward(self, name: str, namespace: str = "") -> str:
        """Return what a tool is called at the upstream; the same name every time."""
        known = self._out.get((namespace, name))
        if known is not None:
            return known
        whole = f"{namespace}__{name}" if namespace else name
        made = _NOT_ALLOWED.sub("_", whole)[: self._longest] or "_"
        if made in self._back:
            digest = hashlib.sha256(f"{namespace}\0{name}".encode()).hexdigest()[:_DIGEST_CHARS]
            made = f"{made[: self._longest - _DIGEST_CHARS - 1]}_{digest}"
        self._out[namespace, name] = made
        self._back[made] = (namespace, name)
        return made

    def back(self, name: str) -> tuple[str, str]:
        """Return (namespace, name) of a tool as the client knows it; a stranger's name as it is."""
        return self._back.get(name, ("", name))
