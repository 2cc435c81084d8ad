"""Proof of the neutral answer: events are facts, and each reader and writer keeps its interface."""

import inspect
from typing import get_args

import msgspec
import pytest

from tollbridge.protocols.answer import (
    Answer,
    Choice,
    Event,
    EventReader,
    EventWriter,
    Finish,
    Identity,
)
from tollbridge.protocols.chat_event_reader import ChatReader
from tollbridge.protocols.chat_event_writer import ChatWriter
from tollbridge.protocols.conversation import Conversation, Wire
from tollbridge.protocols.gemini_event_reader import GeminiReader
from tollbridge.protocols.gemini_event_writer import GeminiWriter
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.messages_event_reader import MessagesReader
from tollbridge.protocols.messages_event_writer import MessagesWriter
from tollbridge.protocols.responses_event_reader import ResponsesReader
from tollbridge.protocols.responses_event_writer import ResponsesWriter

READERS = [ChatReader, ResponsesReader, MessagesReader, GeminiReader]
WRITERS = {
    Wire.CHAT: ChatWriter,
    Wire.RESPONSES: ResponsesWriter,
    Wire.MESSAGES: MessagesWriter,
    Wire.GEMINI: GeminiWriter,
}


def keeps(thing, interface):
    for name, function in vars(interface).items():
        if inspect.isfunction(function) and not name.startswith("_"):
            assert len(inspect.signature(getattr(thing, name)).parameters) == (
                len(inspect.signature(function).parameters) - 1
            ), name
    for name in getattr(interface, "__annotations__", {}):
        assert getattr(thing, name) is not None


@pytest.mark.parametrize("kind", READERS, ids=lambda one: one.__name__)
def test_each_reader_keeps_the_interface_and_says_nothing_of_nothing(kind):
    reader = kind()
    keeps(reader, EventReader)
    assert reader.end() == []


@pytest.mark.parametrize("wire", sorted(WRITERS))
def test_each_writer_keeps_the_interface(wire):
    conversation = Conversation(wire=wire, model="m", stream=True)
    writer = WRITERS[wire](Identity("t", 1, "m"), conversation, Losses())
    keeps(writer, EventWriter)
    assert writer.sequence == 0
    assert writer.produced(b"") == 0


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda one: one.__name__)
def test_an_event_cannot_be_changed(kind):
    assert issubclass(kind, msgspec.Struct)
    assert kind.__struct_config__.frozen


def test_answers_share_nothing():
    one, other = Answer(choices=[]), Answer(choices=[])
    one.extra["a"] = 1
    one.choices.append(Choice(parts=[]))
    assert (other.extra, other.choices) == ({}, [])
    assert Choice(parts=[]).finish is None


def test_ends_are_called_by_plain_words():
    assert {finish.value for finish in Finish} == {
        "stop", "stop_sequence", "call", "length", "context", "policy", "paused", "fault"
    }  # fmt: skip
