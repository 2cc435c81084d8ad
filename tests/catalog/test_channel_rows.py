"""Proof that channels and accounts match their plans and that secrets are sealed to their rows."""

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.catalog.sample import CHANNEL, ENVIRON, SITE
from tollbridge.catalog.channel_rows import channel_names, match_channels, open_sealed
from tollbridge.catalog.file import parse_file
from tollbridge.catalog.plan import ChannelPlan
from tollbridge.catalog.token_rows import keep_token, read_token
from tollbridge.core.secrets import Secrets, SecretsError
from tollbridge.storage.tables import accounts, channels
from tollbridge.storage.unit_of_work import writing


def plans(text: str = CHANNEL) -> tuple[ChannelPlan, ...]:
    return parse_file(SITE + text, ENVIRON).channels


async def match(
    connection, secrets: Secrets, text: str = CHANNEL, *, prune: bool = False
) -> list[str]:
    return await match_channels(connection, secrets, plans(text), at_ms=1, prune=prune)


async def test_a_second_run_changes_nothing(engine: AsyncEngine, secrets: Secrets):
    async with writing(engine) as connection:
        lines = await match(connection, secrets)
        assert lines == ["+ channel main", "+ account main/primary", "+ account main/second"]
        assert await match(connection, secrets, prune=True) == []
        assert list(await channel_names(connection)) == ["main"]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"0.15"', '"0.2"', "~ channel main: multiplier_den, multiplier_num"),
        ("me:hush", "me:other", "~ channel main: proxy"),
        ("upstream-key", "new-key", "~ account main/primary: secret"),
        ("rpm = 600\ntpm = 2000000", "tpm = 3", "~ channel main: rpm, tpm"),
        ("concurrency = 4\n", "", "~ account main/primary: concurrency"),
        ("weight = 10", 'weight = 10\nmapping = {"a" = "b"}', "~ account main/primary: mapping"),
        ("rpm = 600", "rpm = 600\nrequires_telegram = true", "~ channel main: requires_telegram"),
        ("rpm = 600", 'rpm = 600\nmapping = {"a" = "b"}', "~ channel main: mapping"),
        ('cost = "0.5"', 'headers = {x-a = "b"}\ncost = "0.5"', "~ account main/primary: headers"),
        (
            'cost = "0.5"',
            'params = {a = 1}\nparams_drop = ["b"]\ncost = "0.5"',
            "~ account main/primary: params, params_drop",
        ),
        ("compatible = true", "", "~ account main/primary: compatible, stops_on_abort"),
    ],
)
async def test_lines_name_columns_and_no_secret(
    engine: AsyncEngine, secrets: Secrets, old: str, new: str, line: str
):
    async with writing(engine) as connection:
        await match(connection, secrets)
        assert await match(connection, secrets, CHANNEL.replace(old, new)) == [line]


async def test_secrets_are_sealed_and_bound_to_their_row(engine: AsyncEngine, secrets: Secrets):
    async with writing(engine) as connection:
        await match(connection, secrets)
        first, second = (
            await connection.execute(select(accounts).order_by(accounts.c.name))
        ).mappings()
        channel = (await connection.execute(select(channels))).mappings().one()
    assert open_sealed(secrets, "account", first, "secret") == "upstream-key"
    assert open_sealed(secrets, "account", second, "proxy") == "socks5://192.0.2.7:1080"
    assert open_sealed(secrets, "account", first, "proxy") == ""
    assert "hush" not in channel["proxy"]
    secrets.open(first["secret"], f"account:{first['id']}:secret")
    with pytest.raises(SecretsError):
        secrets.open(first["secret"], f"account:{second['id']}:secret")


