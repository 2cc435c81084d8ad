"""Identities are plain text of bounded length, and an address that is none counts as not told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.identity.external_identity import (
    ProviderFailed,
    as_object,
    identity_of,
    is_true,
)


@pytest.mark.parametrize("subject", [None, 5, "", "x" * 256, "a\nb", "ä", ["x"]])
def test_a_subject_that_is_none_is_a_fault(subject: Any) -> None:
    with pytest.raises(ProviderFailed):
        identity_of("own", subject, "a@example.com", verified=True)


@given(st.text(max_size=300) | st.none() | st.integers() | st.lists(st.text()))
def test_no_address_is_never_a_verified_one(email: Any) -> None:
    identity = identity_of("own", "x", email, verified=True)
    assert identity.verified == bool(identity.email)
    if identity.email:
        assert identity.email.count("@") == 1 and identity.email.isprintable()
        assert len(identity.email) <= 254 and identity.domain == identity.domain.lower()


def test_yes_is_true_or_its_name() -> None:
    assert [is_true(claim) for claim in (True, "true", 1, "True", "yes", None)] == [
        *(True, True),
        *(False, False, False, False),
    ]


def test_an_object_is_an_object() -> None:
    assert as_object({"a": 1}) == {"a": 1}
    for other in ([], None, "x", 5):
        with pytest.raises(ProviderFailed):
            as_object(other)
