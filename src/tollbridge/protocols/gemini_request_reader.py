"""Owns the reading of a Gemini request into the neutral model.

Both spellings of every field are read. What the model has no field for stays in `extra` under its
documented name. Must not know other protocols, models or money.
"""

from tollbridge.protocols.chat_fields import rest_of, text_in
from tollbridge.protocols.conversation import Conversation, Json, Part, Role, Text, Turn, Wire
from tollbridge.protocols.gemini import RoleMissing
from tollbridge.protocols.gemini_config_reader import CONFIG, read_config
from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.gemini_part_reader import joined_thoughts, read_part
from tollbridge.protocols.gemini_tool_reader import read_choice, read_tools
from tollbridge.protocols.json_peek import FieldError

_READ = ("contents", "systemInstruction", "tools", "toolConfig", CONFIG, "serviceTier", "model")


def read_request(body: Json, *, model: str, stream: bool) -> Conversation:
    """Read a request; the model and the way of streaming are in its path.

    Raises FieldError with the field's name for malformed input, RoleMissing for a content that does
    not say whose it is.
    """
    fields = spelled(body)
    choice, tool_rest = read_choice(fields)
    conversation = Conversation(
        wire=Wire.GEMINI,
        model=model,
        system=_system(fields),
        turns=_turns(fields),
        tools=read_tools(fields),
        choice=choice,
        stream=stream,
        wants_usage=True,
        tier=text_in(fields, "serviceTier"),
        extra=rest_of(fields, *_READ),
    )
    read_config(fields, conversation)
    if tool_rest:
        conversation.extra["toolConfig"] = tool_rest
    return conversation


def _system(fields: Json) -> list[Text]:
    given = fields.get("systemInstruction")
    if given is None:
        return []
    if isinstance(given, str):
        return [Text(text=given)]
    if not isinstance(given, dict):
        raise FieldError("systemInstruction", "an object")
    parts = _parts(given, "systemInstruction")
    texts = [part for part in parts if isinstance(part, Text)]
    if len(texts) < len(parts):
        raise FieldError("systemInstruction.parts", "texts only")
    return texts


def _turns(fields: Json) -> list[Turn]:
    contents = fields.get("contents")
    if not isinstance(contents, list) or not contents:
        raise FieldError("contents", "an array of at least one content")
    turns: list[Turn] = []
    for at, given in enumerate(contents):
        if not isinstance(given, dict):
            raise FieldError(f"contents[{at}]", "an object")
        if not given.get("role"):
            raise RoleMissing(at)
        role = _role(given["role"], at)
        parts = _parts(given, f"contents[{at}]")
        last = turns[-1] if turns else None
        if role == "assistant" and last is not None and last.role == role:
            # The chunks of one streamed answer, as some clients keep them.
            last.parts = _joined(joined_thoughts([*last.parts, *parts]))
        else:
            extra = rest_of(given, "role", "parts")
            turns.append(Turn(role=role, parts=joined_thoughts(parts), extra=extra))
    return turns


def _role(role: object, at: int) -> Role:
    if role == "model":
        return "assistant"
    if role in ("user", "function"):
        return "user"
    raise FieldError(f"contents[{at}].role", '"user" or "model"')


def _parts(content: Json, where: str) -> list[Part]:
    parts = content.get("parts")
    if parts is None:
        return []
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise FieldError(f"{where}.parts", "an array of objects")
    return [read_part(part) for part in parts]


def _joined(parts: list[Part]) -> list[Part]:
    """Return the parts with the pieces of one text joined; an unsigned one goes on in the next."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if (
            isinstance(part, Text)
            and isinstance(last, Text)
            and last.carrier is None
            and part.carrier is None
            and not part.extra
            and not last.extra
        ):
            joined[-1] = Text(text=last.text + part.text)
        else:
            joined.append(part)
    return joined
