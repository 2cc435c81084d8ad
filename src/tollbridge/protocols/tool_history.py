"""Owns the order of a history with tool calls: what every vendor demands of it, made so.

Each call of an assistant's turn is answered in the user turn right after it, the answers first and
in the order of the calls; turns alternate; ids are unique and fit every vendor (protocols.md 5.6).
No call, result or text is lost: what has no place becomes a marked text. Must not know wire formats;
whoever writes a request first drops what its vendor must not see, then repairs.
"""

import hashlib
import re
from collections import deque
from collections.abc import Iterator

from msgspec import structs

from tollbridge.protocols.conversation import (
    Call,
    Part,
    Reasoning,
    Refusal,
    Result,
    Role,
    Text,
    Turn,
)

# Every vendor takes such ids; OpenAI's limit is the lowest.
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DIGEST_CHARS = 24

_BEGIN = "(The conversation begins.)"
_UNANSWERED = "No result of this call was given."


def repaired(turns: list[Turn]) -> list[Turn]:
    """Return the turns in the strict order; what is already so stays as it is, the given turns too.

    Results lack no name, and calls no id. Instructions between a call and its result move behind
    the result. A history of instructions alone gets no user's turn.
    """
    history = _History(turns)
    _rename(history.calls)
    kept = history.turns()
    first = next((at for at, turn in enumerate(kept) if turn.role != "system"), None)
    if first is not None and kept[first].role == "assistant":
        kept.insert(first, Turn(role="user", parts=[Text(text=_BEGIN)]))
    return kept


class _Slot:
    """A call and its result, None while it has none; `round` is the turn that it stands in."""

    __slots__ = ("call", "result", "round")

    def __init__(self, call: Call, round_: "_Round") -> None:
        self.call = call
        self.result: Result | None = None
        self.round = round_

    def answer(self) -> Result:
        """Return the result under the call's own id and name, a failed one where there is none."""
        given = self.result or Result(call_id="", parts=[Text(text=_UNANSWERED)], failed=True)
        call = self.call
        return structs.replace(
            given,
            call_id=call.id,
            name=call.name,
            namespace=call.namespace,
            custom=call.custom,
        )


class _Round:
    """A turn of the assistant and all that comes before its next one.

    `answered`: a call of it has its result; `spoken`: the user said something. `last_result` is the
    last piece of the history that has a result for one of its calls' ids, -1 without one.
    """

    __slots__ = ("after", "answered", "last_result", "parts", "spoken", "turn")

    def __init__(self, turn: Turn | None) -> None:
        self.turn = turn
        self.parts: list[Part | _Slot] = []
        self.after: list[Turn] = []
        self.answered = False
        self.spoken = False
        self.last_result = -1

    def turns(self) -> Iterator[Turn]:
        if self.turn is not None:
            parts = [part.call if isinstance(part, _Slot) else part for part in self.parts]
            yield structs.replace(self.turn, parts=parts)
            answers = [part.answer() for part in self.parts if isinstance(part, _Slot)]
            if answers:
                yield Turn(role="user", parts=list[Part](answers))
        yield from self.after


