"""What is certain of deploy/compose without running it, and that the reader misses nothing."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy import composed
from tests.deploy.composed import NotUnderstood
from tests.deploy.conftest import COMPOSE, ROOT, prepare
from tollbridge.core.secrets import Secrets
from tollbridge.core.settings import Settings

SITE = {"SITE_ADDRESS": "api.example.com"}
OURS = {"migrate", "gateway-1", "gateway-2", "worker"}


@pytest.fixture(scope="module")
def services():
    return composed.load(COMPOSE / "compose.yaml", SITE)


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = (COMPOSE / "compose.yaml").read_text()
    assert old in text
    file = tmp_path / "compose.yaml"
    file.write_text(text.replace(old, new, 1))
    return file


def test_services_start_in_order(services):
    order = list(services)
    assert set(order) == OURS | {"postgres", "valkey", "caddy"}
    for early, late in [("postgres", "migrate"), ("migrate", "gateway-1"), ("gateway-2", "caddy")]:
        assert order.index(early) < order.index(late)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    shm_size: 256m", "    shm_sizes: 256m"),
        ("    shm_size: 256m", "    privileged: true"),
        ("      - postgres:/var", "      - other:/var"),
        ("./valkey.conf:/etc/valkey/valkey.conf:ro", "./valkey.conf:/etc/valkey/valkey.conf:z"),
        ("condition: service_healthy", "condition: service_started"),
        ("[CMD, valkey-cli", "[CMD-SHELL, valkey-cli"),
        ("stop_grace_period: 100s", "stop_grace_period: 1m"),
        ("command: [worker]", "command: worker"),
        ('TOLLBRIDGE_WORK: "false"', "TOLLBRIDGE_WORK: false"),
        ("${SITE_ADDRESS:?", "${SITE_ADDRESS?"),
        ("networks:\n  # No way", "configs: {}\nnetworks:\n  # No way"),
        ("    depends_on:\n      postgres:", "    depends_on:\n      caddy:"),
    ],
)
def test_what_the_reader_does_not_know_is_an_error(tmp_path: Path, old: str, new: str):
    with pytest.raises(NotUnderstood):
        composed.load(changed(tmp_path, old, new), SITE)


def test_the_site_has_to_be_named():
    with pytest.raises(NotUnderstood, match="SITE_ADDRESS is not set"):
        composed.load(COMPOSE / "compose.yaml", {})


def test_every_service_is_fenced_in(services):
    for service in services.values():
        raw = service.raw
        assert raw["read_only"] is True and raw["cap_drop"] == ["ALL"], service.name
        assert raw["security_opt"] == ["no-new-privileges:true"], service.name
        assert not raw["user"].startswith(("0", "root")), service.name
        assert raw["logging"]["options"]["max-size"], service.name
        assert raw["restart"] == ("no" if service.name == "migrate" else "unless-stopped")
        assert service.name == "migrate" or raw["deploy"]["resources"]["limits"]["memory"]
        assert (":" in service.image) and not service.image.split("/")[0].count(".")
        assert service.name == "caddy" or "ports" not in raw


def test_who_talks_to_whom_shares_a_network(services):
    for one, other in [("gateway-1", "postgres"), ("gateway-2", "valkey"), ("worker", "postgres"),
                       ("migrate", "postgres"), ("caddy", "gateway-1"), ("caddy", "gateway-2")]:  # fmt: skip
        assert services[one].networks & services[other].networks, (one, other)
    assert not services["caddy"].networks & services["postgres"].networks


def test_our_settings_exist_and_are_accepted(services, monkeypatch: pytest.MonkeyPatch):
    known = {f"TOLLBRIDGE_{name.upper()}" for name in Settings.model_fields}
    for name in OURS:
        given = services[name].environment
        assert {key for key in given if key.startswith("TOLLBRIDGE_")} <= known
        with monkeypatch.context() as patch:
            for variable in [key for key in os.environ if key.startswith("TOLLBRIDGE_")]:
                patch.delenv(variable)
            for variable, value in given.items():
                patch.setenv(variable, value)
            assert Settings().work is (not name.startswith("gateway"))


def test_there_is_time_for_calls_to_end(services):
    grace_s = int(Settings.model_fields["shutdown_grace_s"].default)
    text = (COMPOSE / "Caddyfile").read_text()
    [proxy_s] = map(int, re.findall(r"grace_period (\d+)s", text))
    assert services["gateway-1"].grace_s >= grace_s + 35
    assert grace_s < proxy_s < services["caddy"].grace_s
    [keep_s] = map(int, re.findall(r"\bkeepalive (\d+)s", text))
    assert keep_s < Settings.model_fields["keep_alive_s"].default
    [body] = map(int, re.findall(r"max_size (\d+)MB", text))
    assert body * 1_000_000 > Settings.model_fields["max_body_bytes"].default


def test_connections_suffice(services):
    [most] = [
        int(word.partition("=")[2])
        for word in services["postgres"].command
        if word.startswith("--max_connections=")
    ]
    assert most >= 18 * (len(OURS) + 1) + 15


def test_the_example_names_every_variable():
    named = set(re.findall(r"^#?([A-Z_]+)=", (COMPOSE / ".env.example").read_text(), re.MULTILINE))
    used = set(re.findall(r"\$\{(\w+)", (COMPOSE / "compose.yaml").read_text()))
    assert named == used


def test_the_program_of_the_image_is_what_the_dockerfile_says():
    text = (ROOT / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["tollbridge"]' in text and "--uid 10001" in text
    entry = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["x-tollbridge"]
    assert (COMPOSE / entry["build"]).resolve() == ROOT


def test_secrets_are_made_once_and_are_private(tmp_path: Path):
    (tmp_path / "prepare.sh").write_bytes((COMPOSE / "prepare.sh").read_bytes())
    (tmp_path / "prepare.sh").chmod(0o755)
    prepare(tmp_path)
    secrets = tmp_path / "secrets"
    first = {path.name: path.read_text() for path in secrets.iterdir()}
    assert set(first) == {"tollbridge.keys", "pgpass", "postgres_password"}
    assert Secrets.parse(first["tollbridge.keys"]).current_key_id == "first"
    assert first["pgpass"] == f"postgres:5432:tollbridge:tollbridge:{first['postgres_password']}\n"
    assert re.fullmatch(r"[\w-]{32}", first["postgres_password"])
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    for name in ("tollbridge.keys", "pgpass"):
        assert stat.S_IMODE((secrets / name).stat().st_mode) == 0o600
    prepare(tmp_path)
    assert {path.name: path.read_text() for path in secrets.iterdir()} == first


def test_secrets_and_state_are_no_part_of_the_project():
    for name in ("secrets/tollbridge.keys", "state/caddy/x", ".env", "tollbridge.env"):
        ignored = subprocess.run(
            ["git", "check-ignore", "-q", f"deploy/compose/{name}"], cwd=ROOT, check=False
        )
        assert ignored.returncode == 0, name
