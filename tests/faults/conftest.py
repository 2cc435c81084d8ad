"""Gives the tests of this folder a stage for their module, with the settings the module names."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.stage import Scene, Stage, playing, staged
from tests.faults.till import shared_till, till

__all__ = ["scene", "shared_till", "stage", "till"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """Run a gateway for the module, with its `ENVIRON` as settings."""
    environ = {f"TOLLBRIDGE_{name}": value for name, value in request.module.ENVIRON.items()}
    async with staged(tmp_path_factory.mktemp("stage"), environ) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def scene(stage: Stage) -> AsyncIterator[Scene]:
    """Begin a scene on the module's stage; the books must be right when it ends."""
    async with playing(stage) as one:
        yield one
