"""Owns what `tollbridge doctor` finds in the database: its version, schema, clock, secrets, catalogue.

It reads only, each answer of one moment. A database that cannot be asked is one bad line.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.catalog.loader import load_snapshot
from tollbridge.catalog.sealed import keys_in_use
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.cli.doctor_line import Line, bad, ok, warn
from tollbridge.core.clock import now_ms
from tollbridge.core.own_secrets import open_secrets
from tollbridge.core.secrets import Secrets, SecretsError
from tollbridge.core.settings import Settings
from tollbridge.people.checklist import last_backup_ms
from tollbridge.people.setup_link import has_admin
from tollbridge.storage.alerts import list_alerts
from tollbridge.storage.database_clock import clock_of
from tollbridge.storage.engine import DATABASE_ERRORS, open_engine, reason_of
from tollbridge.storage.migrate import schema_is_current
from tollbridge.storage.queue import dead_jobs
from tollbridge.storage.unit_of_work import reading

_CLOCK_WARN_MS = 1_000
_CLOCK_BAD_MS = 10_000
_BACKUP_OLD_MS = 7 * 86_400_000
_NAMED = 5


async def stored(settings: Settings) -> AsyncIterator[Line]:
    """Yield what the database says, as far as it can be asked."""
    path = settings.sqlite_path
    if path is not None and not path.exists():
        yield bad("database", f"there is no {path}; serve makes it")
        return
    engine = open_engine(settings.database)
    try:
        async for line in _asked(engine, settings):
            yield line
    except DATABASE_ERRORS as error:
        yield bad("database", f"it cannot be used: {reason_of(error)}")
    finally:
        await engine.dispose()


async def _asked(engine: AsyncEngine, settings: Settings) -> AsyncIterator[Line]:
    async with reading(engine) as connection:
        yield await _version(connection)
        yield await _clock(connection, settings)
    if not await schema_is_current(engine):
        yield bad("schema", "not this version's: run tollbridge migrate")
        return
    yield ok("schema", "current")
    try:
        secrets = open_secrets(settings, may_create=False)
    except SecretsError:
        # Said already, with the reason; without keys nothing of the catalogue can be read.
        return
    missing = sorted((await keys_in_use(engine)).keys() - set(secrets.key_ids))
    if missing:
        yield bad("secrets", f"sealed with keys that are not there: {', '.join(missing)}")
    async for line in _catalogue(engine, secrets):
        yield line
    async with reading(engine) as connection:
        for line in await _upkeep(connection):
            yield line


async def _version(connection: AsyncConnection) -> Line:
    if connection.dialect.name == "postgresql":
        version = (await connection.execute(text("SHOW server_version"))).scalar_one()
        return ok("database", f"PostgreSQL {version}")
    version = (await connection.execute(text("SELECT sqlite_version()"))).scalar_one()
    return ok("database", f"SQLite {version}")


async def _clock(connection: AsyncConnection, settings: Settings) -> Line:
    """Hold this machine's clock against the database's, or against when its file was written last."""
    theirs: int = (await connection.execute(select(clock_of(connection)))).scalar_one()
    ours = now_ms()
    off_ms = abs(ours - theirs)
    path = settings.sqlite_path
    if path is not None:
        off_ms = max(path.stat().st_mtime_ns // 1_000_000 - ours, 0)
    if off_ms > _CLOCK_BAD_MS:
        return bad("clock", f"{off_ms} ms away from the database's: run a time service on both")
    if off_ms > _CLOCK_WARN_MS:
        return warn("clock", f"{off_ms} ms away from the database's")
    return ok("clock", f"{datetime.fromtimestamp(ours / 1_000, UTC):%Y-%m-%d %H:%M:%S} UTC")


async def _catalogue(engine: AsyncEngine, secrets: Secrets) -> AsyncIterator[Line]:
    try:
        snapshot = await load_snapshot(engine, secrets)
    except SecretsError as error:
        yield bad("secrets", f"{error}; put the key file back that sealed it")
        return
    except ValueError:
        yield bad("catalogue", "a row makes no sense; put the last backup back")
        return
    yield ok("secrets", "all that is in use opens")
    for line in sold(snapshot):
        yield line


def sold(snapshot: Snapshot) -> Iterator[Line]:
    """Yield what is wrong with what is sold, and with what the site tells of itself."""
    channels = [channel for channel in snapshot.channels.values() if channel.enabled]
    if not channels:
        yield warn("channels", "there is none: nothing can be sold; make one in the back office")
    dead = sorted(channel.name for channel in channels if not channel.accounts)
    if dead:
        yield bad("channels", f"no account in use: {_some(dead)}; add or switch one on")
    elif channels:
        yield ok("channels", f"{len(channels)}, each with an account in use")
    unpriced = sorted(
        {name for one in channels for name in one.models if not _priced(snapshot, name)}
    )
    empty = sorted(one.name for one in channels if one.wildcards and not snapshot.visible[one.id])
    if unpriced or empty:
        names = [*unpriced, *(f"all of channel {name}" for name in empty)]
        yield warn("prices", f"none for {_some(names)}: calls are refused; see tollbridge prices")
    elif channels:
        yield ok("prices", "every model that is sold has one")
    site = snapshot.site
    if site.sign_up == "open" and not site.terms.strip():
        yield warn("terms", "empty while everybody may sign up: write them in the settings")


def _priced(snapshot: Snapshot, name: str) -> bool:
    model = snapshot.model(name)
    return model is not None and model.price is not None


async def _upkeep(connection: AsyncConnection) -> list[Line]:
    lines = []
    if await has_admin(connection):
        lines.append(ok("admin", "there is one"))
    else:
        lines.append(
            bad("admin", "none: open the link that serve prints, or tollbridge admin create")
        )
    dead = await dead_jobs(connection)
    mails = sum(job.kind == "mail" for job in dead)
    if dead:
        lines.append(
            warn("jobs", f"{len(dead)} given up, {mails} of them mail: see tollbridge jobs list")
        )
    else:
        lines.append(ok("jobs", "none given up"))
    alerts = await list_alerts(connection)
    if alerts:
        names = [f"{one.kind} {one.subject}" for one in alerts]
        lines.append(warn("alerts", f"{len(alerts)} open: {_some(names)}"))
    else:
        lines.append(ok("alerts", "none open"))
    lines.append(_backup(await last_backup_ms(connection)))
    return lines


def _backup(at_ms: int | None) -> Line:
    if at_ms is None:
        return warn("backup", "none is known of: run tollbridge backup FILE")
    day = f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%d}"
    if now_ms() - at_ms > _BACKUP_OLD_MS:
        return warn("backup", f"the last is of {day}: run tollbridge backup FILE")
    return ok("backup", f"the last is of {day}")


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