async def test_headers_are_sealed_too(engine: AsyncEngine, secrets: Secrets):
    text = CHANNEL.replace("weight = 10", 'weight = 10\nheaders = {X-Pass = "hush hush"}')
    async with writing(engine) as connection:
        await match(connection, secrets, text)
        query = select(accounts).where(accounts.c.name == "primary")
        row = (await connection.execute(query)).mappings().one()
        assert await match(connection, secrets, text) == []
        assert await match(connection, secrets) == ["~ account main/primary: headers"]
    assert open_sealed(secrets, "account", row, "headers") == '{"x-pass":"hush hush"}'
    assert "hush" not in row["headers"]


async def test_a_secret_of_a_lost_key_file_is_sealed_anew(engine: AsyncEngine, secrets: Secrets):
    other = Secrets(b"q" * 32, {"k2": b"x" * 32}, "k2")
    async with writing(engine) as connection:
        await match(connection, other)
        assert await match(connection, secrets) == [
            "~ channel main: proxy",
            "~ account main/primary: secret",
            "~ account main/second: proxy, secret",
        ]
        assert await match(connection, secrets) == []


async def test_pruning_switches_off_and_naming_switches_on(engine: AsyncEngine, secrets: Secrets):
    second = CHANNEL[CHANNEL.rindex("[[channel.account]]") :]
    third = CHANNEL.replace('"main"', '"third"')
    async with writing(engine) as connection:
        await match(connection, secrets, CHANNEL + third)
        assert await match(connection, secrets, CHANNEL.replace(second, "")) == []
        pruned = await match(connection, secrets, CHANNEL.replace(second, ""), prune=True)
        assert pruned == ["- account main/second: switched off", "- channel third: switched off"]
        assert await match(connection, secrets, prune=True) == ["~ account main/second: enabled"]
        await connection.execute(update(channels).values(enabled=False))
        assert await match(connection, secrets) == ["~ channel main: enabled"]


SIGN_IN = """secret = "upstream-key"
"""
OAUTH = """oauth = {token_url = "https://vendor.example/t", refresh_token = "refresh-0"}
"""


async def test_an_account_changes_from_a_key_to_signing_in_and_back(
    engine: AsyncEngine, secrets: Secrets
):
    signs_in = CHANNEL.replace(SIGN_IN, OAUTH)
    async with writing(engine) as connection:
        await match(connection, secrets)
        every = ["client_id", "scope", "style", "client_secret", "refresh_token", "token_url"]
        assert await match(connection, secrets, signs_in) == [
            "~ account main/primary: auth, secret",
            f"~ account main/primary: {', '.join(f'oauth.{name}' for name in sorted(every))}",
        ]
        assert await match(connection, secrets, signs_in) == []
        row = await read_token(connection, secrets, await primary(connection))
        assert row is not None
        kept = await keep_token(connection, secrets, row, access="a", refresh="r", expires_ms=9)
        assert kept
        assert await match(connection, secrets, signs_in) == []
        assert await refresh_of(connection, secrets) == "r"
        # What was rotated for one host or way is not for another.
        moved = signs_in.replace("127.0.0.1:9000", "127.0.0.1:9001")
        assert await match(connection, secrets, moved) == [
            "~ account main/primary: base_url",
            "~ account main/primary: oauth.refresh_token",
        ]
        assert await refresh_of(connection, secrets) == "refresh-0"
        assert await match(connection, secrets) == [
            "~ account main/primary: auth, base_url, secret"
        ]
        assert await refresh_of(connection, secrets) is None


async def test_a_new_account_that_signs_in_is_one_line(engine: AsyncEngine, secrets: Secrets):
    async with writing(engine) as connection:
        lines = await match(connection, secrets, CHANNEL.replace(SIGN_IN, OAUTH))
        assert lines == ["+ channel main", "+ account main/primary", "+ account main/second"]
        assert await refresh_of(connection, secrets) == "refresh-0"


async def primary(connection) -> int:
    query = select(accounts.c.id).where(accounts.c.name == "primary")
    number: int = (await connection.execute(query)).scalar_one()
    return number


async def refresh_of(connection, secrets: Secrets) -> str | None:
    row = await read_token(connection, secrets, await primary(connection))
    return row.refresh if row is not None else None
