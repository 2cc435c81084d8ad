"""Sites to sign in with are read from the file or the variable, and what is wrong is said without values."""

import json
from pathlib import Path

import pytest

from tollbridge.core.settings import SettingsError, load_settings

VARIABLE = "TOLLBRIDGE_SIGN_IN_PROVIDERS"
OWN = {
    "name": "own",
    "kind": "oidc",
    "issuer": "https://login.example.com",
    "client_id": "console",
    "client_secret": "VERY-SECRET",
}
FILE = """
[[sign_in_providers]]
name = "own"
kind = "oidc"
title = "Own login"
issuer = "https://login.example.com/realm"
client_id = "console"
client_secret = "VERY-SECRET"
scopes = ["openid", "email"]
allowed_domains = ["example.com"]

[[sign_in_providers]]
name = "github"
kind = "github"
client_id = "abc"
client_secret = "VERY-SECRET"
"""


def test_the_file_names_them_in_order(tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    file.write_text(FILE)
    settings = load_settings(file)
    own, github = settings.sign_in_providers
    assert (own.name, own.shown, own.allowed_domains) == ("own", "Own login", ("example.com",))
    assert (github.shown, github.issuer) == ("github", "")
    assert "VERY-SECRET" not in f"{settings!r}{own!r}{settings.sign_in_providers}"


def test_the_variable_is_json_and_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "t.toml"
    file.write_text(FILE)
    monkeypatch.setenv(VARIABLE, json.dumps([OWN]))
    assert [one.client_id for one in load_settings(file).sign_in_providers] == ["console"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "saml"}, "0.kind"),
        ({"name": "Own/../x"}, "0.name"),
        ({"issuer": "http://login.example.com"}, "issuer: must be like"),
        ({"issuer": "ftp://127.0.0.1"}, "issuer: must be like"),
        ({"issuer": "https://VERY-SECRET@login.example.com"}, "neither user"),
        ({"client_id": ""}, "0.client_id"),
        ({"oops": "VERY-SECRET"}, "0.oops"),
        ({"kind": "github", "client_secret": ""}, "GitHub needs one"),
    ],
)
def test_what_is_wrong_is_said_and_never_its_value(
    wrong: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, json.dumps([{**OWN, **wrong}]))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    text = str(caught.value)
    assert said in text and VARIABLE in text
    assert "VERY-SECRET" not in text


@pytest.mark.parametrize("text", ["VERY-SECRET", "[", '{"a": 1', '"VERY-SECRET"'])
def test_what_is_no_list_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert VARIABLE in str(caught.value) and "VERY-SECRET" not in str(caught.value)


def test_two_of_a_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, json.dumps([OWN, OWN]))
    with pytest.raises(SettingsError, match="name of its own"):
        load_settings()
