"""Proof of the list of losses: each has a sentence, and no other is ever counted."""

import re
from pathlib import Path

import pytest

import tollbridge.protocols
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.losses import LOSSES, Losses, Untranslatable

NOTED = re.compile(r'losses\.note\(\s*"(\w+)"')
SOURCES = [
    path.read_text()
    for path in Path(tollbridge.protocols.__file__).parent.glob("*.py")
    if path.name != "losses.py"
]


@pytest.mark.parametrize("code", sorted(LOSSES))
def test_each_is_a_sentence_for_the_documentation(code):
    text = LOSSES[code]
    assert text[0].isupper() or text.startswith("top_p")
    assert text.endswith(".") and "\n" not in text
    assert re.fullmatch(r"[a-z_]+", code)


def test_nothing_is_noted_that_the_list_does_not_have():
    noted = {code for source in SOURCES for code in NOTED.findall(source)}
    assert len(noted) > 20
    assert noted <= LOSSES.keys()


def test_losses_are_counted_and_unknown_ones_refused():
    losses = Losses()
    losses.note("seed")
    losses.note("seed")
    losses.note("carrier")
    assert losses.counts == {"seed": 2, "carrier": 1}
    with pytest.raises(KeyError):
        losses.note("something_else")
    assert losses.counts == {"seed": 2, "carrier": 1}
    assert not Losses().counts


def test_a_refusal_names_its_field_and_gives_the_reason():
    refusal = Untranslatable("tools[0]", "This model's vendor has no such tool.")
    assert isinstance(refusal, FieldError)
    assert (refusal.name, refusal.reason) == ("tools[0]", "This model's vendor has no such tool.")
