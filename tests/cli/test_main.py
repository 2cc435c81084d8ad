"""Proof of the command line: helps, exit statuses, and one sentence for whatever is wrong."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.services.gateway import KEY, catalogue
from tollbridge import __version__
from tollbridge.cli import main
from tollbridge.core.settings import Settings, env_name

COMMANDS = (
    ("serve",),
    ("demo",),
    ("apply",),
    ("migrate",),
    ("ledger",),
    ("ledger", "verify"),
    ("jobs",),
    ("jobs", "list"),
    ("jobs", "revive"),
    ("worker",),
    ("backup",),
    ("restore",),
    ("secrets",),
    ("secrets", "list"),
    ("secrets", "rotate"),
)


class Shell:
    """Runs commands on a database in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "data" / "t.db"
        self.url = f"sqlite:///{self.database}"

    def run(self, *words: str, database: bool = True, **environ: str) -> Result:
        given = ("--database", self.url) if database else ()
        return CliRunner().invoke(main, [*words, *given], env=environ)

    def fails(self, *words: str, **options) -> str:
        """Return the one sentence of a command that must fail."""
        done = self.run(*words, **options)
        assert done.exit_code == 1, done.output
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        return done.stderr.removeprefix("tollbridge: ").rstrip("\n")

    def succeeds(self, *words: str) -> list[str]:
        done = self.run(*words)
        assert (done.exit_code, done.stderr) == (0, ""), done.output
        return done.stdout.splitlines()

    def file(self, text: str | bytes, name: str = "config.toml") -> str:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    def rows(self, query: str) -> list[tuple]:
        with contextlib.closing(sqlite3.connect(self.database)) as connection, connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


@pytest.mark.parametrize("command", [(), *COMMANDS], ids=" ".join)
def test_every_command_explains_itself(shell, command):
    done = shell.run(*command, "--help", database=False)
    assert done.exit_code == 0
    assert done.stdout.startswith("Usage: ")
    assert len(done.stdout.splitlines()) > 3


def test_the_help_lists_every_command(shell):
    listed = shell.run("--help", database=False).stdout
    assert all(f"\n  {command[0]} " in listed for command in COMMANDS)


def test_the_version_is_the_packages(shell):
    assert __version__ in shell.run("--version", database=False).stdout


def test_a_command_that_does_not_exist_is_told(shell):
    done = shell.run("serv", database=False)
    assert done.exit_code == 2
    assert "No such command 'serv'" in done.stderr


def test_every_setting_is_explained(shell):
    done = shell.run("serve", "--help-settings", database=False)
    assert done.exit_code == 0
    for name, field in Settings.model_fields.items():
        assert env_name(name) in done.stdout
        assert field.description in done.stdout


@pytest.mark.parametrize("command", [("serve",), ("migrate",), ("ledger", "verify")])
def test_an_unknown_setting_is_named_with_the_one_that_was_meant(shell, command):
    config = shell.file("prot = 1\n")
    said = shell.fails(*command, "--config", config)
    assert said == f"{config}: unknown setting prot; did you mean port?"


def test_a_settings_file_that_is_not_there_or_no_toml(shell):
    assert shell.fails("serve", "--config", "none.toml") == (
        "none.toml: cannot be read: No such file or directory"
    )
    assert "is not TOML: at line 1" in shell.fails("serve", "--config", shell.file("port =\nhost"))


def test_a_setting_out_of_range_names_where_it_stands(shell):
    assert shell.fails("serve", "--port", "99999").startswith("port (on the command line): ")
    said = shell.fails("serve", TOLLBRIDGE_PORT="CANARY")
    assert said.startswith("port (in TOLLBRIDGE_PORT): ")
    assert "CANARY" not in said
    assert "workers above 1 need PostgreSQL" in shell.fails("serve", "--workers", "2")


@pytest.mark.parametrize("command", [("serve",), ("migrate",), ("ledger", "verify")])
@pytest.mark.parametrize(
    "url", ["mysql://me:CANARY@host/db", "t.db", "sqlite://t.db", "sqlite:///"]
)
def test_a_wrong_database_url_says_what_to_write(shell, command, url):
    said = shell.fails(*command, "--database", url, database=False)
    assert said == (
        "database (on the command line): must be sqlite:///path/to.db or postgresql://user@host/db"
    )


def test_serving_from_postgresql_needs_its_keys(shell):
    url = "postgresql://me@127.0.0.1:9/db"
    said = shell.fails("serve", "--database", url, database=False, TOLLBRIDGE_KEY_FILE="keys")
    assert "the key file keys is missing" in said
    assert "PostgreSQL needs key_file" in shell.fails("serve", "--database", url, database=False)


def test_a_database_that_cannot_be_reached_is_a_sentence(shell):
    url = "postgresql://me:CANARY@127.0.0.1:9/db"
    environ = {"TOLLBRIDGE_KEY_FILE": str(shell.folder / "keys")}
    for command in (("migrate",), ("ledger", "verify"), ("apply", shell.file("[site]\n"))):
        said = shell.fails(*command, "--database", url, database=False, **environ)
        assert said.startswith("the database cannot be used: ")
        assert "CANARY" not in said


