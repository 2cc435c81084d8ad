"""Owns `tollbridge account …`: how the accounts are, and what an operator does about it.

Every command goes to the database, where running gateways notice it within a second; none of them
needs one to run. An account is named CHANNEL/ACCOUNT.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, ask, existing, saying_what_is_wrong, stop

_NAME = click.argument("name", metavar="CHANNEL/ACCOUNT")


@click.group()
def account() -> None:
    """Accounts at vendors: list, recover, test, disable, enable."""


@account.command("list")
@click.option("--channel", metavar="CHANNEL", help="Only this channel's.")
@CONFIG
@DATABASE
def list_accounts(channel: str | None, config: Path | None, database: str | None) -> None:
    """Show each account's state, and what any gateway holds against it."""
    rows, troubles = ask(config, database, lambda engine: _accounts(engine, channel))
    for row in rows:
        reason = f": {row['disabled_reason']}" if row["disabled_reason"] else ""
        click.echo(f"{row['channel']}/{row['name']} {row['state']}{reason}")
        for one in troubles.get(row["id"], ()):
            of = f" for {one.model}" if one.model else ""
            click.echo(
                f"  {one.trouble}{of} until {_time(one.until_ms)}: {one.reason} ({one.node})"
            )
    if not rows:
        click.echo("there are no accounts")


@account.command()
@_NAME
@CONFIG
@DATABASE
def recover(name: str, config: Path | None, database: str | None) -> None:
    """Forget all that is held against an account, in every gateway."""
    from tollbridge.storage import account_states

    _change(name, config, database, account_states.recover)
    click.echo(f"nothing is held against {name} any more")


@account.command()
@_NAME
@click.option("--reason", required=True, metavar="TEXT", help="Why, for who looks later.")
@CONFIG
@DATABASE
def disable(name: str, reason: str, config: Path | None, database: str | None) -> None:
    """Take an account out of use until it is enabled."""
    from tollbridge.storage import account_states

    async def run(connection: Any, account_id: int) -> bool:
        return await account_states.disable(connection, account_id, reason)

    try:
        _change(name, config, database, run)
    except ValueError as error:
        stop(error)
    click.echo(f"{name} is out of use")


@account.command()
@_NAME
@CONFIG
@DATABASE
def enable(name: str, config: Path | None, database: str | None) -> None:
    """Bring an account back that was taken out of use."""
    from tollbridge.storage import account_states

    _change(name, config, database, account_states.enable)
    click.echo(f"{name} is in use, unless the configuration switches it off")


@account.command()
@_NAME
@click.option("--model", metavar="MODEL", help="Instead of the cheapest that the channel sells.")
@CONFIG
@DATABASE
def test(name: str, model: str | None, config: Path | None, database: str | None) -> None:
    """Make the smallest real call to an account, and recover it if that succeeds.

    The call is this command's own, also beside a running gateway, whose limits do not count it.
    """
    channel, own = split(name)
    settings = existing(config, database)
    with saying_what_is_wrong():
        finding = asyncio.run(_tested(settings, channel, own, model))
    if finding is None:
        stop(RuntimeError(f"there is no account {name} with a credential"))
    status = f", status {finding.status}" if finding.status else ""
    asked = f" ({finding.model})" if finding.model else ""
    click.echo(f"{finding.outcome}: {finding.path}{asked}{status}, {finding.took_ms} ms")
    if finding.said:
        click.echo(f"the vendor says: {finding.said}")
    if finding.trouble:
        lasts = "" if finding.for_s is None else f" for {finding.for_s:g} s"
        click.echo(
            f"a call that fails so is held against the {finding.scope}: {finding.trouble}{lasts}"
        )
    sys.exit(0 if finding.ok else 1)


def split(name: str) -> tuple[str, str]:
    """Return channel and account of a name like CHANNEL/ACCOUNT; exit 1 when it is none."""
    channel, slash, own = name.partition("/")
    if not (channel and slash and own):
        stop(RuntimeError("an account is named CHANNEL/ACCOUNT"))
    return channel, own


def _change(
    name: str,
    config: Path | None,
    database: str | None,
    change: Callable[[Any, int], Awaitable[bool]],
) -> None:
    channel, own = split(name)
    if not ask(config, database, lambda engine: _changed(engine, channel, own, change)):
        stop(RuntimeError(f"there is no account {name}"))


async def _changed(
    engine: Any, channel: str, own: str, change: Callable[[Any, int], Awaitable[bool]]
) -> bool:
    from tollbridge.storage.account_states import find_account
    from tollbridge.storage.unit_of_work import writing

    async with writing(engine) as connection:
        account_id = await find_account(connection, channel, own)
        if account_id is None:
            await connection.rollback()
            return False
        return await change(connection, account_id)


async def _tested(settings: Any, channel: str, own: str, model: str | None) -> Any:
    from tollbridge.app import open_secrets
    from tollbridge.core.secrets import SecretsError
    from tollbridge.storage.account_states import find_account
    from tollbridge.storage.engine import open_engine
    from tollbridge.storage.unit_of_work import reading

    engine = open_engine(settings.database)
    try:
        async with reading(engine) as connection:
            account_id = await find_account(connection, channel, own)
        if account_id is None:
            return None
        return await _probed(engine, open_secrets(settings), account_id, model)
    except (SecretsError, ValueError) as error:
        stop(error)
    finally:
        await engine.dispose()


async def _probed(engine: Any, secrets: Any, account_id: int, model: str | None) -> Any:
    from tollbridge.catalog.loader import load_snapshot
    from tollbridge.relay.probe import Probe
    from tollbridge.relay.tokens import Tokens
    from tollbridge.upstreams.http1 import Http1Client
    from tollbridge.upstreams.limits import Limits

    snapshot = await load_snapshot(engine, secrets)
    client = Http1Client(Limits())
    tokens = Tokens(engine, secrets, lambda: snapshot, lambda _kind, _subject, _detail: None)
    try:
        return await Probe(engine, secrets, client, tokens).test(account_id, model)
    finally:
        await tokens.close()
        await client.close()


async def _accounts(engine: Any, channel: str | None) -> Any:
    from tollbridge.storage.account_states import some_accounts
    from tollbridge.storage.account_troubles import troubles_of
    from tollbridge.storage.unit_of_work import reading

    async with reading(engine) as connection:
        rows = await some_accounts(connection, channel=channel)
        ids = [row["id"] for row in rows]
        return rows, await troubles_of(connection, ids)


def _time(at_ms: int) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d %H:%M:%S}"
