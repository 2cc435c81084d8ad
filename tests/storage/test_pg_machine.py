"""Many nodes on one PostgreSQL under random batches, cuts, stalls and deaths."""

import asyncio

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.storage.pg_machine import PgBooks
from tollbridge.storage.migrate import migrate

_BRIEF = settings(max_examples=12, stateful_step_count=25, phases=[Phase.generate])
_LONG = settings(max_examples=1500, stateful_step_count=40, phases=[Phase.generate])


@pytest.fixture(scope="module")
def url(postgres_server):
    """Return the URL of one migrated database for all machines."""
    with postgres_server.database() as url:
        asyncio.run(migrate(url))
        yield url


def test_the_books_of_many_nodes_are_right_after_every_step(url):
    machine = type("Many", (PgBooks,), {"url": url})
    run_state_machine_as_test(machine, settings=_BRIEF)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_the_books_of_many_nodes_are_right_after_every_step_of_many(url):
    machine = type("Many", (PgBooks,), {"url": url})
    run_state_machine_as_test(machine, settings=_LONG)
