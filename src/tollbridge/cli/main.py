"""The command line: `tollbridge serve | demo | apply | migrate | ledger …` (contract.md).

Every command says in one sentence what is wrong and exits 1; imports wait until a command needs
them, so that `--help` is quick. Larger commands have a file of their own beside this one.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tollbridge import __version__
from tollbridge.cli.account import account
from tollbridge.cli.account_oauth import oauth
from tollbridge.cli.admin import admin
from tollbridge.cli.backup import backup, restore
from tollbridge.cli.doctor import doctor
from tollbridge.cli.jobs import jobs
from tollbridge.cli.ledger import ledger
from tollbridge.cli.options import CONFIG, DATABASE, read_settings, saying_what_is_wrong, stop
from tollbridge.cli.prices import prices
from tollbridge.cli.rollup import rollup
from tollbridge.cli.secrets import secrets
from tollbridge.cli.token import token
from tollbridge.cli.usage import usage
from tollbridge.cli.worker import worker


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Tollbridge: an AI API gateway that sells prepaid access."""


@main.command()
@CONFIG
@click.option("--host", metavar="ADDRESS")
@click.option("--port", type=int)
@DATABASE
@click.option("--workers", type=int)
@click.option("--help-settings", is_flag=True, help="Explain every setting and end.")
def serve(
    config: Path | None,
    host: str | None,
    port: int | None,
    database: str | None,
    workers: int | None,
    *,
    help_settings: bool,
) -> None:
    """Serve calls until SIGTERM."""
    from tollbridge.core.settings import describe_settings

    if help_settings:
        click.echo(describe_settings())
        return
    settings = read_settings(config, host=host, port=port, database=database, workers=workers)
    from tollbridge import app
    from tollbridge.core.secrets import SecretsError
    from tollbridge.storage.disk import DatabaseInUse

    try:
        app.serve(settings, _says("tollbridge serves at"), _says("tollbridge is set up at"))
    except (app.CannotServe, DatabaseInUse, SecretsError) as error:
        stop(error)


def _says(what: str) -> Callable[[str], None]:
    return lambda url: click.echo(f"{what} {url}", err=True)


@main.command()
@click.option("--port", type=int, default=8080, show_default=True)
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=Path("var/demo"),
    show_default=True,
)
def demo(port: int, directory: Path) -> None:
    """Show a call relayed, priced, charged and receipted, then serve until Ctrl-C."""
    from tollbridge.demo.demo import run_demo

    once = os.environ.get("DEMO_ONCE", "") not in ("", "0")
    sys.exit(asyncio.run(run_demo(once=once, directory=directory, port=port)))


@main.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@CONFIG
@DATABASE
@click.option("--dry-run", is_flag=True, help="Say what would change and change nothing.")
@click.option("--prune", is_flag=True, help="Switch off what the file does not name.")
def apply(
    file: Path, config: Path | None, database: str | None, *, dry_run: bool, prune: bool
) -> None:
    """Make channels, accounts, prices, users and keys match FILE."""
    settings = read_settings(config, database=database)
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        stop(RuntimeError(f"{file}: cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        stop(RuntimeError(f"{file}: is not UTF-8"))
    with saying_what_is_wrong():
        asyncio.run(_apply(settings, text, dry_run=dry_run, prune=prune))


async def _apply(settings: Any, text: str, *, dry_run: bool, prune: bool) -> None:
    from tollbridge.api.apply import apply as match_file
    from tollbridge.catalog.file import FileError
    from tollbridge.core.own_secrets import open_secrets
    from tollbridge.core.secrets import SecretsError
    from tollbridge.identity.audit import SHELL
    from tollbridge.storage.engine import open_engine
    from tollbridge.storage.migrate import migrate

    engine = open_engine(settings.database)
    try:
        await migrate(settings.database)
        report = await match_file(
            engine,
            open_secrets(settings),
            text,
            environ=os.environ,
            dry_run=dry_run,
            prune=prune,
            by=SHELL,
        )
    except (FileError, SecretsError) as error:
        stop(error)
    finally:
        await engine.dispose()
    for line in (*report.lines, *report.notes):
        click.echo(line)
    for user, name, secret in report.minted:
        click.echo(f"key {name} of {user} (shown once): {secret}")


@main.command()
@CONFIG
@DATABASE
def migrate(config: Path | None, database: str | None) -> None:
    """Bring the database to this version's schema."""
    from tollbridge.storage.migrate import migrate as run

    settings = read_settings(config, database=database)
    with saying_what_is_wrong():
        asyncio.run(run(settings.database))
    click.echo("the schema is current")


account.add_command(oauth)
main.add_command(account)
main.add_command(admin)
main.add_command(backup)
main.add_command(doctor)
main.add_command(jobs)
main.add_command(ledger)
main.add_command(prices)
main.add_command(restore)
main.add_command(rollup)
main.add_command(secrets)
main.add_command(token)
main.add_command(usage)
main.add_command(worker)
