"""Gives the tests of this folder a stage with the settings that their module names, or a till.

Modules that name the same settings share one, because starting a gateway takes its time.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.faults.bazaar import bazaar, bazaars
from tests.faults.stage import Scene, Stage, playing, staged
from tests.faults.till import shared_till, till

# The tests of bad input and the fuzzing have a till instead of a stage.
__all__ = ["bazaar", "bazaars", "scene", "shared_till", "stages", "till"]

Stages = Callable[[Mapping[str, str]], Awaitable[Stage]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stages]:
    """Run gateways for the session, one for each set of settings that is asked for."""
    async with AsyncExitStack() as stack:
        running: dict[frozenset[tuple[str, str]], Stage] = {}

        async def find(environ: Mapping[str, str]) -> Stage:
            names = frozenset(environ.items())
            if names not in running:
                settings = {f"TOLLBRIDGE_{name}": value for name, value in environ.items()}
                folder = tmp_path_factory.mktemp("stage")
                running[names] = await stack.enter_async_context(staged(folder, settings))
            return running[names]

        yield find


@pytest_asyncio.fixture(loop_scope="session")
async def scene(request: pytest.FixtureRequest, stages: Stages) -> AsyncIterator[Scene]:
    """Begin a scene on the stage with the module's `ENVIRON`; the books must be right at its end."""
    async with playing(await stages(request.module.ENVIRON)) as one:
        yield one
