"""The twin of core/phrase.py: to all but pages a phrase is its English text."""

import copy
import json
import pickle

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.phrase import Phrase, phrase, reason_of


@given(st.text(), st.integers())
def test_a_phrase_is_its_text(name: str, number: int):
    made = phrase("%(name)s is %(number)s", name=name, number=number)
    assert made == f"{name} is {number}" and hash(made) == hash(str(made))
    assert json.loads(json.dumps(made)) == made
    assert (made.msgid, made.values) == ("%(name)s is %(number)s", {"name": name, "number": number})


def test_a_phrase_can_be_a_value_of_another():
    inner = phrase("%(n)s below", n=1)
    assert phrase("here: %(what)s", what=inner) == "here: 1 below"


def test_a_phrase_may_have_a_text_of_its_own():
    made = Phrase("input", "Input")
    assert (made, made.msgid, made.values) == ("input", "Input", {})
    assert Phrase("as it is").msgid == "as it is"


def test_copies_are_phrases_too():
    made = phrase("%(n)s of %(what)s", n=1, what=phrase("two"))
    for one in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert (one, one.msgid, one.values) == (made, made.msgid, made.values)


def test_what_an_error_says_stays_a_phrase():
    made = phrase("no")
    assert reason_of(ValueError(made)) is made
    assert reason_of(ValueError(7)) == "7" and reason_of(ValueError()) == ""
