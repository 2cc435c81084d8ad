"""Proof of which streams begin with a slice of their hold, and which are held for in whole."""

import pytest

from tests.relay.calls import WALLET, account, admitted, channel, chat, model, snapshot
from tests.relay.paper import no_budgets, paper_ledger
from tollbridge.core.settings import Settings
from tollbridge.relay.purses import Purses
from tollbridge.relay.reserve import Reserve

SOLD = (model(max_output=40_000, context=100_000),)


async def is_sliced(body, *accounts):
    ledger, _ = paper_ledger(**{f"w{WALLET}": 10**12})
    try:
        catalogue = snapshot(channel(accounts=accounts or (account(),)), models=SOLD)
        call = admitted(body, catalogue=catalogue)
        settings = Settings(slice_tokens=100, hold_floor_tokens=50)
        await Reserve(ledger, settings, Purses(no_budgets())).hold(call)
        return call.tariff is not None
    finally:
        ledger.stop()


@pytest.mark.parametrize(
    ("body", "sliced"),
    [
        (chat(stream=True), True),
        (chat(), False),
        (chat(stream=True, reasoning_effort="high"), False),
        (chat(stream=True, model="gpt-test-high"), False),
        (chat(stream=True, model="gpt-test-high", reasoning_effort="none"), False),
    ],
)
async def test_only_a_stream_that_shows_all_it_bills_is_sliced(body, sliced):
    assert await is_sliced(body) == sliced


@pytest.mark.parametrize(
    "other", [{"platform": "anthropic"}, {"platform": "gemini"}, {"stops_on_abort": False}]
)
async def test_one_account_that_cannot_be_stopped_or_is_translated_is_enough_to_hold_in_whole(
    other,
):
    assert not await is_sliced(chat(stream=True), account(1), account(2, **other))
