"""What an answer says, in the shortest form: of neutral parts, of neutral events, of the SDK's object.

Two forms of one answer have the same gist. The SDK's side is read by hand.
"""

from dataclasses import dataclass, field

from tollbridge.protocols import answer
from tollbridge.protocols.conversation import Call, Image, Opaque, Reasoning, Refusal, Text
from tollbridge.protocols.facts import decoded
from tollbridge.protocols.sse import Framer, data_of, event_of


@dataclass
class Gist:
    """Texts are joined; calls are (id, name, arguments); carriers are payloads."""

    text: str = ""
    refusal: str = ""
    thoughts: str = ""
    calls: list = field(default_factory=list)
    carriers: list = field(default_factory=list)
    images: list = field(default_factory=list)
    citations: list = field(default_factory=list)
    others: list = field(default_factory=list)


def of_parts(parts):
    gist = Gist()
    for part in parts:
        if isinstance(part, Text):
            gist.text += part.text
            gist.citations += [one.url for one in part.citations]
        elif isinstance(part, Refusal):
            gist.refusal += part.text
        elif isinstance(part, Reasoning):
            gist.thoughts += "".join(part.texts)
            gist.carriers += [part.carrier.payload] if part.carrier else []
        elif isinstance(part, Call):
            gist.calls.append((part.id, part.name, part.arguments))
        elif isinstance(part, Image):
            gist.images.append(part.data)
        elif isinstance(part, Opaque):
            gist.others.append(part.kind)
    return gist


def of_events(events):
    gist, calls = Gist(), {}
    for event in events:
        if isinstance(event, answer.TextDelta):
            gist.text += event.text
        elif isinstance(event, answer.RefusalDelta):
            gist.refusal += event.text
        elif isinstance(event, answer.ReasoningDelta):
            gist.thoughts += event.text
        elif isinstance(event, answer.ReasoningEnd):
            gist.carriers += [event.carrier.payload] if event.carrier else []
        elif isinstance(event, answer.CallStart):
            calls[event.key] = [event.id, event.name, ""]
        elif isinstance(event, answer.CallArguments):
            calls[event.key][2] += event.text
        elif isinstance(event, answer.CallEnd):
            gist.calls.append(tuple(calls.pop(event.key)))
        elif isinstance(event, answer.Cited):
            gist.citations.append(event.citation.url)
        elif isinstance(event, answer.Made):
            made = of_parts([event.part])
            gist.images += made.images
            gist.others += made.others
    assert not calls, "every call is closed"
    return gist


def of_response(response):
    gist = Gist()
    for item in response["output"]:
        kind = item["type"]
        if kind == "message":
            for part in item["content"]:
                gist.text += part.get("text") or ""
                gist.refusal += part.get("refusal") or ""
                notes = part.get("annotations") or []
                gist.citations += [one["url"] for one in notes if one["type"] == "url_citation"]
        elif kind == "reasoning":
            gist.thoughts += "".join(
                one["text"] for one in item.get("summary") or item.get("content") or []
            )
            gist.carriers += [item["encrypted_content"]] if item.get("encrypted_content") else []
        elif kind in {"function_call", "custom_tool_call"}:
            arguments = item["arguments"] if kind == "function_call" else item["input"]
            gist.calls.append((item["call_id"], item["name"], arguments))
        elif kind == "image_generation_call" and item.get("result"):
            gist.images.append(item["result"])
        else:
            gist.others.append(kind)
    return gist


def read_stream(reader, data):
    """Return all neutral events of a stream."""
    events = []
    framer = Framer()
    for frame in [*framer.feed(data), framer.rest()]:
        value = decoded(data_of(frame) or b"")
        if value is not None:
            events += reader.read(event_of(frame), value)
    return events + reader.end()


def write_stream(writer, events):
    """Return the frames of events, as the relay has them written."""
    finishes, usage, tier, frames = {}, None, None, []
    for event in events:
        if isinstance(event, answer.Finished):
            finishes[event.choice] = event
        elif isinstance(event, answer.UsageSeen):
            usage, tier = event.usage, event.tier
        elif not isinstance(event, (answer.Failed, answer.Done)):
            frames.append(writer.write(event))
    return b"".join([*frames, writer.end(finishes, usage, tier)])
