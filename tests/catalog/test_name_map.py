"""Proof of name maps: an exact rule wins, then the longest prefix; the first map with a rule wins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.catalog.name_map import NameMap, sent_name, shown_name

NAMES = st.text("ab-", max_size=4)
RULES = st.dictionaries(
    st.builds(lambda name, star: name + "*" * star, NAMES, st.booleans()).filter(bool),
    st.text("xyz", min_size=1, max_size=3),
    max_size=6,
)


def plainly(rules, name):
    """Return what the rules say, the slow way."""
    if name in rules:
        return rules[name]
    fitting = [rule for rule in rules if rule.endswith("*") and name.startswith(rule[:-1])]
    return rules[max(fitting, key=len)] if fitting else None


@given(RULES, NAMES)
def test_exact_wins_then_the_longest_prefix(rules, name):
    assert NameMap.build(rules).sent(name) == plainly(rules, name)


@given(st.lists(RULES, max_size=3), NAMES)
def test_the_first_map_that_has_a_rule_wins(layers, name):
    said = [found for rules in layers if (found := plainly(rules, name)) is not None]
    maps = tuple(NameMap.build(rules) for rules in layers)
    assert sent_name(maps, name) == (said[0] if said else name)


@given(RULES)
def test_every_rule_is_kept_as_written(rules):
    assert dict(NameMap.build(rules).rules()) == rules


@given(st.lists(RULES, max_size=3), NAMES)
def test_no_name_that_is_sent_is_ever_shown(layers, name):
    # The alphabets of both sides have nothing in common.
    maps = tuple(NameMap.build(rules) for rules in layers)
    if sent_name(maps, name) != name:
        assert not set(shown_name(maps, sent_name(maps, name))) & set("xyz")


@pytest.mark.parametrize(
    ("answered", "shown"),
    [
        ("up", "small"),
        ("up-2026-01-01", "small"),
        ("up-large", "large"),
        ("up-large-2026-01-01", "large"),
        ("else", "family-*"),
        ("other", "other"),
    ],
)
def test_a_dated_answer_is_shown_as_what_was_asked(answered, shown):
    maps = (
        NameMap.build({"small": "up", "family-*": "else"}),
        NameMap.build({"large": "up-large", "second": "up"}),
    )
    assert shown_name(maps, answered) == shown
