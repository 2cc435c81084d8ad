"""Owns `tollbridge token create | list | revoke`: access tokens of the control plane's API.

A token goes to stdout, once, and alone, so that a script can keep it. Must not know what it opens.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tollbridge.cli.options import CONFIG, DATABASE, ask, existing, stop
from tollbridge.identity.scopes import Scope, beyond

_DAYS = re.compile(r"([1-9][0-9]{0,4})d", re.ASCII)
_DAY_MS = 86_400_000


@click.group()
def token() -> None:
    """Access tokens for the control plane's API at /api/admin."""


@token.command()
@click.option("--user", "email", required=True, metavar="EMAIL", help="Whose; staff or admin.")
@click.option("--name", required=True, help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it is good for; may be given again. * is all that an admin may do.",
)
@click.option("--expires", metavar="TIME", help="90d, or ISO 8601 with Z or an offset.")
@CONFIG
@DATABASE
def create(
    email: str,
    name: str,
    scopes: tuple[str, ...],
    expires: str | None,
    config: Path | None,
    database: str | None,
) -> None:
    """Make a token and print it; it is never shown again."""
    from tollbridge.core.clock import now_ms
    from tollbridge.identity.access_tokens import NAME_MAX

    if not (0 < len(name) <= NAME_MAX and name.isprintable()):
        stop(RuntimeError(f"a name has 1 to {NAME_MAX} characters"))
    at_ms = now_ms()
    expires_ms = _expiry(expires, at_ms) if expires else None
    settings = existing(config, database)
    secrets = _secrets(settings)
    given = [Scope(scope) for scope in scopes]
    made = ask(config, database, _making(secrets, email, name, given, at_ms, expires_ms))
    click.echo(f"token {made[0]} of {email}, shown once:", err=True)
    click.echo(made[1])


@token.command(name="list")
@CONFIG
@DATABASE
def list_all(config: Path | None, database: str | None) -> None:
    """List all tokens by their last six characters, with whose and what they are."""
    from tollbridge.core.clock import now_ms
    from tollbridge.identity.access_tokens import list_tokens
    from tollbridge.storage.unit_of_work import reading

    async def listed(engine: Any) -> Any:
        async with reading(engine) as connection:
            return await list_tokens(connection)

    at_ms = now_ms()
    for one in ask(config, database, listed):
        state = one.dead(at_ms) or ("live" if one.role != "user" else "powerless")
        until = _moment(one.expires_ms) if one.expires_ms else "never"
        used = _moment(one.used_ms) if one.used_ms else "never"
        click.echo(
            f"{one.id} {state}: {one.name} of {one.email}, …{one.last6},"
            f" {' '.join(one.scopes)}, expires {until}, used {used}"
        )


@token.command()
@click.argument("token_id", type=click.IntRange(1, 2**63 - 1), metavar="ID")
@CONFIG
@DATABASE
def revoke(token_id: int, config: Path | None, database: str | None) -> None:
    """Make a token useless for ever; ID is from `token list`."""
    from tollbridge.core.clock import now_ms
    from tollbridge.identity.access_tokens import find_token, revoke_token
    from tollbridge.storage.unit_of_work import writing

    async def revoked(engine: Any) -> bool:
        async with writing(engine) as connection:
            if await find_token(connection, token_id) is None:
                stop(RuntimeError(f"there is no token {token_id}"))
            return await revoke_token(connection, token_id, now_ms())

    done = ask(config, database, revoked)
    click.echo(f"token {token_id} {'revoked' if done else 'was revoked before'}")


def _making(
    secrets: Any, email: str, name: str, scopes: list[Scope], at_ms: int, expires_ms: int | None
) -> Callable[[Any], Awaitable[Any]]:
    from tollbridge.identity.access_tokens import add_token
    from tollbridge.identity.users import find_user
    from tollbridge.storage.unit_of_work import writing

    async def made(engine: Any) -> tuple[int, str]:
        async with writing(engine) as connection:
            user = await find_user(connection, email)
            if user is None:
                stop(RuntimeError(f"there is no user {email}"))
            refused = sorted(beyond(user["role"], scopes))
            if refused:
                stop(RuntimeError(f"the role {user['role']} does not allow {' '.join(refused)}"))
            return await add_token(
                connection,
                secrets,
                user["id"],
                name,
                set(scopes),
                at_ms=at_ms,
                expires_ms=expires_ms,
            )

    return made


def _secrets(settings: Any) -> Any:
    from tollbridge.core.secrets import Secrets, SecretsError, load_or_create

    path = settings.key_path
    try:
        return (
            Secrets.parse(settings.keys) if path is None else load_or_create(path, may_create=False)
        )
    except SecretsError as error:
        stop(error)


def _expiry(text: str, at_ms: int) -> int:
    """Return the moment in milliseconds since 1970; ends the command when it is none, or over."""
    days = _DAYS.fullmatch(text)
    try:
        moment = None if days else datetime.fromisoformat(text)
    except ValueError:
        stop(RuntimeError("--expires is like 90d or 2030-01-31T00:00:00Z"))
    if moment is None:
        return at_ms + int(days[1]) * _DAY_MS if days else at_ms
    if moment.tzinfo is None:
        stop(RuntimeError("--expires needs Z or an offset: 2030-01-31T00:00:00Z"))
    expires_ms = int(moment.timestamp()) * 1000
    if expires_ms <= at_ms:
        stop(RuntimeError("--expires is over already"))
    return expires_ms


def _moment(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
