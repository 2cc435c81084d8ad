"""Proof of what doctor finds around the database: rights, disk, address."""

from pathlib import Path

import pytest

from tests.services.gateway import running
from tollbridge.cli.doctor_around import local, services
from tollbridge.cli.doctor_line import Level, Line
from tollbridge.core.own_secrets import open_secrets
from tollbridge.core.settings import Settings


def settings_of(folder: Path, **values: object) -> Settings:
    (folder / "data").mkdir(exist_ok=True)
    return Settings(database=f"sqlite:///{folder}/data/t.db", **values)


def found(lines: list[Line], what: str) -> Line:
    (line,) = [line for line in lines if line.what == what]
    return line


def test_a_key_file_that_others_may_read_is_bad(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert found(list(local(settings)), "keys").level is Level.BAD
    open_secrets(settings)
    assert found(list(local(settings)), "keys").level is Level.OK
    assert settings.key_path is not None
    settings.key_path.chmod(0o644)
    line = found(list(local(settings)), "keys")
    assert line.level is Level.BAD and "chmod 600" in line.text


def test_a_disk_that_is_nearly_full_is_told(tmp_path: Path) -> None:
    huge = 1 << 50
    for values, level in (
        ({"min_free_disk_bytes": huge}, Level.BAD),
        ({"disk_alert_bytes": huge, "min_free_disk_bytes": 0}, Level.WARN),
        ({"disk_alert_bytes": 0, "min_free_disk_bytes": 0}, Level.OK),
    ):
        assert found(list(local(settings_of(tmp_path, **values))), "disk").level is level


@pytest.mark.parametrize("url", ["http://ai.example.com", "http://127.0.0.1:1"])
async def test_an_address_in_the_clear_or_that_nobody_answers_at(tmp_path: Path, url: str) -> None:
    lines = await services(settings_of(tmp_path, public_url=url))
    assert found(lines, "public_url").level is Level.WARN


async def test_the_address_of_a_server_that_runs(tmp_path: Path) -> None:
    async with running(tmp_path) as (gateway, fake):
        lines = await services(settings_of(tmp_path, public_url=gateway.url))
        assert found(lines, "public_url") == Line(Level.OK, "public_url", f"{gateway.url} answers")
        del fake
