"""Proof that no text of a cell is computed, and that harmless ones stay as they are."""

import pytest

from tollbridge.core.spreadsheet import plain


@pytest.mark.parametrize("text", ["gpt-5", "a=b", "", "1+1", "' =1"])
def test_what_is_no_formula_stays_as_it_is(text: str):
    assert plain(text) == text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", " =", "\xa0 @"])
def test_what_looks_like_a_formula_gets_an_apostrophe(start: str):
    assert plain(f"{start}1+1") == f"'{start}1+1"
