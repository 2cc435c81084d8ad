"""Owns the way back of tool calls: what the upstream called becomes what the client knows.

Names are the client's again; a tool of free text that was sent as a function gives its text; the
tool that we added for a bound answer becomes the answer's text; and an end with calls says so
(protocols.md 5.5, 6.2). For whole answers and for events alike. Must not know wire formats.
"""

import msgspec
from msgspec import structs

from tollbridge.protocols.answer import (
    Answer,
    CallArguments,
    CallEnd,
    CallStart,
    Choice,
    Event,
    Finish,
    Finished,
    TextDelta,
)
from tollbridge.protocols.conversation import Call, Conversation, Custom, Part, Text
from tollbridge.protocols.tool_names import ToolNames

_NO_ARGUMENTS = "{}"


class _Wrapped(msgspec.Struct, forbid_unknown_fields=True):
    """How free text travels through a function's arguments."""

    input: str


class ClientCalls:
    """Maps the calls of one answer back; it remembers them until the answer has ended."""

    __slots__ = ("_answers", "_called", "_customs", "_names", "_texts", "_told")

    def __init__(self, names: ToolNames, conversation: Conversation) -> None:
        self._names = names
        self._customs = {
            (tool.namespace, tool.name) for tool in conversation.tools if isinstance(tool, Custom)
        }
        # By the key of a call: the arguments so far of free text, and the bound answers.
        self._texts: dict[int, list[str]] = {}
        self._answers: dict[int, _BoundAnswer] = {}
        # The choices that have a bound answer, and those with calls that the client sees.
        self._told: set[int] = set()
        self._called: set[int] = set()

    def events(self, events: list[Event]) -> list[Event]:
        """Return what the client is to see of these events."""
        made: list[Event] = []
        for event in events:
            if isinstance(event, CallStart):
                made.extend(self._start(event))
            elif isinstance(event, CallArguments):
                made.extend(self._arguments(event))
            elif isinstance(event, CallEnd):
                made.extend(self._end(event))
            else:
                made.append(event)
        return made

    def answer(self, answer: Answer) -> Answer:
        """Return what the client is to see of a whole answer; the given one stays as it is."""
        return structs.replace(answer, choices=[self._choice(one) for one in answer.choices])

    def finish(self, finished: Finished) -> Finished:
        """Return how a choice has ended for the client; ask when the whole answer has been seen."""
        return structs.replace(finished, finish=self._finish(finished.finish, finished.choice))

    def _finish(self, finish: Finish, choice: int) -> Finish:
        # Only a natural end is another one by its calls; a limit or a policy stays what it is.
        if finish is Finish.STOP and choice in self._called:
            return Finish.CALL
        if finish is Finish.CALL and choice in self._told and choice not in self._called:
            return Finish.STOP
        return finish

    def _start(self, start: CallStart) -> list[Event]:
        if start.name == self._names.answer_tool:
            # A second answer after the first would be no JSON any more.
            self._answers[start.key] = _BoundAnswer(start.choice, muted=start.choice in self._told)
            self._told.add(start.choice)
            return []
        self._called.add(start.choice)
        namespace, name = self._names.back(start.name)
        wrapped = not start.custom and self._is_wrapped(start.name)
        if wrapped:
            self._texts[start.key] = []
        return [
            structs.replace(start, name=name, namespace=namespace, custom=start.custom or wrapped)
        ]

    def _arguments(self, event: CallArguments) -> list[Event]:
        if event.key in self._texts:
            self._texts[event.key].append(event.text)
            return []
        bound = self._answers.get(event.key)
        return [event] if bound is None else bound.more(event.text)

    def _end(self, event: CallEnd) -> list[Event]:
        bound = self._answers.pop(event.key, None)
        if bound is not None:
            return [] if bound.begun else bound.more(_NO_ARGUMENTS)
        pieces = self._texts.pop(event.key, None)
        text = _unwrapped("".join(pieces)) if pieces else ""
        return [CallArguments(event.key, text), event] if text else [event]

    def _choice(self, choice: Choice) -> Choice:
        parts: list[Part] = []
        for part in choice.parts:
            parts.extend(self._part(part, choice.index) if isinstance(part, Call) else [part])
        finish = choice.finish
        if finish is not None:
            finish = self._finish(finish, choice.index)
        return structs.replace(choice, parts=parts, finish=finish)

    def _part(self, call: Call, choice: int) -> list[Part]:
        if call.name == self._names.answer_tool:
            again = choice in self._told
            self._told.add(choice)
            return [] if again else [Text(text=call.arguments or _NO_ARGUMENTS)]
        self._called.add(choice)
        namespace, name = self._names.back(call.name)
        made = structs.replace(call, name=name, namespace=namespace)
        if not call.custom and self._is_wrapped(call.name):
            made.custom = True
            made.arguments = _unwrapped(call.arguments)
        return [made]

    def _is_wrapped(self, name: str) -> bool:
        return name in self._names.customs or self._names.back(name) in self._customs


class _BoundAnswer:
    """A call whose arguments are the answer's text, in the pieces in which they come."""

    __slots__ = ("_choice", "_muted", "begun")

    def __init__(self, choice: int, *, muted: bool) -> None:
        self._choice = choice
        self._muted = muted
        self.begun = False

    def more(self, text: str) -> list[Event]:
        if self._muted or not text:
            return []
        fresh = not self.begun
        self.begun = True
        return [TextDelta(text, self._choice, fresh=fresh)]


def _unwrapped(arguments: str) -> str:
    """Return the free text in a function's arguments; what has another form is the text itself."""
    try:
        return msgspec.json.decode(arguments, type=_Wrapped).input
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return arguments
