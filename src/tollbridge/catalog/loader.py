"""Owns reading the catalogue from the database into a snapshot. Must not decide when.

Switched-off models and accounts are left out, so nothing can be sold or reached through them.
"""

from collections import defaultdict
from collections.abc import Sequence

import msgspec
from sqlalchemy import RowMapping, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.catalog.channel_rows import open_sealed
from tollbridge.catalog.groups import read_groups
from tollbridge.catalog.name_map import NameMap
from tollbridge.catalog.peak import Peak
from tollbridge.catalog.price_rows import next_change_ms, price_of, valid_at
from tollbridge.catalog.site_rows import read_site
from tollbridge.catalog.snapshot import Account, Channel, Model, Snapshot, split_names
from tollbridge.core.clock import now_ms
from tollbridge.core.errors import Surface
from tollbridge.core.money import Multiplier
from tollbridge.core.secrets import Secrets
from tollbridge.storage.rows import names_from_json, object_from_json, texts_from_json
from tollbridge.storage.tables import accounts, change, channels, models, prices
from tollbridge.storage.unit_of_work import reading


async def change_version(connection: AsyncConnection) -> int:
    """Return the number that moves with every change of the control plane."""
    version: int = (await connection.execute(select(change.c.version))).scalar_one()
    return version


async def load_snapshot(
    engine: AsyncEngine, secrets: Secrets, *, also: int | None = None
) -> Snapshot:
    """Return the catalogue as it is now, all of it of one moment.

    `also` is the id of an account to have in it although it may be out of use.
    SecretsError when a stored credential does not open with this key file, ValueError for a row
    that makes no sense, database errors as they come.
    """
    at_ms = now_ms()
    async with reading(engine) as connection:
        return Snapshot.build(
            await change_version(connection),
            await read_site(connection),
            await _channels(connection, secrets, also),
            await _models(connection, at_ms),
            await read_groups(connection),
            await next_change_ms(connection, at_ms),
        )


async def _models(connection: AsyncConnection, at_ms: int) -> list[Model]:
    in_force = await connection.execute(select(prices).where(valid_at(at_ms)))
    by_model = {row["model_id"]: row for row in in_force.mappings()}
    rows = await connection.execute(select(models).where(models.c.enabled))
    return [_model(row, by_model.get(row["id"])) for row in rows.mappings()]


def _model(row: RowMapping, price: RowMapping | None) -> Model:
    return Model(
        id=row["id"],
        name=row["name"],
        context=row["context"],
        max_output=row["max_output"],
        price=price_of(price, row["name"]) if price else None,
        sizes=names_from_json(row["sizes"]),
        efforts=names_from_json(row["efforts"]),
        n_max=row["n_max"],
        prompt_max=row["prompt_max"],
        text_max=row["text_max"],
    )


async def _channels(
    connection: AsyncConnection, secrets: Secrets, also: int | None
) -> list[Channel]:
    in_use = accounts.c.enabled & (accounts.c.disabled_reason == "")
    usable = select(accounts).where(
        in_use if also is None else or_(in_use, accounts.c.id == also),
        or_(accounts.c.secret != "", accounts.c.auth != "secret"),
    )
    ordered = usable.order_by(accounts.c.priority, accounts.c.name)
    grouped: dict[int, list[RowMapping]] = defaultdict(list)
    for row in (await connection.execute(ordered)).mappings():
        grouped[row["channel_id"]].append(row)
    rows = (await connection.execute(select(channels).order_by(channels.c.name))).mappings()
    return [_channel(row, grouped[row["id"]], secrets) for row in rows]


def _channel(row: RowMapping, members: Sequence[RowMapping], secrets: Secrets) -> Channel:
    exact, wildcards = split_names(names_from_json(row["models"]))
    surfaces = names_from_json(row["surfaces"])
    proxy = open_sealed(secrets, "channel", row, "proxy")
    mapping = _mapping(row)
    return Channel(
        id=row["id"],
        name=row["name"],
        platform=row["platform"],
        surfaces=frozenset(Surface if "*" in surfaces else map(Surface, surfaces)),
        models=exact,
        multiplier=Multiplier(row["multiplier_num"], row["multiplier_den"]),
        capabilities=frozenset(names_from_json(row["capabilities"])),
        client_policy=row["client_policy"],
        groups=frozenset(names_from_json(row["groups"])),
        enabled=row["enabled"],
        accounts=tuple(_account(one, row["platform"], proxy, mapping, secrets) for one in members),
        rpm=row["rpm"],
        tpm=row["tpm"],
        concurrency=row["concurrency"],
        wildcards=wildcards,
        requires_telegram=row["requires_telegram"],
        peak=Peak.of_text(row["peak"]),
    )


def _mapping(row: RowMapping) -> tuple[NameMap, ...]:
    rules = texts_from_json(row["mapping"])
    return (NameMap.build(rules),) if rules else ()


def _account(
    row: RowMapping,
    platform: str,
    channel_proxy: str,
    channel_mapping: tuple[NameMap, ...],
    secrets: Secrets,
) -> Account:
    headers = open_sealed(secrets, "account", row, "headers")
    params = object_from_json(row["params"])
    return Account(
        id=row["id"],
        channel_id=row["channel_id"],
        name=row["name"],
        platform=platform,
        base_url=row["base_url"],
        secret=open_sealed(secrets, "account", row, "secret"),
        weight=row["weight"],
        priority=row["priority"],
        compatible=row["compatible"],
        proxy=open_sealed(secrets, "account", row, "proxy") or channel_proxy,
        cost=Multiplier(row["cost_num"], row["cost_den"]),
        stops_on_abort=row["stops_on_abort"],
        mapping=(*_mapping(row), *channel_mapping),
        headers=texts_from_json(headers) if headers else {},
        params={name: msgspec.json.encode(value) for name, value in params.items()},
        params_drop=names_from_json(row["params_drop"]),
        auth=row["auth"],
        recovered_ms=row["recovered_ms"],
        rpm=row["rpm"],
        tpm=row["tpm"],
        concurrency=row["concurrency"],
    )
