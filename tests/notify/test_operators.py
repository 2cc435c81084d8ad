"""Proof that operators are told what the rows say: once each, in the same transaction."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.notify.waiting import claimed, subjects
from tollbridge.core.settings import SettingsError, load_settings
from tollbridge.notify.kinds import Kind
from tollbridge.notify.mail import Mail
from tollbridge.notify.operators import Operators, headline, text
from tollbridge.storage.alerts import TELL_AGAIN_MS, Alert, State, list_alerts
from tollbridge.storage.engine import open_engine
from tollbridge.storage.unit_of_work import working

T = 1_767_225_600_000
MINUTE = 60_000
BOTH = Operators(("a@example.test", "b@example.test"), webhook=True)
MAIL = Operators(("a@example.test",))


async def raised(engine: AsyncEngine, at_ms: int, operators: Operators = MAIL, count: int = 1):
    async with working(engine) as connection:
        await operators.raise_alert(
            connection, Kind.POOL_EMPTY, "acme", "no account is active", at_ms, count=count
        )


async def test_each_is_told_on_each_way(engine: AsyncEngine):
    await raised(engine, T, BOTH)
    jobs = await claimed(engine)
    assert [job.payload["to"] for job in jobs if job.kind == "mail"] == [
        "a@example.test",
        "b@example.test",
    ]
    mail = jobs[0].payload
    assert mail["subject"] == "[tollbridge] Channel without an account to try: acme"
    assert "no account is active" in mail["text"]
    assert "It came up once since 2026-01-01 00:00:00 UTC." in mail["text"]
    assert "Calls on this channel are refused." in mail["text"]
    body = json.loads(jobs[2].payload["body"])
    assert jobs[2].payload["event"] == body["event"] == "alert.opened"
    data = body["data"]
    assert (data["kind"], data["subject"], data["count"]) == ("pool_empty", "acme", 1)
    assert len({job.payload["id"] for job in jobs}) == 3


async def test_repeats_are_told_once_an_hour_whoever_raises_them(engine: AsyncEngine):
    url = engine.url.render_as_string(hide_password=False)
    await raised(engine, T)
    assert len(await subjects(engine)) == 1
    for minute in range(1, 60):
        await raised(engine, T + minute * MINUTE, Operators(("a@example.test",)))
    # A process that begins now knows what was told from the rows alone.
    other = open_engine(url)
    try:
        await raised(other, T + TELL_AGAIN_MS - 1, count=40)
        assert await subjects(other) == []
        await raised(other, T + TELL_AGAIN_MS)
    finally:
        await other.dispose()
    (job,) = await claimed(engine)
    assert job.payload["subject"].startswith("[tollbridge] still: Channel without")
    assert "It came up 101 times since 2026-01-01 00:00:00 UTC." in job.payload["text"]


async def test_the_end_is_told_once(engine: AsyncEngine):
    await raised(engine, T)
    await claimed(engine)
    for _ in range(2):
        async with working(engine) as connection:
            await MAIL.close_alert(connection, Kind.POOL_EMPTY, "acme", T + 1)
    (job,) = await claimed(engine)
    assert job.payload["subject"].startswith("[tollbridge] over: ")
    assert "Calls on this channel are refused" not in job.payload["text"]


async def test_the_sweep_tells_the_rest_and_closes_the_quiet(engine: AsyncEngine):
    async with working(engine) as connection:
        await MAIL.raise_alert(connection, Kind.OPERATOR_LOSS, "wallet 7", "$0.10", T)
        await MAIL.raise_alert(connection, Kind.OPERATOR_LOSS, "wallet 7", "$0.20", T + 1, count=4)
        await MAIL.raise_alert(connection, Kind.DISK_LOW, "database", "1 byte", T)
    await raised(engine, T)
    await claimed(engine)

    async def swept(at_ms: int) -> list[str]:
        async with working(engine) as connection:
            await MAIL.sweep(connection, at_ms)
        return await subjects(engine)

    assert await swept(T + 15 * MINUTE) == []
    assert await swept(T + 15 * MINUTE + 1) == [
        "[tollbridge] over: Channel without an account to try: acme"
    ]
    assert await swept(T + 60 * MINUTE) == [
        "[tollbridge] still: Cost that no wallet covered: wallet 7"
    ]
    assert await swept(T + 61 * MINUTE) == []
    assert await swept(T + 24 * 60 * MINUTE + 2) == [
        "[tollbridge] over: Cost that no wallet covered: wallet 7"
    ]
    async with working(engine) as connection:
        # What a check found only a check closes.
        assert [row.kind for row in await list_alerts(connection)] == ["disk_low"]


async def test_others_of_a_kind_are_over(engine: AsyncEngine):
    async with working(engine) as connection:
        for kind in ("mail", "webhook"):
            await MAIL.raise_alert(connection, Kind.DEAD_JOBS, kind, "1 given up", T)
        await MAIL.close_others(connection, Kind.DEAD_JOBS, {"mail"}, T + 1)
    assert (await subjects(engine))[2:] == ["[tollbridge] over: Jobs were given up: webhook"]


async def test_nothing_is_told_of_what_was_rolled_back(engine: AsyncEngine):
    async with working(engine) as connection:
        await BOTH.raise_alert(connection, Kind.DISK_LOW, "database", "", T)
        await connection.rollback()
    assert await claimed(engine) == []


async def test_an_alert_of_a_newer_version_is_told_too(engine: AsyncEngine):
    async with working(engine) as connection:
        for at_ms in (T, T + 1):
            await MAIL.raise_alert(connection, "moon_full", "moon", "", at_ms)  # type: ignore[arg-type]
        await MAIL.sweep(connection, T + TELL_AGAIN_MS)
    assert (await subjects(engine))[1] == "[tollbridge] still: moon_full: moon"


async def test_without_addresses_only_the_log_is_told(engine: AsyncEngine, capsys):
    await raised(engine, T, Operators())
    assert await claimed(engine) == []
    assert "alert_opened" in capsys.readouterr().out


@given(
    state=st.sampled_from(State),
    kind=st.sampled_from([*Kind, "other"]),
    subject=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=128),
)
def test_every_headline_is_the_subject_of_a_mail(state: State, kind: str, subject: str):
    row = Alert(1, kind, subject, "detail", T, T + 1, 2, T, T + 2)
    Mail("a@example.test", headline(state, row), text(state, row))


def test_settings_name_the_operators():
    named = Operators.of(load_settings(alert_mail_to="a@b.c,d@e.f", alert_webhook_url="http://x/"))
    assert (named._mail_to, named._webhook) == (("a@b.c", "d@e.f"), True)
    with pytest.raises(SettingsError, match="alert_mail_to"):
        Operators.of(load_settings(alert_mail_to="nobody"))
