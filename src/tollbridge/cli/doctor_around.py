"""Owns what `tollbridge doctor` finds around the database: Python, files, disk, servers, the address.

The mail server is greeted and nothing is sent; user and password stay here. Must not know tables.
"""

import asyncio
import os
import platform
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiosmtplib
import httpx2

from tollbridge.cli.doctor_line import Line, bad, ok, warn
from tollbridge.core.own_secrets import open_secrets
from tollbridge.core.secrets import SecretsError
from tollbridge.core.settings import Settings
from tollbridge.storage.disk import Reserve

_WAIT_S = 5.0
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})
_OK = 200
_MIB = 1 << 20


def local(settings: Settings) -> Iterator[Line]:
    """Yield what this machine's own files and programs are like."""
    yield ok("python", platform.python_version())
    yield _keys(settings)
    if settings.sqlite_path is not None:
        yield from _disk(settings, settings.sqlite_path)


async def services(settings: Settings) -> list[Line]:
    """Return what other servers say that the settings name, asked at the same time."""
    asked = (_redis(settings), _mail(settings), _address(settings))
    return list(await asyncio.gather(*asked))


def _keys(settings: Settings) -> Line:
    try:
        secrets = open_secrets(settings, may_create=False)
    except SecretsError as error:
        return bad("keys", str(error))
    where = settings.key_path or "TOLLBRIDGE_KEYS"
    return ok("keys", f"{where}, {len(secrets.key_ids)} for encryption")


def _disk(settings: Settings, database: Path) -> Iterator[Line]:
    folder = database.resolve().parent
    if not folder.is_dir():
        yield bad("folder", f"{folder} is not there; serve makes it")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield bad("folder", f"{folder} cannot be written by this user")
    elif database.exists() and not os.access(database, os.R_OK | os.W_OK):
        yield bad("folder", f"{database} cannot be written by this user")
    else:
        yield ok("folder", f"{folder} can be written")
    try:
        free = Reserve(database.resolve(), 0, 0).free_bytes()
    except OSError as error:
        yield warn("disk", f"free space is not known: {error.strerror}")
        return
    text = f"{free // _MIB} MiB free"
    if free < settings.min_free_disk_bytes:
        yield bad("disk", f"{text}: no call starts below {settings.min_free_disk_bytes // _MIB}")
    elif free < settings.disk_alert_bytes:
        yield warn("disk", f"{text}: make room")
    else:
        yield ok("disk", text)


async def _redis(settings: Settings) -> Line:
    if not settings.redis_url:
        return ok("redis", "none is set: each process counts limits by itself")
    from redis.exceptions import RedisError

    from tollbridge.storage.counters_redis import BadRedisUrl, open_client

    try:
        client = open_client(settings.redis_url)
    except BadRedisUrl as error:
        return bad("redis", str(error))
    try:
        async with asyncio.timeout(_WAIT_S):
            await client.ping()
    except (RedisError, OSError, TimeoutError):
        return bad(
            "redis", "it does not answer: limits are not shared; start it, or unset redis_url"
        )
    finally:
        with suppress(RedisError, OSError):
            await client.aclose()
    return ok("redis", "answers")


async def _mail(settings: Settings) -> Line:
    if not settings.smtp_host:
        return warn("mail", f"no smtp_host: mail is only written to {settings.mail_folder}")
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=settings.smtp_security == "tls",
        start_tls=settings.smtp_security == "starttls",
        timeout=_WAIT_S,
    )
    try:
        await client.connect()
        # The greeting is all that is wanted; it has to work as mail does, encryption and all.
        await client.ehlo()
    except (aiosmtplib.SMTPException, ssl.SSLError, OSError, TimeoutError):
        where = f"{settings.smtp_host}:{settings.smtp_port} ({settings.smtp_security})"
        return bad("mail", f"no mail server greets at {where}: check smtp_host and smtp_security")
    finally:
        client.close()
    return ok("mail", f"{settings.smtp_host}:{settings.smtp_port} greets")


async def _address(settings: Settings) -> Line:
    url = settings.public_url
    if not url:
        return warn("public_url", "not set: links in mail lead to the address that is listened on")
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _HERE:
        return warn("public_url", f"{url} is not https: passwords travel in the clear")
    try:
        async with httpx2.AsyncClient(timeout=_WAIT_S, follow_redirects=False) as client:
            status = (await client.get(f"{url}/healthz")).status_code
    except (httpx2.HTTPError, ValueError):
        return warn("public_url", f"{url} does not answer from here; does it lead to this server?")
    if status != _OK:
        return warn("public_url", f"{url} answers {status} at /healthz: it is not this server's")
    return ok("public_url", f"{url} answers")
