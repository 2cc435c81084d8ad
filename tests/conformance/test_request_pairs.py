"""Requests that were written by hand in several protocols: each form translated is the other form.

Many pairs differ among themselves, in their texts or in what only one form says; there a translation
has to say what its origin says. All other differences stand in the table, each with its reason.
"""

import json
import re

import pytest

from tests.conformance import asks, crossing
from tests.conformance.wishes import wishes
from tollbridge.protocols.conversation import Wire
from tollbridge.protocols.losses import Untranslatable
from tollbridge.protocols.translation import Translation, read_request

WIRES = {
    "chat-completions": "chat",
    "responses": "responses",
    "anthropic": "messages",
    "google": "gemini",
}
GEMINI = "gemini-3-flash-preview"
# By case, field and target: what is said instead of what the origin says, and why.
MEANT = {
    ("anthropicOpus5AdaptiveThinkingMaxEffortParam", "limit", "responses"): (
        64_000,
        "no more than the model can",
    ),
    ("simpleRequestTruncated", "limit", "responses"): (16, "the least that Responses take"),
    ("simpleRequest", "effort", "messages"): ("low", "the least effort that Claude has"),
    ("reasoningRequestTruncated", "effort", "messages"): (
        None,
        "a budget of thoughts does not fit into 100 tokens",
    ),
    ("parallelToolCallsDisabledParam", "choice", "messages"): (
        "auto",
        "a choice is where Claude is told to call one tool at a time",
    ),
    **{
        (case, field, other): (None, "OpenAI's models that think take no sampling")
        for case, field in (
            ("topPReasoningModelParam", "top_p"),
            ("jsonSchemaFormatParam", "temperature"),
            ("jsonSchemaMinimumMaximumParam", "temperature"),
        )
        for other in ("chat", "responses")
    },
}
REFUSED = {
    ("responsesToolSearchInputParam", "messages", "responses"): "tools",
    ("responsesToolSearchInputParam", "responses", "messages"): "tools",
}
# Searches that the vendor ran and reasoning in a form of one library are no part of a history.
OWN_FORM = frozenset({"openAIMultipleReasoningSignaturesReplayParam"})


def pairs(corpus):
    for line in (corpus / "request_pairs.jsonl").read_text().splitlines():
        record = json.loads(line)
        forms = [(WIRES[name], form) for name, form in record["requests"].items()]
        for wire, form in forms:
            for other, wanted in forms:
                if wire != other:
                    yield record["case"], wire, form, other, wanted


def translated(wire, form, other, wanted):
    model = form.get("model", GEMINI)
    asked = read_request(Wire(wire), json.dumps(form).encode(), model=model)
    to = crossing.addressee(other, wanted.get("model", GEMINI))
    return json.loads(Translation(asked, Wire(other), to).body)


def expected(case, field, other, origin):
    """Return what a field has to be: what the origin says, but for the table."""
    if (case, field, other) in MEANT:
        return MEANT[case, field, other][0]
    said = origin.get(field)
    if field == "limit" and other == "messages" and said is None:
        return 64_000  # Anthropic wants a limit; without one it is the model's.
    return said


def test_each_form_translated_is_the_other_form(corpus):
    wrong, used, refused, seen = [], set(), {}, 0
    for case, wire, form, other, wanted in pairs(corpus):
        seen += 1
        try:
            body = translated(wire, form, other, wanted)
        except Untranslatable as error:
            refused[case, wire, other] = error.name
            continue
        assert asks.complaints(other, body) == [], case
        assert asks.broken_rules(other, body) == [], case
        ours, origin, theirs = wishes(other, body), wishes(wire, form), wishes(other, wanted)
        for field in sorted({*ours, *theirs, *origin}):
            if case in OWN_FORM and field == "turns":
                continue
            want = expected(case, field, other, origin)
            used.add((case, field, other))
            if field == "user" and want is not None and other != "gemini":
                # A vendor need not know the client's own name for its user.
                assert re.fullmatch(r"[0-9a-f]{64}", ours[field]), case
            elif field not in UNSAYABLE[other] and ours.get(field) != want:
                wrong.append((case, wire, other, field, ours.get(field), want))
    assert wrong == []
    assert refused == REFUSED
    assert used >= MEANT.keys(), "a reason that nothing needs"
    assert seen > 150


# What a target has no word for, and the list of losses names.
UNSAYABLE = {
    "chat": frozenset[str](),
    "responses": frozenset({"stop"}),
    "messages": frozenset[str](),
    "gemini": frozenset({"user", "parallel"}),
}


def test_both_forms_agree_in_most_fields(corpus):
    """Were the reading of wishes blind, the comparison would prove nothing."""
    agreed = {
        field
        for _, wire, form, other, wanted in pairs(corpus)
        for field, value in wishes(wire, form).items()
        if wishes(other, wanted).get(field) == value
    }
    assert agreed >= {"turns", "system", "tools", "choice", "parallel", "limit", "temperature"}
    assert agreed >= {"format", "effort", "top_p", "search", "user"}


@pytest.mark.parametrize("case", sorted(OWN_FORM))
def test_a_history_in_a_form_of_its_own(corpus, case):
    """Calls and results stay, whatever else is left out."""
    for name, wire, form, other, wanted in pairs(corpus):
        if name != case:
            continue
        ours = wishes(other, translated(wire, form, other, wanted))["turns"]
        theirs = wishes(other, wanted)["turns"]
        kept = [[turn for turn in turns if turn[0] in {"call", "user"}] for turns in (ours, theirs)]
        assert kept[0] == kept[1] and kept[0]
