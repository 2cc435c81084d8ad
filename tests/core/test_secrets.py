"""The key file, hashes of keys, sealed credentials and minted keys."""

import base64
import hashlib
import hmac
import json
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.secrets import Secrets, SecretsError, last6, load_or_create, looks_minted

PEPPER = bytes(range(32))
KEYS = {"k1": b"1" * 32, "k2": b"2" * 32}
SECRETS = Secrets(PEPPER, KEYS, "k1")
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
any_text = st.text(st.characters(exclude_categories=()))


def encoded(data):
    return base64.b64encode(data).decode()


def key_file_text(**changes):
    table = {
        "pepper": encoded(PEPPER),
        "encryption_keys": {name: encoded(key) for name, key in KEYS.items()},
        "current_key_id": "k1",
    }
    return json.dumps(table | changes)


def test_a_mark_is_keyed_and_its_domain_keeps_it_from_being_anything_else():
    assert SECRETS.mark("a", "b") == hmac.digest(PEPPER, b"a\0b", "sha256")
    assert Secrets(b"x" * 32, KEYS, "k1").mark("a", "b") != SECRETS.mark("a", "b")
    marks = {SECRETS.mark(*words) for words in (("a", "b"), ("ab", ""), ("b", "a"), ("", "ab"))}
    assert len(marks | {SECRETS.key_hash("ab")}) == 5


def test_key_hash_is_hmac_sha256_under_the_pepper():
    expected = hmac.new(PEPPER, b"sk-abc", hashlib.sha256).digest()
    assert SECRETS.key_hash("sk-abc") == expected
    other = Secrets(bytes(32), KEYS, "k1")
    assert other.key_hash("sk-abc") != expected


@given(any_text, any_text)
def test_any_text_hashes_and_texts_differ(one, other):
    assert (SECRETS.key_hash(one) == SECRETS.key_hash(other)) == (one == other)


@given(any_text, any_text)
def test_sealed_values_open_for_their_row_alone(plaintext, row):
    sealed = SECRETS.seal(plaintext, row)
    assert sealed.isascii()
    assert SECRETS.open(sealed, row) == plaintext
    with pytest.raises(SecretsError, match="another row"):
        SECRETS.open(sealed, row + "x")
    assert SECRETS.seal(plaintext, row) != sealed


@given(st.data())
def test_a_changed_value_does_not_open(data):
    sealed = SECRETS.seal("upstream-secret", "account:1:secret")
    index = data.draw(st.integers(0, len(sealed) - 1))
    letter = data.draw(st.sampled_from(BASE62 + "-_.=é"))
    changed = sealed[:index] + letter + sealed[index + 1 :]
    if changed == sealed:
        return
    with pytest.raises(SecretsError):
        SECRETS.open(changed, "account:1:secret")


@pytest.mark.parametrize("sealed", ["", "tb1", "tb1.k1", "tb1.k1.", "tb1.k1.AAAA", "tb2.k1.AAAA"])
def test_junk_does_not_open(sealed):
    with pytest.raises(SecretsError, match="account:1"):
        SECRETS.open(sealed, "account:1:secret")


def test_old_keys_still_open_and_unknown_ones_are_named_as_missing():
    sealed = SECRETS.seal("x", "row")
    rotated = Secrets(PEPPER, KEYS, "k2")
    assert rotated.open(sealed, "row") == "x"
    assert rotated.seal("x", "row").startswith("tb1.k2.")
    without = Secrets(PEPPER, {"k2": KEYS["k2"]}, "k2")
    with pytest.raises(SecretsError, match="sealed with a key that the file lacks"):
        without.open(sealed, "row")


def test_a_key_id_cannot_be_swapped():
    same = Secrets(PEPPER, {"a": b"1" * 32, "b": b"1" * 32}, "a")
    swapped = same.seal("x", "row").replace("tb1.a.", "tb1.b.")
    with pytest.raises(SecretsError):
        same.open(swapped, "row")


