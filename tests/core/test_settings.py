"""Settings come from a file, the environment and the command line, in that order of weight."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tollbridge.core.settings import (
    Settings,
    SettingsError,
    describe_settings,
    env_name,
    load_settings,
)

DEFAULTS = {
    "host": "127.0.0.1",
    "port": 8080,
    "database": "sqlite:///var/tollbridge.db",
    "redis_url": "",
    "workers": 1,
    "key_file": "",
    "keys": "",
    "log_level": "info",
    "sign_in_providers": (),
    "public_url": "",
    "log_format": "console",
    "max_head_bytes": 65536,
    "max_headers": 100,
    "head_timeout_s": 10,
    "body_progress_s": 30,
    "max_body_bytes": 33554432,
    "keep_alive_s": 75,
    "client_stall_s": 90,
    "connect_timeout_s": 10,
    "first_byte_timeout_s": 300,
    "idle_timeout_s": 120,
    "total_timeout_s": 1800,
    "upstream_pool_idle": 256,
    "upstream_keep_alive_s": 60,
    "max_reply_bytes": 67108864,
    "hold_floor_tokens": 4096,
    "hold_share": 4,
    "blob_tokens": 50000,
    "checkpoint_nano": 5_000_000,
    "checkpoint_s": 10,
    "writer_deadline_s": 2,
    "min_free_disk_bytes": 268435456,
    "reserve_file_bytes": 8388608,
    "drain_cap_s": 120,
    "settle_grace_s": 30,
    "finish_silence_s": 2,
    "heartbeat_s": 10,
    "shutdown_grace_s": 60,
    "max_attempts": 3,
    "public_prices": True,
    "retry_floor_per_s": 10,
    "park_accounts": True,
    "queue_wait_s": 8,
    "queue_user_calls": 64,
    "queue_line_calls": 256,
    "queue_bytes": 268435456,
    "slice_tokens": 2048,
    "node_beat_s": 5,
    "node_dead_s": 30,
    "work": True,
    "usage_keep_days": 0,
    "audit_every_s": 3600,
    "disk_alert_bytes": 1 << 30,
    "sink_url": "",
    "sink_table": "usage",
    "sink_batch_rows": 10_000,
    "sink_every_s": 10,
    "sink_alert_rows": 100_000,
    "low_balance_usd": "2.00",
    "alert_mail_to": "",
    "alert_webhook_url": "",
    "alert_webhook_secret": "",
    "mail_from": "tollbridge@localhost",
    "smtp_host": "",
    "smtp_port": 587,
    "smtp_security": "starttls",
    "smtp_user": "",
    "smtp_password": "",
    "mail_folder": "var/mail",
    "captcha_verify_url": "",
    "captcha_secret": "",
    "captcha_site_key": "",
    "captcha_script_url": "",
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(env_name(name), raising=False)


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "tollbridge.toml"
        path.write_text(text)
        return path

    return write


def refused(*args, **given):
    with pytest.raises(SettingsError) as caught:
        load_settings(*args, **given)
    return str(caught.value)


def test_defaults():
    assert load_settings().model_dump() == DEFAULTS


def test_the_command_line_wins_over_the_environment_over_the_file(write, monkeypatch):
    path = write('port = 1\nhost = "0.0.0.0"\nworkers = 1\n')
    assert load_settings(path).port == 1
    monkeypatch.setenv("TOLLBRIDGE_PORT", "2")
    settings = load_settings(path)
    assert (settings.port, settings.host) == (2, "0.0.0.0")
    assert load_settings(path, port=3).port == 3
    assert load_settings(path, port=None).port == 2
    monkeypatch.setenv("TOLLBRIDGE_PORT", "")
    assert load_settings(path).port == 1


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]


def test_unknown_keys_are_named_with_the_nearest(write):
    assert "unknown setting porst; did you mean port?" in refused(write("porst = 1"))
    assert "unknown setting zzzz; see serve --help-settings" in refused(write("zzzz = 1"))
    text = refused(write("[server]\nport = 1\n[hst]\n"))
    assert text.count("\n") == 1 and "did you mean host?" in text
    assert "the command line: unknown setting foo" in refused(foo=1)


def test_each_fault_has_a_line_that_says_where(write, monkeypatch):
    monkeypatch.setenv("TOLLBRIDGE_WORKERS", "many")
    path = write("max_headers = 0\n")
    lines = refused(path, port=70_000).splitlines()
    assert len(lines) == 3
    assert any(line.startswith("port (on the command line): ") for line in lines)
    assert any(line.startswith("workers (in TOLLBRIDGE_WORKERS): ") for line in lines)
    assert any(line.startswith(f"max_headers (in {path}): ") for line in lines)


def test_values_are_never_shown(write, monkeypatch):
    monkeypatch.setenv("TOLLBRIDGE_PORT", "CANARY")
    text = refused(write('database = "mysql://u:CANARY@h/d"\nredis_url = "CANARY"'))
    assert len(text.splitlines()) == 3
    assert "CANARY" not in text
    broken = refused(write('database = "CANARY" CANARY'))
    assert "is not TOML: at line 1" in broken
    assert "CANARY" not in broken
    monkeypatch.delenv("TOLLBRIDGE_PORT")
    kept = load_settings(redis_url="redis://:CANARY@h", keys="CANARY")
    assert "CANARY" not in repr(kept)
    with pytest.raises(ValidationError) as caught:
        Settings(port="CANARY")  # type: ignore[arg-type]
    assert "CANARY" not in str(caught.value)


def test_unreadable_files_are_sentences(tmp_path):
    assert "cannot be read: No such file" in refused(tmp_path / "none.toml")
    odd = tmp_path / "odd.toml"
    odd.write_bytes(b"\xff\xfe")
    assert "is not TOML: not UTF-8" in refused(odd)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", -1),
        ("port", 65536),
        ("workers", 0),
        ("max_head_bytes", 10),
        ("head_timeout_s", 0),
        ("idle_timeout_s", float("nan")),
        ("total_timeout_s", float("inf")),
        ("hold_share", 0),
        ("checkpoint_nano", 0),
        ("checkpoint_nano", 1.5),
        ("max_attempts", 0),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("database", "sqlite:///"),
        ("database", "sqlite:///:memory:"),
        ("database", "postgresql://"),
        ("redis_url", "http://x"),
    ],
)
def test_ranges(name, value):
    assert refused(**{name: value}).startswith(f"{name} (on the command line): ")


def test_the_key_file_stands_beside_the_database_s_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert load_settings().key_path == tmp_path / "keys" / "tollbridge.keys"
    bare = load_settings(database="sqlite:///tollbridge.db")
    assert bare.key_path == tmp_path.parent / "keys" / "tollbridge.keys"
    absolute = load_settings(database="sqlite:////srv/data/t.db")
    assert absolute.key_path == Path("/srv/keys/tollbridge.keys")
    assert absolute.sqlite_path == Path("/srv/data/t.db")
    assert load_settings(key_file="x/y").key_path == Path("x/y")
    assert load_settings(keys="{}").key_path is None


def test_postgresql_needs_its_keys(monkeypatch):
    url = "postgresql://user@host/db"
    assert "needs key_file" in refused(database=url)
    assert load_settings(database=url, key_file="k").sqlite_path is None
    monkeypatch.setenv("TOLLBRIDGE_KEYS", "{}")
    assert load_settings(database=url, workers=4).key_path is None


def test_keys_stay_out_of_the_file(write):
    assert "keys is read from TOLLBRIDGE_KEYS only" in refused(write('keys = "CANARY"'))


def test_sqlite_has_one_process():
    assert "need PostgreSQL" in refused(workers=2)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described(name):
    described = describe_settings()
    field = Settings.model_fields[name]
    assert field.description and field.description.endswith(".")
    assert field.description in described
    assert env_name(name) in described
    if name != "keys":
        assert f"{name}  ({env_name(name)})" in described


def test_figures_have_their_unit_in_the_name():
    plain = {"port", "smtp_port", "workers", "work", "max_headers", "upstream_pool_idle"}
    plain |= {"hold_share", "max_attempts", "park_accounts", "queue_user_calls", "queue_line_calls"}
    plain |= {"public_prices"}
    for name, default in DEFAULTS.items():
        if isinstance(default, int) and name not in plain:
            assert name.endswith(("_s", "_days", "_bytes", "_rows", "_tokens", "_nano"))


@pytest.mark.parametrize("name", ["usage; DROP", "1a", "a.b.c", "a b", "", "a\n"])
def test_a_table_is_a_name(name: str):
    assert load_settings(sink_table="house.usage_2").sink_table == "house.usage_2"
    assert "sink_table" in refused(sink_table=name)


@pytest.mark.parametrize(("days", "taken"), [("0", 0), ("32", 32), ("400", 400)])
def test_calls_are_kept_for_ever_or_for_a_month_at_least(monkeypatch, days: str, taken: int):
    monkeypatch.setenv("TOLLBRIDGE_USAGE_KEEP_DAYS", days)
    assert load_settings().usage_keep_days == taken


@pytest.mark.parametrize("days", ["1", "31", "-1"])
def test_calls_are_never_kept_for_less(monkeypatch, days: str):
    monkeypatch.setenv("TOLLBRIDGE_USAGE_KEEP_DAYS", days)
    with pytest.raises(SettingsError, match="usage_keep_days"):
        load_settings()
