"""Aliases of one person are one address, whatever is typed; rules say who may sign up."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollbridge.identity.addresses import Rules, folded, is_tagged, refusal
from tollbridge.notify.mail import is_address

LOCAL = st.text("ab.+-_", min_size=1, max_size=12)
DOMAIN = st.sampled_from(["example.com", "gmail.com", "googlemail.com", "mail.gmail.com"])
ADDRESS = st.builds("{}@{}".format, LOCAL, DOMAIN)


@pytest.mark.parametrize(
    ("email", "base"),
    [
        ("Ann@Example.com", "ann@example.com"),
        (" ann+news@example.com ", "ann@example.com"),
        ("ann+a+b@example.com", "ann@example.com"),
        ("a.nn@example.com", "a.nn@example.com"),
        ("a.n.n+x@gmail.com", "ann@gmail.com"),
        ("A.nn@GoogleMail.com", "ann@gmail.com"),
        ("a.nn@mail.gmail.com", "a.nn@mail.gmail.com"),
        ("+ann@example.com", "+ann@example.com"),
        ("...@gmail.com", "...@gmail.com"),
        ('"a@b"@example.com', '"a@b"@example.com'),
    ],
)
def test_the_folded_form_is_that_of_the_person(email: str, base: str) -> None:
    assert folded(email) == base


@given(ADDRESS)
def test_folding_twice_changes_nothing_and_leaves_an_address(email: str) -> None:
    assert folded(folded(email)) == folded(email)
    assert is_address(folded(email))


@given(ADDRESS, st.text("xyz+.", max_size=8))
def test_a_tag_never_makes_another_person(email: str, tag: str) -> None:
    local, _, domain = email.rpartition("@")
    assert folded(f"{local}+{tag}@{domain}") == folded(email) or local.startswith("+")


@example(".+_", "gmail.com", 0)
@given(LOCAL, st.sampled_from(["gmail.com", "googlemail.com"]), st.integers(0, 12))
def test_dots_and_the_second_name_never_make_another_person_at_gmail(
    local: str, domain: str, place: int
) -> None:
    dotted = f"{local[:place]}.{local[place:]}"
    # A local part of nothing but dots has nothing to fold to.
    if dotted.partition("+")[0].strip(".") and local.partition("+")[0].strip("."):
        assert folded(f"{dotted}@{domain}") == folded(f"{local}@gmail.com")


@given(ADDRESS, ADDRESS)
def test_addresses_of_other_domains_are_other_people(one: str, other: str) -> None:
    gmail = {"gmail.com", "googlemail.com"}
    domains = {one.rpartition("@")[2], other.rpartition("@")[2]}
    if len(domains) == 2 and domains != gmail:
        assert folded(one) != folded(other)


@pytest.mark.parametrize(
    ("email", "tagged"),
    [("a+b@c.de", True), ("a+@c.de", True), ("+a@c.de", False), ("a@c+d.de", False)],
)
def test_a_tag_is_told_by_the_form(email: str, tagged: bool) -> None:
    assert is_tagged(email) is tagged


@pytest.mark.parametrize(
    ("email", "why"),
    [
        ("ann@good.example", None),
        ("ann@GOOD.example", None),
        ("ann@sub.good.example", "domain"),
        ("ann@other.example", "domain"),
    ],
)
def test_only_allowed_domains_where_there_are_any(email: str, why: str | None) -> None:
    assert refusal(email, Rules(["good.example"], [], "fold")) == why


@pytest.mark.parametrize(
    ("email", "why"),
    [
        ("ann@bad.example", "domain"),
        ("ann@Sub.Bad.example", "domain"),
        ("ann@notbad.example", None),
        ("ann@good.example", None),
    ],
)
def test_a_blocked_domain_blocks_those_below_it(email: str, why: str | None) -> None:
    assert refusal(email, Rules([], ["bad.example"], "fold")) == why


def test_blocked_counts_more_than_allowed() -> None:
    assert refusal("ann@b.example", Rules(["b.example"], ["b.example"], "fold")) == "domain"


@pytest.mark.parametrize(
    ("rule", "why", "folds"),
    [("fold", None, True), ("refuse", "alias", True), ("allow", None, False)],
)
def test_the_rule_of_aliases(rule: str, why: str | None, folds: bool) -> None:
    rules = Rules([], [], rule)
    assert refusal("ann+x@example.com", rules) == why
    assert refusal("a.nn@gmail.com", rules) is None
    assert rules.folds is folds
