"""Owns `tollbridge prices …`: list prices from a published collection, shown before they are taken."""

from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import (
    CONFIG,
    DATABASE,
    ask,
    read_settings,
    stop,
)


@click.group()
def prices() -> None:
    """What models cost at list price."""


@prices.command("import")
@click.option(
    "--source",
    type=click.Choice(["genai-prices"]),
    default="genai-prices",
    show_default=True,
    help="Where prices come from: the package as it is installed, no network.",
)
@click.option("--provider", "providers", multiple=True, metavar="NAME", help="Whose prices.")
@click.option(
    "--model",
    "names",
    multiple=True,
    metavar="NAME[=SOURCE-NAME]",
    help="Only this model; with = it takes the price of another name.",
)
@click.option("--apply", "write", is_flag=True, help="Write the prices after asking.")
@click.option("--yes", is_flag=True, help="With --apply: do not ask.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write [[model]] tables to this file instead.",
)
@CONFIG
@DATABASE
def import_prices(
    source: str,
    providers: tuple[str, ...],
    names: tuple[str, ...],
    output: Path | None,
    config: Path | None,
    database: str | None,
    *,
    write: bool,
    yes: bool,
) -> None:
    """Show how list prices differ from those in force; with --apply take them.

    A model is found by its exact name only. Wildcards, and models that the source does not have or
    whose price cannot be said exactly, keep theirs and are listed.
    """
    del source
    if output is not None and (write or yes):
        stop(RuntimeError("--output writes a file instead of the database: no --apply with it"))
    sellers, wishes = _asked_for(providers, names)
    if output is not None and wishes and _nothing_there(config, database):
        planned = _without_catalogue(sellers, wishes)
    else:
        planned = ask(config, database, lambda engine: _plan(engine, sellers, wishes))
    _show(planned)
    if output is not None:
        _write_file(output, planned)
        return
    _refuse_strangers(planned, write=write)
    if not planned.differing():
        click.echo("nothing to change")
    elif write:
        if not yes:
            click.confirm(f"Take these prices for {len(planned.differing())} models?", abort=True)
        _write(config, database, sellers, wishes, planned)
    else:
        click.echo("nothing was written; --apply takes these prices")


def _asked_for(providers: tuple[str, ...], names: tuple[str, ...]) -> Any:
    """Return whose prices and for which models, exit 1 when one of them is named wrongly."""
    from tollbridge.catalog.price_import_source import Wish, chosen, read_source

    try:
        return chosen(read_source(), providers), [
            Wish.of_text(name) for name in dict.fromkeys(names)
        ]
    except ValueError as error:
        stop(error)


def _nothing_there(config: Path | None, database: str | None) -> bool:
    file = read_settings(config, database=database).sqlite_path
    return file is not None and not file.exists()


def _without_catalogue(sellers: Any, wishes: Any) -> Any:
    from tollbridge.catalog.price_import_rows import work_out
    from tollbridge.core.clock import now_ms

    return work_out(sellers, wishes, {}, now_ms())


async def _plan(engine: Any, sellers: Any, wishes: Any) -> Any:
    from tollbridge.catalog.price_import_rows import plan_import

    return await plan_import(engine, sellers, wishes)


def _show(planned: Any) -> None:
    for one in planned.changes:
        if one.lines:
            click.echo(f"~ {one.name} ({one.provider})")
        else:
            click.echo(f"= {one.name} ({one.provider})")
        for line in one.lines:
            click.echo(f"    {line}")
        for note in one.notes:
            click.echo(f"    note: {note}")
    for name, reason in planned.left:
        click.echo(f"- {name}: left as it is: {reason}")


def _refuse_strangers(planned: Any, *, write: bool) -> None:
    strangers = [one.name for one in planned.changes if one.sold.id is None]
    if strangers and write:
        names = ", ".join(strangers)
        stop(RuntimeError(f"the catalogue does not sell {names}: write a file with --output"))


def _write(config: Path | None, database: str | None, sellers: Any, wishes: Any, seen: Any) -> None:
    from tollbridge.catalog.price_import_rows import ChangedMeanwhile, apply_import

    try:
        ask(config, database, lambda engine: apply_import(engine, sellers, wishes, seen))
    except ChangedMeanwhile:
        stop(RuntimeError("the catalogue was changed meanwhile; nothing was written, look again"))
    click.echo(f"took the prices of {len(seen.differing())} models")


def _write_file(output: Path, planned: Any) -> None:
    from tollbridge.catalog.price_import_toml import model_table

    tables = [
        model_table(one.name, one.context, one.sold.max_output, one.price, one.later)
        for one in planned.changes
    ]
    try:
        output.write_text("\n".join(tables), "utf-8")
    except OSError as error:
        stop(RuntimeError(f"{output}: cannot be written: {error.strerror}"))
    click.echo(f"wrote {len(tables)} models to {output}")
