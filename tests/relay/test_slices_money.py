"""Proof that a sliced stream never shows what the books do not pay for, in any order of events."""

import asyncio

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.relay.sliced import SlicedScene
from tests.relay.upstreamed import DONE, FINISH, OPENING, said
from tests.storage.books import run
from tollbridge.core.errors import ApiError
from tollbridge.core.money import Multiplier
from tollbridge.relay.stream import End

PATIENCE_S = 30
STEPS = ["say"] * 6 + ["burst", "write", "turn", "spend", "tick"]

plays = st.fixed_dictionaries({
    "money": st.integers(0, 120_000),
    "output": st.sampled_from([1_000, 7_000_003, 10_000_000]),
    "multiplier": st.sampled_from([Multiplier(1, 1), Multiplier(3, 20), Multiplier(7, 3)]),
    "slice_tokens": st.integers(16, 300),
    "steps": st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 700)), max_size=40),
    "early": st.integers(0, 5),
    "slow": st.booleans(),
    "density": st.integers(2, 6),
    "usage": st.booleans(),
})  # fmt: skip


def check(scene):
    """Nothing beyond the durable hold is shown."""
    tariff, shown = scene.call.tariff, scene.shown
    assert scene.call.amount <= scene.held
    assert tariff.cost(-(-shown // 2)) <= scene.held
    money = scene.writer.purses[1]
    assert 0 <= money.held <= money.available


async def step(scene, name, size):
    if name == "say":
        scene.feed(said("x" * size))
    elif name == "burst":
        scene.feed(said("y" * size) + said("z" * (size // 3)) + said("ü"))
    elif name == "write":
        scene.writer.write()
    elif name == "turn":
        await scene.answered()
    elif name == "spend":
        purse = scene.writer.purses[1]
        scene.writer.spend(1, min(size * 10, purse.available - purse.held))
    else:
        scene.outlet.tick and scene.outlet.tick()


async def perform(play):
    scene = SlicedScene(
        money=play["money"],
        slice_tokens=play["slice_tokens"],
        rates={"input": 2_000_000, "output": play["output"]},
        multiplier=play["multiplier"],
    )
    try:
        await scene.__aenter__()
    except ApiError:
        scene.ledger.stop()
        assert scene.writer.purses[1].held == 0
        return
    assert scene.call.tariff is not None
    scene.feed(OPENING, said("a"))
    for name, size in play["steps"][: play["early"]]:
        if name in ("say", "burst"):
            await step(scene, name, size)
    scene.writer.slow = play["slow"]
    scene.pump.release()
    for name, size in play["steps"]:
        await step(scene, name, size)
        check(scene)
    await finish(scene, play)
    await scene.__aexit__()


async def finish(scene, play):
    """Let the answer end, and judge what is charged for it."""
    fed = scene.pump.tap.text_bytes
    chunk = {"id": "c", "choices": []}
    if play["usage"]:
        sent, made = scene.call.input_bound, fed // play["density"]
        chunk["usage"] = {
            "prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made
        }  # fmt: skip
    scene.feed(FINISH, b"data: " + msgspec.json.encode(chunk) + b"\n\n", DONE)
    over = asyncio.ensure_future(scene.pump.over())
    scene.writer.slow = False
    while not over.done():
        scene.writer.write()
        await asyncio.sleep(0)
    await over
    if scene.pump.end_state is End.LIMITED:
        check(scene)
        assert scene.pump.text_bytes == scene.shown
    else:
        assert scene.pump.complete
        assert scene.shown == fed
    held = scene.held
    result = await scene.settled()
    assert result.loss == 0
    assert result.charge <= held
    assert scene.writer.purses[1].held == 0


@given(plays)
@settings(max_examples=120, deadline=None)
def test_nothing_is_shown_that_the_durable_hold_does_not_pay_for(play):
    run(perform(play))
