"""Proof that a file is applied whole or not at all, once, and says what it did."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.catalog.sample import ENVIRON, SITE, USER, WHOLE
from tollbridge.api.apply import NOTHING, Report, apply
from tollbridge.catalog.file import FileError
from tollbridge.catalog.loader import load_snapshot
from tollbridge.core.secrets import Secrets
from tollbridge.identity.audit import SHELL, Wanted, lines
from tollbridge.storage.metadata import metadata
from tollbridge.storage.tables import channels, site
from tollbridge.storage.unit_of_work import reading

EMPTY = {"change": [(1, 1)], "ledger": [(1, 1)]}


async def everything(engine: AsyncEngine) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table that has any."""
    async with reading(engine) as connection:
        found = {
            name: [tuple(row) for row in await connection.execute(select(table))]
            for name, table in metadata.tables.items()
        }
    return {name: sorted(rows, key=repr) for name, rows in found.items() if rows}


async def run(engine: AsyncEngine, secrets: Secrets, text: str = WHOLE, **how: Any) -> Report:
    return await apply(engine, secrets, text, environ=ENVIRON, **how)


async def test_a_file_is_applied_and_reported(engine: AsyncEngine, secrets: Secrets):
    report = await run(engine, secrets)
    assert report.changed
    assert report.lines == [
        "~ site: error_profile",
        "~ site: trusted_proxies",
        "~ site: allow_private_upstreams",
        "+ model gpt-5.4",
        "+ channel main",
        "+ account main/primary",
        "+ account main/second",
        "+ user Demo@example.com, $5.00 granted",
        "+ key Demo@example.com/demo",
        "+ key Demo@example.com/other",
    ]
    assert [(user, key) for user, key, _ in report.minted] == [("Demo@example.com", "other")]
    assert secrets.check_tag_ok(report.minted[0][2])
    assert len(report.notes) == 1
    assert "o9-*" in report.notes[0]
    assert (await load_snapshot(engine, secrets)).version == 2


async def test_what_a_file_changed_is_in_the_audit_log_without_secrets(
    engine: AsyncEngine, secrets: Secrets
):
    await run(engine, secrets, dry_run=True, by=SHELL)
    report = await run(engine, secrets, by=SHELL)
    await run(engine, secrets, by=SHELL)
    async with reading(engine) as connection:
        [line] = await lines(connection, Wanted(action="file.apply"))
    assert (line["actor"], line["via"], line["subject"]) == ("shell", "shell", "configuration")
    assert json.loads(line["detail"]) == {"changes": "\n".join(report.lines), "prune": False}
    assert not any(secret in line["detail"] for secret in (*ENVIRON.values(), report.minted[0][2]))


async def test_a_second_run_changes_nothing_at_all(engine: AsyncEngine, secrets: Secrets):
    await run(engine, secrets)
    before = await everything(engine)
    for prune in (False, True):
        report = await run(engine, secrets, prune=prune)
        assert (report.lines, report.changed, report.minted) == ([NOTHING], False, [])
    assert await everything(engine) == before


async def test_a_dry_run_says_the_same_and_keeps_nothing(engine: AsyncEngine, secrets: Secrets):
    dry = await run(engine, secrets, dry_run=True)
    assert await everything(engine) == EMPTY
    assert dry.minted == []
    assert dry.lines == (await run(engine, secrets)).lines


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[model]]\n" + WHOLE, "line 1: "),
        (WHOLE.replace('channel = "main"', 'channel = "nowhere"'), "line 66: channel nowhere"),
        (
            SITE
            + USER.replace('channel = "main"\n', "").replace(
                "sk-0123456789abcdef0123456789abcdef", "sk-tb-" + "A" * 46
            ),
            "line 15: the secret of key demo was made by another installation",
        ),
        ("a = ", "line 1: not valid TOML"),
    ],
)
async def test_a_wrong_file_changes_nothing(
    engine: AsyncEngine, secrets: Secrets, text: str, reason: str
):
    with pytest.raises(FileError, match=f"^{reason}"):
        await run(engine, secrets, text)
    assert await everything(engine) == EMPTY


async def test_what_only_the_database_reveals_changes_nothing_either(
    engine: AsyncEngine, secrets: Secrets
):
    await run(engine, secrets)
    before = await everything(engine)
    stolen = '[site]\n[[user]]\nemail = "thief@example.com"\n[[user.key]]\nname = "mine"\n'
    with pytest.raises(FileError, match="line 4: the secret of key mine is another key's"):
        await run(engine, secrets, stolen + 'secret = "sk-0123456789abcdef0123456789abcdef"')
    assert await everything(engine) == before


async def test_what_a_file_does_not_name_stays(engine: AsyncEngine, secrets: Secrets):
    await run(engine, secrets)
    report = await run(engine, secrets, '[[user]]\nemail = "new@example.com"')
    assert report.lines == ["+ user new@example.com"]
    view = await load_snapshot(engine, secrets)
    assert view.channels_by_name["main"].enabled
    assert set(view.models) == {"gpt-5.4"}


async def test_pruning_switches_off_and_deletes_nothing(engine: AsyncEngine, secrets: Secrets):
    await run(engine, secrets)
    before = {name: len(rows) for name, rows in (await everything(engine)).items()}
    less = '[[user]]\nemail = "demo@example.com"\nrole = "admin"\ngroup = "vip"\n'
    less += "rpm = 300\ntpm = 1000000\nconcurrency = 32\n"
    report = await run(engine, secrets, less, prune=True)
    assert report.lines == [
        "- model gpt-5.4: switched off",
        "- channel main: switched off",
        "- key demo@example.com/demo: switched off",
        "- key demo@example.com/other: switched off",
    ]
    assert {name: len(rows) for name, rows in (await everything(engine)).items()} == before


async def test_two_at_the_same_time_make_each_thing_once(engine: AsyncEngine, secrets: Secrets):
    reports = await asyncio.gather(run(engine, secrets), run(engine, secrets))
    assert sorted(report.changed for report in reports) == [False, True]
    async with reading(engine) as connection:
        count = select(func.count()).select_from(channels)
        assert (await connection.execute(count)).scalar_one() == 1
        assert len((await connection.execute(select(site))).all()) == 3


async def test_no_secret_is_stored_in_the_clear(engine: AsyncEngine, secrets: Secrets):
    report = await run(engine, secrets)
    stored = repr(await everything(engine))
    canaries = ["upstream-key", "from-the-environment", "hush", "long enough", "sk-0123456789"]
    for canary in (*canaries, report.minted[0][2][:-6]):
        assert canary not in stored
        assert canary not in repr(report)


@pytest.mark.parametrize(
    ("begins", "notes"), [("2026-01-01T00:00:00Z", 0), ("2099-01-01T00:00:00Z", 1)]
)
async def test_a_price_counts_when_it_has_begun(
    engine: AsyncEngine, secrets: Secrets, begins: str, notes: int
):
    text = WHOLE.replace('"o9-*"', '"later"') + (
        '[[model]]\nname = "later"\ncontext = 1000\nmax_output = 100\n'
        f'[[model.price]]\nfrom = {begins}\ninput = "1.00"\noutput = "2.00"\n'
    )
    for _ in range(2):
        assert len((await run(engine, secrets, text)).notes) == notes
