"""The twin of console/uptime_strip.py: a word for now. What is drawn is proved with the status page."""

from dataclasses import replace

import pytest

from tests.console.test_clients import channel
from tollbridge.catalog.snapshot import Account
from tollbridge.console.uptime_strip import now_of
from tollbridge.core.money import Multiplier
from tollbridge.support.uptime import Tally, Uptime

SOMEBODY = Account(
    id=1,
    channel_id=1,
    name="one",
    platform="openai",
    base_url="https://vendor.example",
    secret="secret",
    weight=1,
    priority=0,
    compatible=True,
    proxy="",
    cost=Multiplier(1, 1),
    stops_on_abort=True,
)


@pytest.mark.parametrize(
    ("tally", "word"),
    [
        (Tally(), "quiet"),
        (Tally(99, 100), "good"),
        (Tally(90, 100), "shaky"),
        (Tally(1, 100), "failing"),
    ],
)
def test_now_is_what_the_last_minutes_say(tally: Tally, word: str) -> None:
    one = channel()
    staffed = replace(one, accounts=(SOMEBODY,))
    uptime = Uptime(0, [], {}, {one.id: tally})
    assert now_of(staffed, uptime) == word
    assert now_of(one, uptime) == "unstaffed"