class _Open:
    """The calls that wait for a result, found in constant time: of the last round the first."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], list[deque[_Slot]]] = {}

    def add(self, slot: _Slot) -> None:
        name, id_ = slot.call.name, slot.call.id
        keys = [("id", id_)] if id_ else [("nameless id", name)]
        for key in (*keys, ("name", name), ("any", "")):
            rounds = self._waiting.setdefault(key, [])
            if not rounds or rounds[-1][-1].round is not slot.round:
                rounds.append(deque())
            rounds[-1].append(slot)

    def take(self, result: Result) -> _Slot | None:
        """Return the call that a result answers: by id, else by name, else by order."""
        keys = [("id", result.call_id)] if result.call_id else []
        if result.name:
            keys.append(("nameless id", result.name))
        if not result.call_id:
            keys.append(("name", result.name) if result.name else ("any", ""))
        return next((slot for key in keys if (slot := self._first(key)) is not None), None)

    def _first(self, key: tuple[str, str]) -> _Slot | None:
        rounds = self._waiting.get(key, [])
        while rounds:
            # A call that was answered under another key is still here; it goes now.
            while rounds[-1] and rounds[-1][0].result is not None:
                rounds[-1].popleft()
            if rounds[-1]:
                return rounds[-1][0]
            rounds.pop()
        return None


class _History:
    """Takes the turns apart into rounds, and gives each result to its call."""

    def __init__(self, turns: list[Turn]) -> None:
        pieces = [piece for turn in turns for piece in _pieces(turn)]
        self.calls: list[_Slot] = []
        self._rounds = [_Round(None)]
        self._open = _Open()
        self._answered: dict[str, _Slot] = {}
        self._last_result = {
            part.call_id: at
            for at, piece in enumerate(pieces)
            for part in piece.parts
            if isinstance(part, Result)
        }
        for at, piece in enumerate(pieces):
            if piece.role == "assistant":
                self._assistant(piece, at)
            else:
                self._other(piece)

    def turns(self) -> list[Turn]:
        """Return all turns, those of one role that follow each other as one."""
        made: list[Turn] = []
        for turn in (turn for round_ in self._rounds for turn in round_.turns()):
            if made and made[-1].role == turn.role:
                _join(made[-1], turn)
                made[-1].parts.extend(turn.parts)
            else:
                made.append(structs.replace(turn, parts=list(turn.parts)))
        return made

    def _assistant(self, piece: Turn, at: int) -> None:
        last = self._rounds[-1]
        if last.turn is not None and self._goes_on(last, at):
            _join(last.turn, piece)
        else:
            last = _Round(structs.replace(piece, parts=[]))
            self._rounds.append(last)
        for part in piece.parts:
            if isinstance(part, Call):
                slot = _Slot(part, last)
                self.calls.append(slot)
                self._open.add(slot)
                last.parts.append(slot)
                last.last_result = max(last.last_result, self._last_result.get(part.id, -1))
            else:
                last.parts.append(part)

    def _goes_on(self, last: _Round, at: int) -> bool:
        """Say whether a piece still belongs to the last turn of the assistant.

        So it is with parallel calls that came one by one, be it with an instruction between them:
        then a result of an earlier one comes only after this one.
        """
        if last.answered or last.spoken:
            return False
        return not last.after or last.last_result > at

    def _other(self, piece: Turn) -> None:
        kept: list[Part] = []
        for part in piece.parts:
            kept.extend(self._placed(part) if isinstance(part, Result) else [part])
        if kept:
            last = self._rounds[-1]
            last.after.append(structs.replace(piece, parts=kept))
            last.spoken = last.spoken or piece.role == "user"

    def _placed(self, result: Result) -> list[Part]:
        """Give a result to its call; return what is left of it: nothing, or marked text."""
        before = self._answered.get(result.call_id) if result.call_id else None
        slot = self._open.take(result)
        if slot is not None:
            slot.result = result
            slot.round.answered = True
            self._answered[slot.call.id] = slot
            return []
        if before is not None and before.result is not None and before.result.parts == result.parts:
            return []
        of = f" of {result.name}" if result.name else ""
        marked = Text(text=f"[Result{of}, a tool call that is not shown]")
        return [marked, *(part for part in result.parts if not _is_nothing(part))]


def _pieces(turn: Turn) -> Iterator[Turn]:
    """Cut a turn where a part is another's: calls are the assistant's, results the user's."""
    role: Role | None = None
    parts: list[Part] = []
    for part in turn.parts:
        if _is_nothing(part):
            continue
        owner = _owner(part, turn.role)
        if parts and owner != role:
            yield _piece(turn, role or turn.role, parts)
            parts = []
        role = owner
        parts.append(part)
    if parts:
        yield _piece(turn, role or turn.role, parts)


def _piece(turn: Turn, role: Role, parts: list[Part]) -> Turn:
    if role == turn.role:
        return structs.replace(turn, parts=parts)
    return Turn(role=role, parts=parts)


def _owner(part: Part, role: Role) -> Role:
    if isinstance(part, Call):
        return "assistant"
    return "user" if isinstance(part, Result) else role


def _is_nothing(part: Part) -> bool:
    """Say whether a part says nothing; a carrier is something, wherever it stands."""
    if isinstance(part, Text):
        return not part.text.strip() and part.carrier is None
    if isinstance(part, Refusal):
        return not part.text.strip()
    if isinstance(part, Reasoning):
        return part.carrier is None and not any(part.texts) and not part.extra
    return False


def _join(one: Turn, other: Turn) -> None:
    """Make one turn of two, but for their parts."""
    one.name = one.name if one.name == other.name else ""
    one.extra = {**one.extra, **other.extra}


def _rename(slots: list[_Slot]) -> None:
    """Give each call an id that every vendor takes and no other call has, the same every time."""
    given = {slot.call.id for slot in slots}
    used: set[str] = set()
    for at, slot in enumerate(slots):
        old = slot.call.id
        if old not in used and _ID.fullmatch(old):
            used.add(old)
            continue
        # An id that only does not fit stays the same wherever its call stands.
        of = (old,) if old and old not in used else (str(at), slot.call.name, slot.call.arguments)
        used.add(old)
        made = _derived(of)
        while made in used or made in given:
            made = _derived((made, *of))
        used.add(made)
        slot.call = structs.replace(slot.call, id=made)


def _derived(of: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\0".join(of).encode(errors="surrogatepass")).hexdigest()
    return f"call_{digest[:_DIGEST_CHARS]}"
