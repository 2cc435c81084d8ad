"""Proof of the lists: names that are no one else's, and jobs that run on an empty database."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.settings import Settings
from tollbridge.worker.jobs import handlers, periodic_jobs


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(database=f"sqlite:///{tmp_path}/other.db")


async def test_every_periodic_job_has_a_name_of_its_own_and_runs(engine: AsyncEngine, settings):
    jobs = periodic_jobs(engine, settings)
    names = [job.name for job in jobs]
    assert {"call_index", "partitions", "people", "nodes"} <= set(names)
    assert len(set(names)) == len(names)
    for job in jobs:
        assert len(job.name) <= 64
        assert not await job.run()


def test_kinds_of_jobs_fit_the_queue(settings):
    assert all(0 < len(kind) <= 32 for kind in handlers(settings))


async def test_calls_are_indexed_every_second_and_soon_by_another_after_a_crash(
    engine: AsyncEngine, settings
):
    [index] = [job for job in periodic_jobs(engine, settings) if job.name == "call_index"]
    assert index.every_s <= 1
    assert index.lease_s <= 15
