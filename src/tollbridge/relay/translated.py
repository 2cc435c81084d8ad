"""Owns the errand of a call whose account speaks another protocol than the client."""

from typing import Final
from urllib.parse import quote

from tollbridge.catalog.snapshot import Account
from tollbridge.protocols.abilities import Addressee, abilities_of
from tollbridge.protocols.conversation import Conversation, Thinking, Wire
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.tap import Tap
from tollbridge.protocols.translated_tap import TranslatedTap
from tollbridge.protocols.translation import Translation, facts_of
from tollbridge.relay.dialects import Task
from tollbridge.relay.straight import JSON

_ACTIONS: Final = {False: "generateContent", True: "streamGenerateContent?alt=sse"}
_PATHS: Final = {
    Wire.CHAT: b"/v1/chat/completions",
    Wire.RESPONSES: b"/v1/responses",
    Wire.MESSAGES: b"/v1/messages",
}


class Translated:
    """One try at an account of another protocol. Raises Untranslatable, a FieldError."""

    __slots__ = ("_copies", "_identity", "_translation", "body", "content_type", "path")

    native = False

    def __init__(self, conversation: Conversation, task: Task, account: Account) -> None:
        target = wire_of(account, conversation)
        _write_into(conversation, task)
        to = Addressee(
            task.model,
            abilities_of(
                account.platform,
                task.model,
                compatible=account.compatible,
                efforts=task.sold.efforts or None,
            ),
            task.sold.max_output,
            account.compatible,
        )
        self._translation = Translation(conversation, target, to)
        self._identity = task.identity
        self._copies = conversation.copies
        self.body = self._translation.body
        self.content_type = JSON
        self.path = path_of(target, task.model, stream=conversation.stream)

    def read(self, body: bytes, _content_type: bytes) -> tuple[ReplyFacts, bytes]:
        """Return what the answer says, and it in the client's protocol."""
        answer = self._translation.read_answer(body)
        facts = facts_of(answer)
        if answer is None or facts.error is not None:
            return facts, b""
        return facts, self._translation.write_answer(answer, self._identity)

    def tap(self) -> Tap:
        """Return what watches and translates the stream."""
        return TranslatedTap(self._translation, self._identity, self._copies)


def wire_of(account: Account, conversation: Conversation) -> Wire:
    """Return the protocol in which an account is spoken to by a client of another one.

    OpenAI itself has two: Responses knows its newer models best, but not all that can be asked.
    """
    if account.platform == "anthropic":
        return Wire.MESSAGES
    if account.platform == "gemini":
        return Wire.GEMINI
    return Wire.CHAT if account.compatible or _needs_chat(conversation) else Wire.RESPONSES


def path_of(wire: Wire, model: str, *, stream: bool) -> bytes:
    """Return where a call of a protocol goes.

    Under a wildcard any text is a model's name, so it is quoted: it must not leave its segment.
    """
    if wire is Wire.GEMINI:
        return f"/v1beta/models/{quote(model, safe='')}:{_ACTIONS[stream]}".encode()
    return _PATHS[wire]


def _needs_chat(conversation: Conversation) -> bool:
    asks = conversation.stop or conversation.copies > 1 or conversation.audio_options
    return bool(asks) or "audio" in conversation.modalities


def _write_into(conversation: Conversation, task: Task) -> None:
    """Set what the gateway decides: the limit that the money pays for, the effort of the name."""
    if task.limit is not None:
        limit = conversation.max_output
        conversation.max_output = task.limit if limit is None else min(limit, task.limit)
    conversation.model = task.model
    if task.effort is not None:
        asked = conversation.thinking or Thinking()
        conversation.thinking = Thinking(
            effort=task.effort, summary=asked.summary, shown=asked.shown
        )
