"""Items of a stream while they are written: what opens, fills and closes them."""

from tests.protocols.responses_samples import IDENTITY, NOBODY, URL
from tollbridge.protocols.conversation import Carrier, Citation, Vendor
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.responses_open_items import OpenCall, OpenMessage, OpenThoughts
from tollbridge.protocols.responses_output import CallHead, Items

ITEMS = Items(IDENTITY, NOBODY, Losses())


def kinds(events):
    return [event["type"].removeprefix("response.") for event in events]


def test_a_message_of_two_texts_and_a_refusal():
    message = OpenMessage(ITEMS, 3)
    events = [message.added(), *message.more("a", fresh=True), *message.more("b", fresh=False)]
    events += message.cite(Citation(URL))
    events += message.more("c", fresh=True) + message.refuse("no")
    closing, item = message.close("completed")
    assert kinds(events + closing) == [
        "output_item.added",
        "content_part.added", "output_text.delta", "output_text.delta", "output_text.annotation.added",
        "output_text.done", "content_part.done",
        "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "content_part.added", "refusal.delta", "refusal.done", "content_part.done",
        "output_item.done",
    ]  # fmt: skip
    texts = [part.get("text") or part.get("refusal") for part in item["content"]]
    assert texts == ["ab", "c", "no"]
    [note] = item["content"][0]["annotations"]
    assert (note["start_index"], note["end_index"]) == (2, 2)
    assert {event["item_id"] for event in events[1:]} == {item["id"]}
    assert events[1]["part"]["annotations"] == [] and events[1]["part"]["text"] == ""
    assert [event["content_index"] for event in closing[:-1]] == [2, 2]


def test_thoughts_of_two_paragraphs():
    thoughts = OpenThoughts(ITEMS, 0)
    events = [thoughts.added(), *thoughts.more("", fresh=False), *thoughts.more("a", fresh=True)]
    events += thoughts.more("b", fresh=True)
    thoughts.carrier = Carrier(Vendor.OPENAI, "gA")
    closing, item = thoughts.close("incomplete")
    part = ["reasoning_summary_part.added", "reasoning_summary_text.delta"]
    done = ["reasoning_summary_text.done", "reasoning_summary_part.done"]
    assert kinds(events + closing) == [
        "output_item.added", *part, *done, *part, *done, "output_item.done",
    ]  # fmt: skip
    assert [one["text"] for one in item["summary"]] == ["a", "b"]
    assert item["encrypted_content"] == "gA"
    assert closing[0]["summary_index"] == 1


def test_a_call_names_itself_when_it_is_done():
    call = OpenCall(ITEMS, 1, CallHead("c", "f", "", custom=False))
    events = [call.added(), *call.more(""), *call.more('{"a"'), *call.more(":1}")]
    closing, item = call.close("completed")
    assert kinds(events) == ["output_item.added", *["function_call_arguments.delta"] * 2]
    assert closing[0]["name"] == "f"
    assert closing[0]["arguments"] == item["arguments"] == '{"a":1}'


def test_a_call_without_arguments_has_an_empty_object():
    closing, item = OpenCall(ITEMS, 1, CallHead("c", "f", "", custom=False)).close("completed")
    assert kinds(closing)[0] == "function_call_arguments.delta"
    assert item["arguments"] == "{}"


def test_a_call_of_free_text():
    call = OpenCall(ITEMS, 1, CallHead("c", "f", "", custom=True))
    events = call.more("text")
    closing, item = call.close("incomplete")
    assert kinds(events + closing)[:2] == [
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
    ]
    assert (item["input"], item["status"]) == ("text", "incomplete")
