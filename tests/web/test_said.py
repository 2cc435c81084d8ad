"""The twin of web/said.py: a planted cookie can say nothing of its own."""

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.web.said import SAID, words_of


@given(st.text())
def test_only_words_of_ours_mean_anything(word: str):
    assert (words_of(word) is None) is (word not in SAID)


def test_every_word_is_good_in_a_cookie_and_tells_something():
    for word, text in SAID.items():
        assert word.isascii() and word.replace("_", "").isalpha(), word
        assert words_of(word) == text and text == text.strip() and text.endswith("."), word
