"""Owns `tollbridge admin …`: making somebody an admin from the shell of the machine."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, ask, read_settings, saying_what_is_wrong, stop

_LINE_MAX = 4096


@click.group()
def admin() -> None:
    """Who may do everything."""


@admin.command()
@click.argument("email", metavar="EMAIL")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@CONFIG
@DATABASE
def create(email: str, config: Path | None, database: str | None, *, password_stdin: bool) -> None:
    """Make EMAIL an admin with a new password, asked for or read from standard input.

    Without such an account one is made. An account that there is keeps its wallet and its keys; its
    sessions end and its old password opens nothing any more. A password is never an argument: other
    users of the machine could read it there.
    """
    password = _password(stdin=password_stdin)
    _check(email, password)
    _make_database(config, database)
    made = ask(config, database, lambda engine: _create(engine, email, password))
    if made.new:
        click.echo(f"{email} is an admin now: the account was made")
    elif made.before == "admin":
        click.echo(f"{email} was an admin: the password is changed, open sessions have ended")
    else:
        click.echo(
            f"{email} is an admin now and was {made.before} before: the password is changed,"
            " open sessions have ended"
        )
    if made.second_factor:
        click.echo("the account's second factor stays and is asked for too")


def _password(*, stdin: bool) -> str:
    if not stdin:
        if not sys.stdin.isatty():
            stop(RuntimeError("nobody is there to type a password; use --password-stdin"))
        word: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return word
    try:
        text = sys.stdin.readline(_LINE_MAX)
    except UnicodeDecodeError:
        stop(RuntimeError("the password is not UTF-8"))
    return text.removesuffix("\n").removesuffix("\r")


def _check(email: str, password: str) -> None:
    from tollbridge.notify.mail import is_address
    from tollbridge.people.passwords import LEAST, MOST, weakness

    if not is_address(email):
        stop(RuntimeError("this is not an e-mail address"))
    reasons = {
        "short": f"the password needs at least {LEAST} characters",
        "long": f"the password may have {MOST} characters",
        "plain": "the password is too easy to guess",
    }
    weak = weakness(password, email)
    if weak is not None:
        stop(RuntimeError(reasons[weak]))


def _make_database(config: Path | None, database: str | None) -> None:
    """Make the file of an embedded database that was never served, as `serve` would."""
    from tollbridge.storage.migrate import migrate

    settings = read_settings(config, database=database)
    if settings.sqlite_path is not None and not settings.sqlite_path.exists():
        with saying_what_is_wrong():
            asyncio.run(migrate(settings.database))


async def _create(engine: Any, email: str, password: str) -> Any:
    from tollbridge.core.clock import now_ms
    from tollbridge.identity.audit import SHELL
    from tollbridge.identity.passwords import hash_password
    from tollbridge.people.setting_up import Admin, make_admin
    from tollbridge.storage.unit_of_work import writing

    hashed = await asyncio.to_thread(hash_password, password)
    async with writing(engine) as connection:
        return await make_admin(connection, Admin(email, hashed), SHELL, now_ms())
