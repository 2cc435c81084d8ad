"""The twin of protocols/messages_thinking.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.abilities import Abilities
from tollbridge.protocols.conversation import (
    Call,
    Carrier,
    Conversation,
    Reasoning,
    Result,
    Text,
    Thinking,
    Turn,
    Vendor,
    Wire,
)
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.messages_thinking import Thoughts, thoughts, unsigned

ADAPTIVE = Abilities(thinks="adaptive", efforts=("low", "medium", "high"))
ALWAYS = Abilities(thinks="adaptive", efforts=("low", "high"), always_thinks=True)
BUDGET = Abilities(thinks="budget", least_budget=1024)
NEVER = Abilities()
OFF = {"type": "disabled"}

USER = Turn(role="user", parts=[Text(text="hi")])
CALLS = Turn(role="assistant", parts=[Call(id="t", name="n", arguments="{}")])
RESULTS = Turn(role="user", parts=[Result(call_id="t", parts=[])])
SIGNED = Turn(
    role="assistant",
    parts=[Reasoning(texts=["x"], carrier=Carrier(Vendor.ANTHROPIC, "s")), *CALLS.parts],
)


def told(wish, abilities, limit=64_000, turns=(USER,), wire=Wire.CHAT):
    losses = Losses()
    conversation = Conversation(wire=wire, model="m", thinking=wish)
    return thoughts(conversation, list(turns), abilities, limit, losses), set(losses.counts)


@pytest.mark.parametrize(
    ("wish", "abilities", "expected", "lost"),
    [
        (None, ADAPTIVE, Thoughts(), set()),
        (None, ALWAYS, Thoughts(active=True), set()),
        (Thinking(effort="none"), ADAPTIVE, Thoughts(OFF), set()),
        (Thinking(enabled=False), BUDGET, Thoughts(), set()),
        (Thinking(budget=0), NEVER, Thoughts(), set()),
        (Thinking(effort="none"), ALWAYS, Thoughts(effort="low", active=True), {"effort"}),
        (Thinking(effort="low"), NEVER, Thoughts(), {"effort"}),
        (Thinking(summary="auto"), NEVER, Thoughts(), set()),
        (
            Thinking(effort="xhigh", summary="auto"),
            ADAPTIVE,
            Thoughts({"type": "adaptive", "display": "summarized"}, "high", active=True),
            {"effort"},
        ),
        (
            Thinking(budget=8000, shown=False),
            ADAPTIVE,
            Thoughts({"type": "adaptive", "display": "omitted"}, "medium", active=True),
            set(),
        ),
        (
            Thinking(effort="medium"),
            BUDGET,
            Thoughts({"type": "enabled", "budget_tokens": 8192}, active=True),
            set(),
        ),
        (
            Thinking(budget=-1),
            BUDGET,
            Thoughts({"type": "enabled", "budget_tokens": 8192}, active=True),
            set(),
        ),
        (
            Thinking(effort="minimal"),
            BUDGET,
            Thoughts({"type": "enabled", "budget_tokens": 1024}, active=True),
            {"effort"},
        ),
    ],
)
def test_wishes_of_other_protocols(wish, abilities, expected, lost):
    assert told(wish, abilities) == (expected, lost)


def test_a_budget_leaves_a_quarter_of_the_limit():
    made, lost = told(Thinking(effort="high"), BUDGET, limit=4000)
    assert made.field == {"type": "enabled", "budget_tokens": 2999} and lost == {"effort"}
    assert told(Thinking(effort="high"), BUDGET, limit=1365)[0] == Thoughts()


@given(st.integers(1, 10**6), st.integers(-1, 10**6))
def test_a_budget_keeps_the_vendors_rule(limit, budget):
    field = told(Thinking(budget=budget), BUDGET, limit=limit)[0].field
    if field is not None:
        assert 1024 <= field["budget_tokens"] < limit


def test_a_history_without_its_thoughts():
    assert unsigned([USER, CALLS, RESULTS])
    assert not unsigned([USER, SIGNED, RESULTS])
    assert unsigned([USER, CALLS, RESULTS, SIGNED, RESULTS])
    # What the user has since answered in words is over.
    assert not unsigned([USER, CALLS, RESULTS, Turn(role="assistant", parts=[]), USER])


def test_a_model_with_a_budget_does_not_think_on_such_a_history():
    history = [USER, CALLS, RESULTS]
    assert told(Thinking(effort="low"), BUDGET, turns=history) == (Thoughts(), {"effort"})
    assert told(Thinking(effort="low"), ADAPTIVE, turns=history)[0].active
    own = Thinking(enabled=True, budget=2000)
    assert told(own, BUDGET, turns=history, wire=Wire.MESSAGES)[0] == Thoughts(OFF)


@pytest.mark.parametrize(
    ("wish", "field", "active"),
    [
        (Thinking(enabled=False), OFF, False),
        (
            Thinking(enabled=True, budget=7, shown=True),
            {"type": "enabled", "budget_tokens": 7, "display": "summarized"},
            True,
        ),
        (
            Thinking(enabled=True, adaptive=True, extra={"x": 1}),
            {"type": "adaptive", "x": 1},
            True,
        ),
        (Thinking(enabled=True, extra={"type": "new"}), {"type": "new"}, True),
    ],
)
def test_the_own_protocol_is_said_again(wish, field, active):
    assert told(wish, NEVER, wire=Wire.MESSAGES)[0] == Thoughts(field, active=active)


def test_an_effort_of_the_own_protocol_is_put_into_words_that_the_model_knows():
    def own(wish, abilities):
        return told(wish, abilities, wire=Wire.MESSAGES)[0]

    assert own(Thinking(effort="high"), ADAPTIVE) == Thoughts(effort="high")
    assert own(Thinking(effort="none"), ADAPTIVE) == Thoughts(OFF)
    budget = {"type": "enabled", "budget_tokens": 24_576}
    assert own(Thinking(effort="high"), BUDGET) == Thoughts(budget, active=True)
    wish = Thinking(effort="high", enabled=True)
    assert own(wish, BUDGET) == Thoughts(budget, active=True)
    assert own(wish, ADAPTIVE) == Thoughts({"type": "adaptive"}, "high", active=True)
