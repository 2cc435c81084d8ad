"""What is held against an account after each fault, and until when: a real relay, a clock by hand."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.bazaar import asked
from tests.faults.matrix import (
    BREAKER_CALLS,
    BREAKER_S,
    COUNTED,
    FAULTS,
    Fault,
    Page,
)
from tests.faults.places import Places, opened, way_of
from tests.relay.calls import account, channel, model, snapshot
from tests.relay.floor import Floor, open_floor
from tollbridge.demo.fake_books import AccountScript
from tollbridge.demo.fake_reply import recording
from tollbridge.relay.effects import FAILING, Scope
from tollbridge.relay.health import Health, Standing

MODEL = "gpt-test"
NOW_S = 1_000.0
PLATFORMS = {"chat": "openai", "responses": "openai", "messages": "anthropic", "gemini": "gemini"}
CASES = [
    pytest.param(fault, wire, mode, id=f"{fault.name}-{wire}-{mode}")
    for fault in FAULTS
    for wire in fault.wires
    if wire in PLATFORMS
    for mode in fault.modes
]


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = NOW_S

    def __call__(self) -> float:
        return self.now


class Ward:
    """A relay, and the places where its accounts may lead."""

    def __init__(self, floor: Floor, places: Places) -> None:
        self.floor = floor
        self.places = places
        self.clock = Clock()
        self.health = Health(self.clock)

    async def play(self, fault: Fault, wire: str, mode: str, accounts: int) -> list[Standing]:
        """Call once with so many accounts, the first with the fault; return what is held against it."""
        self.clock = Clock()
        self.health = self.floor.pool.health = Health(self.clock)
        return await self.again(fault, wire, mode, accounts)

    async def again(self, fault: Fault, wire: str, mode: str, accounts: int) -> list[Standing]:
        """Do the same with what is held against the account so far."""
        floor, books = self.floor, self.floor.vendor.books
        way = way_of(fault, self.places, floor.url, "user")
        platform = PLATFORMS[wire]
        stop = {"platform": platform, "channel_id": 1}
        self.first = account(1, base_url=way.base_url, proxy=way.proxy, **stop)
        second = account(2, base_url=floor.url, priority=1, **stop)
        both = (self.first, second)[:accounts]
        floor.world.snapshot = snapshot(
            channel(accounts=both, platform=platform), models=(model(MODEL),)
        )
        if isinstance(fault.make, Page):
            page = fault.make
            headers = {"content-type": page.content_type}
            books.recordings[fault.name] = recording(page.status, headers, [page.body])
        books.accounts["secret-1"] = AccountScript(fault.script(wire))
        path, body = asked(
            wire,
            MODEL,
            stream=mode == "stream",
            **({"max_tokens": 500} if wire == "messages" else {}),
        )
        path, _, query = path.partition("?")
        self.answer = await floor.answered(body, path=path, query=query.encode())
        return self.health.standings(self.first)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    folder = tmp_path_factory.mktemp("ward")
    async with (
        open_floor(first_byte_timeout_s=0.3, idle_timeout_s=0.3, finish_silence_s=0.2) as floor,
        opened(folder, floor.url) as places,
    ):
        yield Ward(floor, places)


def was_counted(ward: Ward) -> bool:
    """Say whether one failure stands in the breaker: as many more as it takes open it."""
    opened_by = None
    for number in range(1, BREAKER_CALLS + 1):
        standing = ward.health.failed(ward.first, MODEL, FAILING, "again", last=False)
        if standing is not None and opened_by is None:
            opened_by = number
            assert standing.until_s == NOW_S + BREAKER_S
    assert opened_by in {BREAKER_CALLS - 1, BREAKER_CALLS}
    return opened_by == BREAKER_CALLS - 1


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("fault", "wire", "mode"), CASES)
async def test_what_is_held_against_the_account_and_until_when(ward, fault, wire, mode):
    found = await ward.play(fault, wire, mode, 2)
    held = fault.held
    if held is None or held == COUNTED:
        assert found == []
        assert was_counted(ward) == (held == COUNTED)
    else:
        [standing] = found
        assert (standing.trouble, standing.transient) == (held.trouble, not held.lasting)
        assert standing.until_s == NOW_S + held.for_s
        assert standing.model == (MODEL if held.scope is Scope.MODEL else "")

    found = await ward.play(fault, wire, mode, 1)
    assert [one.trouble for one in found] == ([held.trouble] if held and held.lasting else [])
    assert (held is not None and held.lasting) or not was_counted(ward)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("accounts", [1, 2])
async def test_a_credential_that_is_refused_again_is_out_for_twice_as_long(ward, accounts):
    refused = next(fault for fault in FAULTS if fault.name == "401")
    [first] = await ward.play(refused, "chat", "unary", accounts)
    lasts_s, until_s = 600, NOW_S + 600
    assert first.until_s == until_s
    for _ in range(7):
        # A moment before, nobody asks it; then it is asked once.
        ward.clock.now = until_s - 1
        [before] = await ward.again(refused, "chat", "unary", accounts)
        assert before.until_s == until_s
        ward.clock.now = until_s
        [standing] = await ward.again(refused, "chat", "unary", accounts)
        lasts_s = min(2 * lasts_s, 21_600)
        until_s += lasts_s
        assert standing.until_s == until_s
    ward.clock.now = until_s
    ward.health.succeeded(ward.first, MODEL)
    [anew] = await ward.again(refused, "chat", "unary", accounts)
    assert anew.until_s == until_s + 600
