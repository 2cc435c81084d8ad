"""Many callers of six writers on four wallets, while connections are cut and nodes die."""

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.storage.pg_hammer import hammer
from tollbridge.storage.migrate import migrate


async def _hammered(url, seed, rounds):
    await migrate(url)
    counts, wrong = await hammer(url, urlsplit(url).port, seed, rounds)
    print("hammer", seed, *(f"{name}={count}" for name, count in sorted(counts.items())))
    assert wrong == []
    return counts


async def test_nothing_is_wrong_after_many_calls_in_trouble(postgres_url):
    counts = await _hammered(postgres_url, 1, 20)
    assert {"settled", "cut", "kill", "stall"} <= set(counts)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_wrong_after_very_many_calls_in_trouble(postgres_url, seed):
    asyncio.run(_hammered(postgres_url, seed, 2000))
