"""Proof with a real process: without a mail server, `serve` on SQLite shows a letter's link in its log."""

import asyncio
import time
from email import message_from_bytes, policy
from pathlib import Path

from tests.services.gateway import running
from tollbridge.notify.letters import letter
from tollbridge.notify.outbox import post_mail
from tollbridge.storage.engine import open_engine
from tollbridge.storage.unit_of_work import working

TO = "ann@example.test"


async def _post(database: Path, url: str) -> None:
    engine = open_engine(f"sqlite:///{database}")
    try:
        async with working(engine) as connection:
            await post_mail(connection, letter("verify", None, TO, "Bridge", url=url, hours=24))
    finally:
        await engine.dispose()


async def _written(log: Path) -> str:
    """Return the log when it tells of a mail."""
    deadline = time.monotonic() + 30
    while "mail_written" not in (text := log.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, text[-2000:]
        await asyncio.sleep(0.05)
    return text


async def test_the_link_is_in_the_log_and_the_letter_in_the_folder(tmp_path: Path):
    folder = tmp_path / "mail"
    environ = {"TOLLBRIDGE_MAIL_FOLDER": str(folder), "TOLLBRIDGE_LOG_FORMAT": "console"}
    async with running(tmp_path, environ=environ) as (gateway, _):
        link = f"{gateway.url}/verify?token=abcdefABCDEF-0123456789_0123456789"
        await _post(gateway.database, link)
        told = await _written(gateway.log)
    [line] = [one for one in told.splitlines() if "mail_written" in one]
    assert link in line
    [file] = folder.iterdir()
    assert str(file) in line
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().count(link) == 2


async def test_another_site_s_link_is_not(tmp_path: Path):
    environ = {
        "TOLLBRIDGE_MAIL_FOLDER": str(tmp_path / "mail"),
        "TOLLBRIDGE_PUBLIC_URL": "https://ai.example.com",
    }
    async with running(tmp_path, environ=environ) as (gateway, _):
        await _post(gateway.database, f"{gateway.url}/verify?token=abcdefABCDEF0123456789")
        told = await _written(gateway.log)
    assert "abcdefABCDEF" not in told
