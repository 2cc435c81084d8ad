"""Proof of the groups' factors: read exactly, kept while unnamed, gone where they are 1."""

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.catalog.file import FileError, parse_file
from tollbridge.catalog.groups import match_groups, read_groups
from tollbridge.catalog.loader import change_version, load_snapshot
from tollbridge.core.money import Multiplier
from tollbridge.core.secrets import Secrets
from tollbridge.storage.tables import user_groups
from tollbridge.storage.unit_of_work import reading, writing


def group(name: str, factor: str | None = None) -> str:
    said = "" if factor is None else f'factor = "{factor}"\n'
    return f'[[group]]\nname = "{name}"\n{said}'


async def match(engine: AsyncEngine, text: str, *, prune: bool = False) -> list[str]:
    plan = parse_file(text, {})
    async with writing(engine) as connection:
        return await match_groups(connection, plan.groups, prune=prune)


async def stored(engine: AsyncEngine) -> dict[str, Multiplier]:
    async with reading(engine) as connection:
        return await read_groups(connection)


def test_a_factor_is_exact_and_one_when_not_said():
    plans = parse_file(group("vip", "0.125") + group("plain"), {}).groups
    assert [(plan.line, plan.name, plan.factor) for plan in plans] == [
        (1, "vip", Multiplier(1, 8)),
        (4, "plain", Multiplier(1, 1)),
    ]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("[[group]]\nfactor = '1'", 1, "a group needs name"),
        ('[[group]]\nname = ""', 2, "name must not be empty"),
        ("[[group]]\nname = 5", 2, "name must be a string"),
        (group("x" * 65), 2, "at most 64 characters"),
        ('[[group]]\nname = "vip"\nfactor = 0.9', 3, "factor must be a decimal string"),
        (group("vip", "0"), 3, "above 0 and at most 5"),
        (group("vip", "5.1"), 3, "above 0 and at most 5"),
        (group("vip", "0.9999"), 3, "three decimals"),
        ('[[group]]\nname = "vip"\nfaktor = "1"', 3, "did you mean factor?"),
        (group("vip", "1") + group("vip", "2"), 4, "group vip is named twice, first on line 1"),
        ('[group]\nname = "vip"', 1, "group"),
    ],
)
def test_faults_are_named(text: str, line: int, reason: str):
    with pytest.raises(FileError) as caught:
        parse_file(text, {})
    assert caught.value.line == line
    assert reason in caught.value.reason


async def test_a_factor_comes_changes_and_goes(engine: AsyncEngine):
    assert await match(engine, group("vip", "0.9") + group("plain")) == ["~ group vip: factor 0.9"]
    assert await stored(engine) == {"vip": Multiplier(9, 10)}
    assert await match(engine, group("vip", "0.90")) == []
    assert await match(engine, group("vip", "1.25")) == ["~ group vip: factor 1.25"]
    assert await stored(engine) == {"vip": Multiplier(5, 4)}
    assert await match(engine, group("vip", "1")) == ["~ group vip: factor 1.0"]
    async with reading(engine) as connection:
        assert (await connection.execute(select(user_groups))).all() == []


async def test_who_is_not_named_keeps_a_factor_unless_pruned(engine: AsyncEngine):
    await match(engine, group("vip", "0.9") + group("slow", "2"))
    assert await match(engine, group("slow", "3")) == ["~ group slow: factor 3.0"]
    assert set(await stored(engine)) == {"vip", "slow"}
    assert await match(engine, group("slow", "3"), prune=True) == ["~ group vip: factor 1.0"]
    assert await stored(engine) == {"slow": Multiplier(3, 1)}


async def test_running_gateways_hear_of_it(engine: AsyncEngine, secrets: Secrets):
    async with reading(engine) as connection:
        before = await change_version(connection)
    await match(engine, group("vip", "0.9"))
    view = await load_snapshot(engine, secrets)
    assert view.version > before
    assert dict(view.groups) == {"vip": Multiplier(9, 10)}
    await match(engine, group("vip", "1"))
    last = await load_snapshot(engine, secrets)
    assert (last.version > view.version, dict(last.groups)) == (True, {})
