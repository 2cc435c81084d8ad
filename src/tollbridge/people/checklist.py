"""Owns what a new site still lacks before it can be left alone, and what an admin says of it by hand.

The list disappears when nothing is missing or an admin hides it. Must not know how it is shown.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.catalog.site_rows import change_site
from tollbridge.catalog.snapshot import Snapshot
from tollbridge.core.language import N_
from tollbridge.core.settings import Settings
from tollbridge.identity.audit import Actor, Subject, note
from tollbridge.people.first_channel import read_first_run
from tollbridge.storage.query_tables import call_index
from tollbridge.storage.tables import accounts, api_keys, site, users

KEY: Final = "checklist"
BACKUP_KEY: Final = "last_backup_ms"
"""Where a backup that was made leaves its time, in milliseconds."""
_OK: Final = 200
BY_HAND: Final = ("mail", "backup")
"""What may be ticked by hand: the site cannot know how it is done elsewhere."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do: `title` and `hint` are msgids, `href` a page of ours or "" for none."""

    name: str
    title: str
    hint: str
    done: bool
    href: str = ""
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Checklist:
    """What there is to do, done or not; at least one thing is not."""

    items: tuple[Item, ...]

    @property
    def left(self) -> int:
        """How many things are not done."""
        return sum(not item.done for item in self.items)


@dataclass(frozen=True, slots=True)
class _Word:
    """What admins have said by hand."""

    hidden: bool = False
    ticked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Facts:
    answers: bool
    backup: bool
    user: bool
    key: bool
    call: bool
    begun: bool = False
    """Whether the pages of the first run are open still."""


async def read_checklist(
    connection: AsyncConnection, snapshot: Snapshot, at_ms: int, settings: Settings | None = None
) -> Checklist | None:
    """Return what there is to do; None when all is done or an admin hid it.

    Without `settings` nothing is said of mail and of the site's address. `at_ms` is the moment asked
    for; nothing here ends by itself.
    """
    del at_ms
    word = await _word(connection)
    if word.hidden:
        return None
    facts = await _facts(connection, word)
    items = (*_selling(snapshot, facts), *_hosting(settings, word), *_people(snapshot, facts))
    found = Checklist(items)
    return found if found.left else None


async def hide_checklist(connection: AsyncConnection, actor: Actor, at_ms: int) -> None:
    """Let the list be shown no more."""
    word = await _word(connection)
    await _say(connection, _Word(hidden=True, ticked=word.ticked))
    await note(connection, actor, "checklist.hide", Subject("site", None, "checklist"), at_ms)


async def tick(connection: AsyncConnection, actor: Actor, name: str, at_ms: int) -> None:
    """Note by hand that one of `BY_HAND` is taken care of; ValueError for anything else."""
    if name not in BY_HAND:
        raise ValueError("not a thing to tick by hand")
    word = await _word(connection)
    if name in word.ticked:
        return
    await _say(connection, _Word(word.hidden, (*word.ticked, name)))
    await note(connection, actor, "checklist.tick", Subject("site", None, name), at_ms)


async def note_backup(connection: AsyncConnection, at_ms: int) -> None:
    """Note that a backup was made."""
    await change_site(connection, {BACKUP_KEY: at_ms})


async def last_backup_ms(connection: AsyncConnection) -> int | None:
    """Return when a backup was made last, None when that is not known."""
    stored = await _stored(connection, BACKUP_KEY)
    return stored if isinstance(stored, int) else None


async def _facts(connection: AsyncConnection, word: _Word) -> _Facts:
    well = exists().where(
        accounts.c.enabled, accounts.c.disabled_reason == "", accounts.c.recovered_ms > 0
    )
    user = exists().where(users.c.role == "user", users.c.deleted_ms.is_(None))
    key = exists().where(api_keys.c.deleted_ms.is_(None))
    call = exists().where(call_index.c.status == _OK)
    row = (await connection.execute(select(or_(well, call), user, key, call))).one()
    answers, *have = (bool(value) for value in row)
    backup = "backup" in word.ticked or await last_backup_ms(connection) is not None
    run = await read_first_run(connection)
    return _Facts(answers, backup, have[0], have[1], have[2], begun=not run.over)


def _selling(snapshot: Snapshot, facts: _Facts) -> tuple[Item, ...]:
    priced = any(snapshot.visible.values())
    return (
        Item(
            "account",
            N_("An account answers"),
            N_("Make a channel with an account, and test the account."),
            facts.answers,
            "/setup/channel" if facts.begun else "/backoffice/channels",
        ),
        Item(
            "prices",
            N_("Models have prices"),
            N_("A model without a price is sold to nobody."),
            priced,
            "/setup/prices" if facts.begun else "/backoffice/prices",
        ),
    )


def _hosting(settings: Settings | None, word: _Word) -> tuple[Item, ...]:
    if settings is None:
        return ()
    return (
        Item(
            "mail",
            N_("Mail goes out"),
            N_("Without smtp_host mail is only written into a folder (mail_folder)."),
            bool(settings.smtp_host) or "mail" in word.ticked,
            by_hand=True,
        ),
        Item(
            "public_url",
            N_("The site knows its address"),
            N_("Set public_url: links in mail begin with it."),
            bool(settings.public_url),
        ),
    )


def _people(snapshot: Snapshot, facts: _Facts) -> tuple[Item, ...]:
    return (
        Item(
            "backup",
            N_("A backup is made"),
            N_("Run tollbridge backup FILE, and keep the key file elsewhere too."),
            facts.backup,
            by_hand=True,
        ),
        Item(
            "terms",
            N_("There are terms of use"),
            N_("People agree to them when they sign up."),
            bool(snapshot.site.terms.strip()),
            "/backoffice/settings",
        ),
        Item(
            "user",
            N_("The first user"),
            N_("Let people sign up, or invite them."),
            facts.user,
            "/backoffice/users",
        ),
        Item("key", N_("The first key"), N_("You can make one too."), facts.key, "/console/keys"),
        Item(
            "call",
            N_("The first call"),
            N_("It shows among the requests, with its receipt."),
            facts.call,
            "/backoffice/requests",
        ),
    )


async def _word(connection: AsyncConnection) -> _Word:
    stored = await _stored(connection, KEY)
    if not isinstance(stored, dict):
        return _Word()
    return _Word(bool(stored.get("hidden")), tuple(stored.get("ticked", ())))


async def _say(connection: AsyncConnection, word: _Word) -> None:
    await change_site(connection, {KEY: asdict(word)})


async def _stored(connection: AsyncConnection, key: str) -> Any:
    query = select(site.c.value).where(site.c.key == key)
    stored = (await connection.execute(query)).scalar_one_or_none()
    return None if stored is None else json.loads(stored)
