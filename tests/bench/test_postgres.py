"""The server to measure on is durable, and is gone in the end."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from bench.postgres import Postgres, PostgresMissing, program_folder


def _installed(folder: Path, *programs: str) -> Path:
    folder.mkdir(parents=True)
    for name in programs:
        (folder / name).touch()
    return folder


def test_the_newest_version_that_is_whole_is_taken(tmp_path: Path) -> None:
    _installed(tmp_path / "9.6/bin", "initdb", "postgres")
    newest = _installed(tmp_path / "15/bin", "initdb", "postgres")
    _installed(tmp_path / "16/bin", "postgres")
    assert program_folder(tmp_path) == newest


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PostgresMissing, match="initdb and postgres"):
        program_folder(tmp_path)


async def _settings(url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        names = ("fsync", "synchronous_commit", "full_page_writes", "data_directory")
        return {name: await connection.fetchval(f"SHOW {name}") for name in names}
    finally:
        await connection.close()


@pytest.mark.usefixtures("postgres_server")
def test_a_server_is_durable_measured_and_ended() -> None:
    # Not pytest's own folder: for a run as root no other user could pass through it.
    with TemporaryDirectory() as folder:
        server = Postgres(Path(folder), None)
        try:
            found = asyncio.run(_settings(server.database("two words")))
            data = Path(found.pop("data_directory"))
            assert set(found.values()) == {"on"}
            assert data.is_relative_to(folder)
            assert server.child.cpu_ns() > 0
            assert len(server.child.rss_mb()) > 1
            assert server.version[0].isdigit()
        finally:
            server.stop()
        assert server.child.process.returncode == 0
