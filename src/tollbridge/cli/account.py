"""Owns `tollbridge account …`: how the accounts are, and what an operator does about it.

Every command goes to the database, where running gateways notice it within a second; none of them
needs one to run. An account is named CHANNEL/ACCOUNT.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, ask, stop

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