def test_a_file_that_is_no_database_is_a_sentence(shell):
    shell.database.parent.mkdir()
    shell.database.write_bytes(b"no database")
    for command in (("migrate",), ("ledger", "verify"), ("apply", shell.file("[site]\n"))):
        assert shell.fails(*command) == "the database cannot be used: file is not a database"


def test_migrating_makes_the_database_and_repeats_without_harm(shell):
    assert shell.succeeds("migrate") == ["the schema is current"]
    assert shell.succeeds("migrate") == ["the schema is current"]
    assert shell.rows("SELECT count(*) FROM purse") == [(0,)]


def test_the_books_of_no_database_are_not_right(shell):
    assert shell.fails("ledger", "verify") == f"there is no database {shell.database}"
    assert not shell.database.exists()


def test_the_books_of_another_schema_are_not_judged(shell):
    shell.database.parent.mkdir()
    shell.database.touch()
    assert "run tollbridge migrate" in shell.fails("ledger", "verify")


def test_apply_makes_what_the_file_names_and_then_finds_nothing_to_do(shell):
    file = shell.file(catalogue("http://127.0.0.1:9", credit="5.00"))
    report = shell.succeeds("apply", file)
    assert "+ channel main" in report
    assert shell.rows("SELECT available, held FROM purse") == [(5_000_000_000, 0)]
    assert not any(line.startswith(("+", "~")) for line in shell.succeeds("apply", file))
    assert shell.rows("SELECT actor, action FROM audit_log") == [("shell", "file.apply")]
    assert shell.succeeds("ledger", "verify")[-1] == "the books are right"


def test_a_dry_run_says_the_same_and_changes_nothing(shell):
    file = shell.file(catalogue("http://127.0.0.1:9"))
    dry = shell.succeeds("apply", file, "--dry-run")
    assert shell.rows("SELECT count(*) FROM channels") == [(0,)]
    assert shell.rows("SELECT count(*) FROM purse") == [(0,)]
    assert [line for line in shell.succeeds("apply", file) if line[0] in "+~"] == [
        line for line in dry if line[0] in "+~"
    ]


def test_a_key_without_a_secret_is_minted_and_shown_once(shell):
    text = catalogue("http://127.0.0.1:9").replace(f'secret = "{KEY}"\n', "")
    file = shell.file(text)
    shown = [line for line in shell.succeeds("apply", file) if "shown once" in line]
    assert len(shown) == 1
    assert shown[0].startswith("key key of user@example.com (shown once): sk-")
    assert not any("shown once" in line for line in shell.succeeds("apply", file))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (('output = "10.00"', 'output = "ten"'), "output"),
        (('platform = "openai"', 'platform = "closedai"'), "platform"),
        (("max_output = 32768", "max_ouput = 32768"), "max_ouput"),
        (('input = "2.50"', 'input = "0.0000000001"'), "input"),
    ],
)
def test_a_wrong_file_changes_nothing_and_names_line_and_reason(shell, change, reason):
    text = catalogue("http://127.0.0.1:9").replace(*change)
    line = 1 + text[: text.index(change[1])].count("\n")
    said = shell.fails("apply", shell.file(text))
    assert f"line {line}" in said
    assert reason in said
    assert shell.rows("SELECT count(*) FROM channels") == [(0,)]


def test_a_file_that_cannot_be_read_is_a_sentence(shell):
    assert shell.fails("apply", shell.file("a = [")).startswith("line 1")
    latin = shell.file(b'a = "\xe4"', "latin.toml")
    assert shell.fails("apply", latin) == f"{latin}: is not UTF-8"
    done = shell.run("apply", "none.toml")
    assert (done.exit_code, "does not exist" in done.stderr) == (2, True)


def test_pruning_switches_off_what_the_file_does_not_name(shell):
    shell.succeeds("apply", shell.file(catalogue("http://127.0.0.1:9")))
    bare = shell.file("[site]\n")
    shell.succeeds("apply", bare)
    assert shell.rows("SELECT enabled FROM channels") == [(1,)]
    shell.succeeds("apply", bare, "--prune")
    assert shell.rows("SELECT enabled FROM channels") == [(0,)]


def test_a_catalogue_sealed_with_other_keys_is_refused(shell):
    file = shell.file(catalogue("http://127.0.0.1:9"))
    shell.succeeds("apply", file)
    (shell.folder / "keys" / "tollbridge.keys").unlink()
    assert "sealed with a key that the file lacks" in shell.fails("serve", "--port", "0")


def test_books_that_are_broken_are_told_and_exit_1(shell):
    shell.succeeds("apply", shell.file(catalogue("http://127.0.0.1:9")))
    shell.rows("UPDATE purse SET available = available + 1")
    done = shell.run("ledger", "verify")
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.startswith("BROKEN I1")
    assert "the books are right" not in done.stdout


def test_the_demonstration_needs_a_port_that_is_one(shell):
    done = shell.run("demo", "--port", "eighty", database=False, DEMO_ONCE="1")
    assert (done.exit_code, "'eighty' is not a valid integer" in done.stderr) == (2, True)