def test_minted_keys_carry_a_tag_of_this_server():
    seen = {SECRETS.mint_key() for _ in range(50)}
    assert len(seen) == 50
    for key in seen:
        assert key.startswith("sk-tb-") and len(key) == 52
        assert set(key[6:]) <= set(BASE62)
        assert looks_minted(key)
        assert SECRETS.check_tag_ok(key)
        assert not Secrets(bytes(32), KEYS, "k1").check_tag_ok(key)


@given(st.integers(0, 51), st.sampled_from(BASE62 + "é\ud800"))
def test_a_mistyped_key_fails_its_tag(index, letter):
    key = SECRETS.mint_key()
    changed = key[:index] + letter + key[index + 1 :]
    assert SECRETS.check_tag_ok(changed) == (changed == key)


@pytest.mark.parametrize("text", ["", "sk-tb-", "sk-" + "a" * 49, "sk-tb-" + "a" * 45])
def test_other_keys_do_not_look_minted(text):
    assert not looks_minted(text)
    assert not SECRETS.check_tag_ok(text)


def test_last6():
    assert last6(SECRETS.mint_key()[:-6] + "abcdef") == "abcdef"


def test_repr_shows_ids_alone():
    assert repr(SECRETS) == "Secrets(key_ids=['k1', 'k2'], current='k1')"


def test_a_key_file_is_made_once_and_private(tmp_path):
    path = tmp_path / "keys" / "tollbridge.keys"
    first = load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]
    before = path.read_bytes()
    second = load_or_create(path, may_create=False)
    assert path.read_bytes() == before
    assert second.open(first.seal("x", "r"), "r") == "x"
    assert second.key_hash("k") == first.key_hash("k")
    assert load_or_create(tmp_path / "other").key_hash("k") != first.key_hash("k")


def test_starting_twice_at_once_gives_one_file(tmp_path):
    path = tmp_path / "tollbridge.keys"
    gate = threading.Barrier(8)
    hashes = []

    def start():
        gate.wait()
        hashes.append(load_or_create(path).key_hash("k"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hashes) == 8
    assert len(set(hashes)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_not_made_when_data_depends_on_it(tmp_path):
    path = tmp_path / "tollbridge.keys"
    with pytest.raises(SecretsError, match="is missing; put it back"):
        load_or_create(path, may_create=False)
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_an_open_file_is_refused(tmp_path, mode):
    path = tmp_path / "tollbridge.keys"
    load_or_create(path)
    path.chmod(mode)
    with pytest.raises(SecretsError, match="open to other users; run: chmod 600"):
        load_or_create(path)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(SecretsError, match="not a regular file"):
        load_or_create(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(SecretsError, match="not a regular file"):
        load_or_create(pipe)
    (tmp_path / "plain").touch()
    with pytest.raises(SecretsError, match="cannot be"):
        load_or_create(tmp_path / "plain" / "keys")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "must be an object with"),
        ("{}", "must be an object with"),
        (key_file_text(pepper="CANARY!"), "the pepper is not base64"),
        (key_file_text(pepper=5), "the pepper is not base64"),
        (key_file_text(pepper=encoded(b"short")), "at least 32 bytes"),
        (key_file_text(encryption_keys=[]), "must be an object"),
        (key_file_text(encryption_keys={"k1": "CANARY!"}), "not base64"),
        (key_file_text(encryption_keys={"k1": encoded(b"1" * 31)}), "must have 32 bytes"),
        (key_file_text(encryption_keys={"k.1": encoded(b"1" * 32)}), "a key id has"),
        (key_file_text(current_key_id="k9"), "names no encryption key"),
        (key_file_text(current_key_id=None), "current_key_id a text"),
        (key_file_text(extra=1), "must be an object with"),
    ],
)
def test_a_damaged_file_is_a_sentence(tmp_path, text, reason):
    path = tmp_path / "tollbridge.keys"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SecretsError, match=reason) as caught:
        load_or_create(path)
    assert "CANARY" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_keys_from_the_environment():
    parsed = Secrets.parse(key_file_text())
    assert parsed.open(SECRETS.seal("x", "r"), "r") == "x"
    assert parsed.key_hash("k") == SECRETS.key_hash("k")
