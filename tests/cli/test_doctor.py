"""Proof of `tollbridge doctor`: a line for each thing, no secret in any, and an exit code to go by."""

import asyncio

from click.testing import CliRunner

from tests.services.control_plane import database_url
from tollbridge.cli import main
from tollbridge.core.own_secrets import open_secrets
from tollbridge.core.settings import load_settings
from tollbridge.storage.migrate import migrate

__all__ = ["database_url"]
CANARY = "cn4ry-s3cret"


def run(url, **environ):
    done = CliRunner().invoke(main, ["doctor", "--database", url], env=environ)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    lines = {}
    for line in done.stdout.splitlines():
        level, _, rest = line.partition(" ")
        what, _, text = rest.strip().partition(": ")
        lines[what] = (level, text)
    return done.exit_code, lines, done.output


def test_an_installation_with_an_admin_is_well_enough(database_url, tmp_path):
    keys = str(tmp_path / "keys" / "tollbridge.keys")
    environ = {"TOLLBRIDGE_KEY_FILE": keys, "TOLLBRIDGE_SMTP_PASSWORD": CANARY}
    asyncio.run(migrate(database_url))
    open_secrets(load_settings(database=database_url, key_file=keys))
    code, lines, _ = run(database_url, **environ)
    assert (code, lines["admin"][0]) == (1, "bad")
    words = ["admin", "create", "op@example.com", "--password-stdin", "--database", database_url]
    made = CliRunner().invoke(main, words, input="a long enough password", env=environ)
    assert made.exit_code == 0, made.output
    code, lines, text = run(database_url, **environ)
    assert code == 0, text
    assert {level for level, _ in lines.values()} == {"ok", "warn"}
    for what in ("python", "keys", "database", "clock", "schema", "secrets", "admin", "jobs"):
        assert lines[what][0] == "ok", text
    for what in ("mail", "public_url", "backup", "channels"):
        assert lines[what][0] == "warn", text
    assert CANARY not in text


def test_a_backup_is_known_of_afterwards(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path}/data/t.db"
    asyncio.run(migrate(url))
    open_secrets(load_settings(database=url))
    assert run(url)[1]["backup"][0] == "warn"
    done = CliRunner().invoke(main, ["backup", str(tmp_path / "b"), "--database", url])
    assert done.exit_code == 0, done.output
    assert run(url)[1]["backup"][0] == "ok"


def test_what_is_not_there_is_bad(tmp_path):
    code, lines, _ = run(f"sqlite:///{tmp_path}/data/t.db")
    assert code == 1
    assert {what for what, (level, _) in lines.items() if level == "bad"} == {
        "keys", "folder", "database",
    }  # fmt: skip


def test_servers_that_are_away_are_bad_and_their_passwords_untold(tmp_path):
    code, lines, text = run(
        f"sqlite:///{tmp_path}/t.db",
        TOLLBRIDGE_REDIS_URL=f"redis://:{CANARY}@127.0.0.1:1/0",
        TOLLBRIDGE_SMTP_HOST="127.0.0.1",
        TOLLBRIDGE_SMTP_PORT="1",
        TOLLBRIDGE_SMTP_PASSWORD=CANARY,
    )
    assert (code, lines["redis"][0], lines["mail"][0]) == (1, "bad", "bad")
    assert CANARY not in text


def test_a_postgresql_that_is_away_is_one_bad_line(tmp_path):
    keys = str(tmp_path / "keys")
    url = f"postgresql://u:{CANARY}@127.0.0.1:1/x"
    code, lines, text = run(url, TOLLBRIDGE_KEY_FILE=keys)
    assert code == 1 and lines["database"][0] == "bad"
    assert CANARY not in text
