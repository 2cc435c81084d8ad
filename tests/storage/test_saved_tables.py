"""The twin of storage/saved_tables.py: nothing is forgotten, and partitions are no tables."""

import pytest
from sqlalchemy import Table, text

from tests.storage.test_restore import in_one
from tollbridge.storage import query_tables
from tollbridge.storage.archive import ArchiveError, Column
from tollbridge.storage.metadata import metadata
from tollbridge.storage.migrate import create_file, migrate
from tollbridge.storage.restore import upgrade
from tollbridge.storage.saved_tables import (
    NOT_SAVED,
    known_revisions,
    revision_of,
    saved_shapes,
    standing_tables,
)


def execute(connection, statement):
    connection.execute(text(statement))


async def test_every_table_is_saved_or_named_as_not(database_url):
    await migrate(database_url)
    shapes = await in_one(database_url, saved_shapes)
    assert {shape.name for shape in shapes} | NOT_SAVED == {*metadata.tables}
    for shape in shapes:
        declared = {column.name for column in metadata.tables[shape.name].columns}
        assert {column.name for column in shape.columns} == declared


def test_what_can_be_made_again_is_not_saved():
    made = {one.name for one in vars(query_tables).values() if isinstance(one, Table)}
    # Roll-ups outlive the calls that they were made from.
    assert made - NOT_SAVED == {"rollup"}


async def test_kinds_are_the_same_on_both_engines(tmp_path, postgres_url):
    urls = (f"sqlite:///{tmp_path}/t.db", postgres_url)
    for url in urls:
        await migrate(url)
    one, other = [
        {shape.name: {*shape.columns} for shape in await in_one(url, saved_shapes)} for url in urls
    ]
    assert one == other
    assert Column("hash", "bytes") in one["api_keys"]
    assert Column("stream", "bool") in one["usage"]


async def test_referenced_tables_come_first(database_url):
    await migrate(database_url)
    names = await in_one(database_url, standing_tables)
    assert names.index("users") < names.index("api_keys")
    assert names.index("channels") < names.index("accounts") < len(names)


async def test_the_revision_and_its_tables(database_url):
    create_file(database_url)
    assert await in_one(database_url, revision_of) is None
    await in_one(database_url, upgrade, "0002")
    assert await in_one(database_url, revision_of) == "0002"
    assert "job" not in await in_one(database_url, standing_tables)
    assert known_revisions()[:8] == [f"000{step}" for step in range(1, 9)]


async def test_a_table_that_later_versions_dropped_is_not_forgotten_silently(database_url):
    create_file(database_url)
    await in_one(database_url, upgrade, "0002")
    await in_one(database_url, execute, "CREATE TABLE dropped_later (id BIGINT)")
    with pytest.raises(ArchiveError, match="does not know its table dropped_later"):
        await in_one(database_url, saved_shapes)


async def test_tables_of_somebody_else_are_left_alone(database_url):
    await migrate(database_url)
    await in_one(database_url, execute, "CREATE TABLE of_a_report (id BIGINT)")
    assert "of_a_report" not in [shape.name for shape in await in_one(database_url, saved_shapes)]


async def test_a_type_that_no_backup_holds_is_told(database_url):
    await migrate(database_url)
    await in_one(database_url, execute, "ALTER TABLE site ADD COLUMN share DOUBLE PRECISION")
    with pytest.raises(ArchiveError, match="column share of table site"):
        await in_one(database_url, saved_shapes)
