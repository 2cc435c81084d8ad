"""The twin of console/error_words.py: words for all, and none twice."""

from tollbridge.console.error_words import GLANCE, MEANINGS
from tollbridge.core.errors import Kind


def test_each_kind_has_words_of_its_own() -> None:
    assert set(MEANINGS) == set(Kind)
    assert len(set(MEANINGS.values())) == len(MEANINGS)
    assert len({advice.meaning for advice in GLANCE.values()}) == len(GLANCE)
