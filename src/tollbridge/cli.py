"""The command line: `tollbridge serve | demo | apply | migrate | ledger verify` (contract.md).

Every command says in one sentence what is wrong and exits 1; imports wait until a command needs
them, so that `--help` is quick.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from tollbridge import __version__

_DATABASE = click.option("--database", metavar="URL", help="sqlite:///path/to.db or postgresql://…")
_CONFIG = click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML).")


def _stop(error: Exception) -> NoReturn:
    click.echo(f"tollbridge: {error}", err=True)
    sys.exit(1)


@contextmanager
def _database() -> Iterator[None]:
    """Say in one sentence what is wrong when the database cannot be used."""
    from tollbridge.storage.engine import DATABASE_ERRORS, reason_of

    try:
        yield
    except DATABASE_ERRORS as error:
        _stop(RuntimeError(f"the database cannot be used: {reason_of(error)}"))


def _settings(config: Path | None, **overrides: Any) -> Any:
    from tollbridge.core.settings import SettingsError, load_settings

    try:
        return load_settings(config, **overrides)
    except SettingsError as error:
        _stop(error)


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Tollbridge: an AI API gateway that sells prepaid access."""


@main.command()
@_CONFIG
@click.option("--host", metavar="ADDRESS")
@click.option("--port", type=int)
@_DATABASE
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
    settings = _settings(config, host=host, port=port, database=database, workers=workers)
    from tollbridge import app
    from tollbridge.core.secrets import SecretsError
    from tollbridge.storage.disk import DatabaseInUse

    try:
        app.serve(settings, lambda url: click.echo(f"tollbridge serves at {url}", err=True))
    except (app.CannotServe, DatabaseInUse, SecretsError) as error:
        _stop(error)


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
@_CONFIG
@_DATABASE
@click.option("--dry-run", is_flag=True, help="Say what would change and change nothing.")
@click.option("--prune", is_flag=True, help="Switch off what the file does not name.")
def apply(
    file: Path, config: Path | None, database: str | None, *, dry_run: bool, prune: bool
) -> None:
    """Make channels, accounts, prices, users and keys match FILE."""
    settings = _settings(config, database=database)
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        _stop(RuntimeError(f"{file}: cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        _stop(RuntimeError(f"{file}: is not UTF-8"))
    with _database():
        asyncio.run(_apply(settings, text, dry_run=dry_run, prune=prune))


async def _apply(settings: Any, text: str, *, dry_run: bool, prune: bool) -> None:
    from tollbridge.api.apply import apply as match_file
    from tollbridge.app import open_secrets
    from tollbridge.catalog.file import FileError
    from tollbridge.core.secrets import SecretsError
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
        )
    except (FileError, SecretsError) as error:
        _stop(error)
    finally:
        await engine.dispose()
    for line in (*report.lines, *report.notes):
        click.echo(line)
    for user, name, secret in report.minted:
        click.echo(f"key {name} of {user} (shown once): {secret}")


@main.command()
@_CONFIG
@_DATABASE
def migrate(config: Path | None, database: str | None) -> None:
    """Bring the database to this version's schema."""
    from tollbridge.storage.migrate import migrate as run

    settings = _settings(config, database=database)
    with _database():
        asyncio.run(run(settings.database))
    click.echo("the schema is current")


@main.group()
def ledger() -> None:
    """The books."""


@ledger.command()
@_CONFIG
@_DATABASE
def verify(config: Path | None, database: str | None) -> None:
    """Check every invariant of the books; exit 0 when all hold."""
    from tollbridge.billing.verify import verify as run
    from tollbridge.storage.engine import open_engine
    from tollbridge.storage.migrate import schema_is_current

    settings = _settings(config, database=database)
    file = settings.sqlite_path
    if file is not None and not file.exists():
        _stop(RuntimeError(f"there is no database {file}"))

    async def check() -> bool:
        engine = open_engine(settings.database)
        try:
            if not await schema_is_current(engine):
                _stop(RuntimeError("the schema is not this version's: run tollbridge migrate"))
            findings = await run(engine)
        finally:
            await engine.dispose()
        for finding in findings:
            click.echo(
                f"{'BROKEN' if finding.fatal else 'note'} {finding.invariant}: {finding.sentence}"
            )
        return not any(finding.fatal for finding in findings)

    with _database():
        right = asyncio.run(check())
    if not right:
        sys.exit(1)
    click.echo("the books are right")


if __name__ == "__main__":
    main()
