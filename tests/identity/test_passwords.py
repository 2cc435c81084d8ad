"""Proof of password hashes: argon2id, salted, and no exception for what is not one."""

import pytest

from tollbridge.identity.passwords import hash_password, password_matches


def test_a_hash_matches_its_password_alone():
    stored = hash_password("correct horse")
    assert stored.startswith("$argon2id$")
    assert "correct" not in stored
    assert password_matches(stored, "correct horse")
    assert not password_matches(stored, "correct horse ")
    assert hash_password("correct horse") != stored


@pytest.mark.parametrize("stored", ["", "junk", "$argon2id$junk"])
def test_a_damaged_hash_matches_nothing(stored: str):
    assert not password_matches(stored, "")
