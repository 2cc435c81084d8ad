"""Proof of password hashes: argon2id, salted, and no exception for what is not one."""

import pytest
from argon2 import PasswordHasher

from tollbridge.identity.passwords import hash_password, password_matches, password_outdated


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


def test_a_hash_of_other_parameters_is_outdated():
    assert not password_outdated(hash_password("correct horse"))
    assert password_outdated(PasswordHasher(time_cost=1, memory_cost=1024).hash("correct horse"))
    assert password_outdated("junk")
