"""Owns the items of an answer that we write ourselves: their ids, their fields, their states.

Must not know events or envelopes.
"""

from typing import Final, Literal

from msgspec import structs

from tollbridge.protocols.answer import Identity
from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.conversation import (
    Carrier,
    Conversation,
    Custom,
    Function,
    Image,
    Json,
    Opaque,
    Vendor,
    Wire,
)
from tollbridge.protocols.facts import text_or_none
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.responses_items import REDACTED
from tollbridge.protocols.responses_media import ITEM

Status = Literal["in_progress", "completed", "incomplete"]

_FORMATS: Final = frozenset({"png", "webp", "jpeg", "gif"})
_IMAGE_SAID: Final = ("action", "background", "output_format", "quality", "revised_prompt", "size")
_SEARCH: Final = "web_search"


class Items:
    """Makes the items of one answer; `place` is an item's index in the output."""

    def __init__(self, identity: Identity, conversation: Conversation, losses: Losses) -> None:
        self._id = identity.id
        self._losses = losses
        self._call_ids: set[str] = set()
        self._spaces = {
            tool.name: tool.namespace
            for tool in conversation.tools
            if isinstance(tool, (Function, Custom)) and tool.namespace
        }

    def message(self, place: int, content: list[Json], status: Status) -> Json:
        """Return a message."""
        head = {"id": f"msg_{self._id}_{place}", "type": "message", "status": status}
        return {**head, "role": "assistant", "content": content}

    def reasoning(
        self, place: int, texts: list[str], carrier: Carrier | None, *, redacted: bool
    ) -> Json:
        """Return thoughts as a summary, with their carrier, in an envelope if it is foreign."""
        summary = [{"type": "summary_text", "text": text} for text in texts]
        item: Json = {"id": f"rs_{self._id}_{place}", "type": "reasoning", "summary": summary}
        if carrier is None:
            return item
        if carrier.vendor is Vendor.OPENAI:
            return {**item, "encrypted_content": carrier.payload}
        if redacted:
            carrier = structs.replace(carrier, item_id=REDACTED)
        return {**item, "encrypted_content": sealed(carrier)}

    def head(
        self, place: int, call_id: str, name: str, namespace: str, *, custom: bool
    ) -> "CallHead":
        """Return what a call is called; its id is made up where it has none or another call's."""
        if not call_id or call_id in self._call_ids:
            call_id = f"call_{self._id}_{place}"
        self._call_ids.add(call_id)
        return CallHead(call_id, name, namespace or self._spaces.get(name, ""), custom=custom)

    def call(self, place: int, call: "CallHead", arguments: str, status: Status) -> Json:
        """Return a call."""
        prefix, kind, field = (
            ("ctc", "custom_tool_call", "input")
            if call.custom
            else ("fc", "function_call", "arguments")
        )
        return {
            "id": f"{prefix}_{self._id}_{place}",
            "type": kind,
            "status": status,
            "call_id": call.id,
            "name": call.name,
            **({"namespace": call.namespace} if call.namespace else {}),
            field: arguments,
        }

    def image(self, place: int, image: Image) -> Json | None:
        """Return an image that was made; None, noted, for one whose bytes are not here."""
        if not image.data:
            self._losses.note("answer_opaque")
            return None
        item: Json = {
            "id": f"ig_{self._id}_{place}",
            "type": "image_generation_call",
            "status": "completed",
            "result": image.data,
        }
        form = image.mime.removeprefix("image/")
        known = {"output_format": form} if form in _FORMATS else {}
        own = image.extra.get(ITEM)
        said = own if isinstance(own, dict) else {}
        return {**item, **known, **{name: said[name] for name in _IMAGE_SAID if name in said}}

    def opaque(self, place: int, part: Opaque) -> Json | None:
        """Return an item of this protocol as it is, or a search; None, noted, for all others."""
        if part.wire is Wire.RESPONSES:
            return part.raw
        given = part.raw.get("input")
        if part.raw.get("name") == _SEARCH and isinstance(given, dict):
            query = text_or_none(given.get("query")) or ""
            return {
                "id": f"ws_{self._id}_{place}",
                "type": "web_search_call",
                "status": "completed",
                "action": {"type": "search", "query": query},
            }
        self._losses.note("answer_server_tool" if "tool" in part.kind else "answer_opaque")
        return None


class CallHead:
    """What is known of a call before its arguments."""

    __slots__ = ("custom", "id", "name", "namespace")

    def __init__(self, call_id: str, name: str, namespace: str, *, custom: bool) -> None:
        self.id = call_id
        self.name = name
        self.namespace = namespace
        self.custom = custom
