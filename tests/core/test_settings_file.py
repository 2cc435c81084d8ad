"""Proof of reading a settings file: what is unknown or misplaced is said with its origin, no value."""

import pytest

from tollbridge.core.settings_file import SettingsError, env_name, read_file, refuse_unknown

KNOWN = ["port", "keys", "host"]


def test_a_file_is_what_it_sets(tmp_path):
    file = tmp_path / "t.toml"
    file.write_text('port = 1\nhost = "h"\n')
    assert read_file(file, KNOWN, {"keys"}) == {"port": 1, "host": "h"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('prot = "CANARY"', "unknown setting prot; did you mean port?"),
        ('elsewhere = "CANARY"', "unknown setting elsewhere; see serve --help-settings"),
        ('keys = "CANARY"', "keys is read from TOLLBRIDGE_KEYS only, never from a file"),
        ('port = "CANARY', "is not TOML"),
    ],
)
def test_faults_are_sentences_without_values(tmp_path, text, said):
    file = tmp_path / "t.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_file(file, KNOWN, {"keys"})
    assert said in str(caught.value) and str(file) in str(caught.value)
    assert "CANARY" not in str(caught.value)


def test_every_unknown_name_is_said():
    with pytest.raises(SettingsError) as caught:
        refuse_unknown({"a": 1, "port": 2, "b": 3}, "the command line", KNOWN)
    assert str(caught.value).count("\n") == 1
    assert env_name("port") == "TOLLBRIDGE_PORT"
