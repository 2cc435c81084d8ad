"""Proof of the neutral request: what nobody said is empty, and no two requests share anything."""

import msgspec
import pytest

from tollbridge.protocols import conversation as neutral
from tollbridge.protocols.conversation import (
    Carrier,
    Conversation,
    Custom,
    Function,
    ServerTool,
    Turn,
    Vendor,
    WebSearch,
    Wire,
)


def test_a_request_that_says_nothing_more_has_nothing_more():
    plain = Conversation(wire=Wire.CHAT, model="m")
    said = {name: value for name, value in msgspec.structs.asdict(plain).items() if value}
    assert said == {"wire": Wire.CHAT, "model": "m", "copies": 1}
    assert plain.stream is False and plain.max_output is None


def test_only_the_clients_own_tools_have_names():
    tools = [
        Function(name="b"),
        WebSearch(wire=Wire.CHAT, raw={}),
        Custom(name="a"),
        ServerTool(wire=Wire.MESSAGES, kind="bash", raw={"name": "bash"}),
        Function(name="b", namespace="n"),
    ]
    assert Conversation(wire=Wire.CHAT, model="m", tools=tools).names() == ["b", "a", "b"]


def structs():
    return [
        one
        for one in vars(neutral).values()
        if isinstance(one, type) and issubclass(one, msgspec.Struct) and one is not msgspec.Struct
    ]


@pytest.mark.parametrize("kind", structs(), ids=lambda one: one.__name__)
def test_no_two_values_share_a_list_or_an_object(kind):
    required = [
        field.name for field in msgspec.structs.fields(kind)
        if field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT
    ]  # fmt: skip
    one, other = (kind(**dict.fromkeys(required, "x")) for _ in range(2))
    for field in msgspec.structs.fields(kind):
        value = getattr(one, field.name)
        if field.name not in required and isinstance(value, (list, dict)):
            assert value is not getattr(other, field.name), field.name


def test_a_carrier_is_a_fact_and_a_turn_may_be_repaired():
    carrier = Carrier(Vendor.OPENAI, "p")
    with pytest.raises(AttributeError):
        carrier.payload = "q"
    turn = Turn(role="user", parts=[])
    turn.parts.append("x")
    assert Turn(role="user", parts=[]).parts == []


def test_protocols_and_vendors_are_called_by_plain_words():
    assert [wire.value for wire in Wire] == ["chat", "responses", "messages", "gemini"]
    assert [vendor.value for vendor in Vendor] == ["openai", "anthropic", "gemini"]
