"""Owns `tollbridge account oauth`: lets an account sign in with a refresh token instead of a key.

Secrets come from files or standard input, never from the command line, where others could see them.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.account import split
from tollbridge.cli.options import CONFIG, DATABASE, existing, saying_what_is_wrong, stop

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("name", metavar="CHANNEL/ACCOUNT")
@click.option("--token-url", required=True, metavar="URL", help="Where tokens are refreshed.")
@click.option("--client-id", default="", metavar="ID")
@click.option("--client-secret-file", type=_FILE, help="A file with the client's secret.")
@click.option("--scope", default="", metavar="TEXT")
@click.option("--style", type=click.Choice(["form", "json"]), default="form", show_default=True)
@click.option("--refresh-token-file", type=_FILE, help="Instead of standard input.")
@CONFIG
@DATABASE
def oauth(
    name: str,
    client_secret_file: Path | None,
    refresh_token_file: Path | None,
    config: Path | None,
    database: str | None,
    **said: Any,
) -> None:
    """Let an account sign in: the refresh token is read from standard input or a file.

    Running gateways use it within a second. What took the account out of use because it could not
    sign in is over then.
    """
    from tollbridge.catalog.plan import OAuthPlan

    channel, own = split(name)
    plan = OAuthPlan(
        refresh_token=_refresh_token(refresh_token_file),
        client_secret=_content(client_secret_file) if client_secret_file else "",
        **said,
    )
    settings = existing(config, database)
    with saying_what_is_wrong():
        changed = asyncio.run(_set(settings, channel, own, plan))
    if changed is None:
        stop(RuntimeError(f"there is no account {name}"))
    click.echo(f"~ account {name}: {', '.join(changed)}" if changed else "nothing to change")


def _refresh_token(file: Path | None) -> str:
    if file is not None:
        return _content(file)
    if sys.stdin.isatty():
        typed: str = click.prompt("refresh token", hide_input=True)
        return typed.strip()
    return sys.stdin.read().strip()


def _content(file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        stop(RuntimeError(f"{file}: cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        stop(RuntimeError(f"{file}: is not UTF-8"))


async def _set(settings: Any, channel: str, own: str, plan: Any) -> Any:
    """Return what changed, None when there is no such account."""
    from tollbridge.app import open_secrets
    from tollbridge.catalog.oauth_fields import OAuthError, check_oauth
    from tollbridge.catalog.sealed import SEALING_TURN
    from tollbridge.catalog.site_rows import read_site
    from tollbridge.catalog.token_rows import set_oauth
    from tollbridge.core.clock import now_ms
    from tollbridge.core.secrets import SecretsError
    from tollbridge.storage.account_states import find_account
    from tollbridge.storage.engine import open_engine
    from tollbridge.storage.unit_of_work import take_turns, writing

    engine = open_engine(settings.database)
    try:
        async with writing(engine) as connection:
            await take_turns(connection, SEALING_TURN)
            site = await read_site(connection)
            check_oauth(plan, allow_private=site.allow_private_upstreams)
            account_id = await find_account(connection, channel, own)
            changed = None
            if account_id is not None:
                changed = await set_oauth(
                    connection, open_secrets(settings), account_id, plan, at_ms=now_ms()
                )
            if not changed:
                await connection.rollback()
            return changed
    except (OAuthError, SecretsError) as error:
        stop(error)
    finally:
        await engine.dispose()
