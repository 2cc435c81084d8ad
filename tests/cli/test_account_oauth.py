"""The twin of cli/account_oauth.py: a refresh token comes by a file or standard input, and only so."""

import subprocess
import sys

import pytest

from tests.services.gateway import Gateway, catalogue

URL = "http://127.0.0.1:9/token"


@pytest.fixture
def gateway(tmp_path):
    gateway = Gateway(tmp_path)
    gateway.apply(catalogue("http://127.0.0.1:9"))
    return gateway


def oauth(gateway, *words, name="main/one", typed=""):
    return subprocess.run(
        [
            *(sys.executable, "-m", "tollbridge.cli", "account", "oauth", name),
            *("--token-url", URL, *words, "--database", f"sqlite:///{gateway.database}"),
        ],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_from_standard_input_and_from_files(gateway, tmp_path):
    done = oauth(gateway, "--client-id", "me", typed="refresh-CANARY\n")
    assert (done.returncode, done.stdout) == (
        0,
        "~ account main/one: token_url, client_id, scope, style, client_secret, refresh_token\n",
    )
    # The same again; then by files.
    assert "nothing to change" in oauth(gateway, "--client-id", "me", typed="refresh-CANARY").stdout
    (tmp_path / "token").write_text("refresh-CANARY-2\n")
    (tmp_path / "secret").write_text("secret-CANARY\n")
    done = oauth(
        gateway,
        *("--client-id", "me", "--refresh-token-file", str(tmp_path / "token")),
        *("--client-secret-file", str(tmp_path / "secret")),
    )
    assert done.stdout == "~ account main/one: client_secret, refresh_token\n"
    [row] = gateway.rows("SELECT * FROM account_tokens")
    [account] = gateway.rows("SELECT * FROM accounts")
    assert (row["client_id"], row["token_url"], account["auth"]) == ("me", URL, "oauth")
    assert "CANARY" not in repr((row, done))
    # What the file says counts again.
    assert "~ account main/one: auth" in gateway.apply(catalogue("http://127.0.0.1:9"))
    assert gateway.rows("SELECT * FROM account_tokens") == []


@pytest.mark.parametrize(
    ("words", "values", "reason"),
    [
        ((), {"typed": ""}, "oauth needs a refresh_token"),
        ((), {"name": "main/two"}, "there is no account main/two"),
        ((), {"name": "main"}, "an account is named CHANNEL/ACCOUNT"),
        (("--token-url", "http://169.254.1.1/"), {}, "link-local addresses are never dialled"),
        (("--token-url", "x"), {}, "token_url: the scheme must be http or https"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(gateway, words, values, reason):
    done = oauth(gateway, *words, **{"typed": "CANARY", **values})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("tollbridge: ") and reason in done.stderr
    assert "CANARY" not in done.stderr
    assert gateway.rows("SELECT * FROM account_tokens") == []
