"""Owns the gateway that a module's tests with the official SDK share, and clients for it."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.conformance.shop import Shop
from tests.conformance.till import COMPATIBLE, NATIVE, make, open_till


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Serve the small catalogue as long as the module runs."""
    with open_till(tmp_path_factory.mktemp("gateway")) as shop:
        yield shop


@pytest.fixture(params=[NATIVE, COMPATIBLE], ids=["native", "compatible"])
def key(request: pytest.FixtureRequest) -> str:
    """Name a key of each kind of channel."""
    named: str = request.param
    return named


@pytest.fixture
def client(till: Shop, key: str) -> Iterator[OpenAI]:
    """Return the official client, which reads every answer strictly and never retries by itself."""
    with make(till, key) as opened:
        yield opened
