"""Proof that each kind has its words, and that no text of an alert can carry more than a line."""

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.notify.kinds import (
    RULES,
    Kind,
    clean_detail,
    clean_subject,
    of_wallet,
    rule_of,
)


def test_each_kind_has_a_rule():
    assert set(RULES) == set(Kind)
    for kind, rule in RULES.items():
        assert len(kind) <= 32
        assert rule.title[0].isupper() and not rule.title.endswith(".")
        assert rule.todo.endswith(".")


def test_a_kind_of_another_version_is_told_plainly():
    rule = rule_of("moon_full")
    assert (rule.title, rule.todo, rule.counts) == ("moon_full", "", False)
    assert rule_of("disk_low") is RULES[Kind.DISK_LOW]


@given(st.text())
def test_texts_are_one_bounded_line(text: str):
    for clean, most in ((clean_subject(text), 128), (clean_detail(text), 1000)):
        assert len(clean) <= most
        assert len(clean.splitlines()) <= 1
        assert "\0" not in clean
        clean.encode()


def test_what_looks_like_a_credential_is_masked():
    assert "sk-abc" not in clean_detail("account x: sk-abcdefghijklmnop is refused")
    assert "hunter2" not in clean_subject("password=hunter2")


def test_a_wallet_has_one_name():
    assert of_wallet(7) == "wallet 7"
