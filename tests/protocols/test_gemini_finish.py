"""Finish reasons, both ways."""

import pytest
from google.genai import types

from tollbridge.protocols.answer import Finish
from tollbridge.protocols.gemini_finish import finish_from, reason_of


@pytest.mark.parametrize("finish", list(Finish))
def test_every_finish_has_a_reason_that_google_knows(finish):
    assert types.FinishReason(reason_of(finish)).name == reason_of(finish)


@pytest.mark.parametrize(
    ("finish", "reason"), [(Finish.STOP, "STOP"), (Finish.LENGTH, "MAX_TOKENS")]
)
def test_both_ways(finish, reason):
    assert finish_from(reason, called=False) is finish
    assert reason_of(finish) == reason


def test_a_call_overrides_natural_ends_only():
    assert finish_from("STOP", called=True) is Finish.CALL
    assert finish_from("NEW_REASON", called=True) is Finish.CALL
    assert finish_from("MAX_TOKENS", called=True) is Finish.LENGTH
    assert finish_from("SPII", called=True) is Finish.POLICY
    assert finish_from("OTHER", called=True) is Finish.FAULT
    assert finish_from(2, called=False) is Finish.LENGTH
