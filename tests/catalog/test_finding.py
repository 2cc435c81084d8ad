"""Proof that only what answered as it should counts as well."""

import pytest

from tollbridge.catalog.finding import Finding


@pytest.mark.parametrize(("outcome", "ok"), [("ok", True), ("status_500", False), ("empty", False)])
def test_ok_is_a_word_of_its_own(outcome, ok):
    assert Finding(outcome, 200, 1, "/v1/models").ok is ok
