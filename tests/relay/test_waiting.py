"""Proof of lines with turns: whose turn it is, what is bounded, and that nobody stays behind."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.ten_clock import leaping
from tollbridge.relay.waiting import Bounds, Line, Place, Waiting

WIDE = Bounds()


def placed(waiting: Waiting, user: int, name: str, size: int = 1) -> Place:
    place = waiting.enter(user, size)
    assert place is not None
    assert waiting.join(place, name)
    return place


def serve(waiting: Waiting, name: str) -> Place:
    first = waiting.lines[name].first
    assert first is not None
    waiting.leave(first, served=True)
    return first


async def test_users_take_turns_and_each_keeps_the_order_of_its_calls():
    waiting = Waiting(asyncio.get_running_loop(), WIDE)
    for user in (1, 1, 1, 2, 2, 3):
        placed(waiting, user, "a")
    served = [serve(waiting, "a") for _ in range(6)]
    assert [one.user for one in served] == [1, 2, 3, 1, 2, 1]
    assert waiting.lines == {} and waiting.calls == waiting.size == 0


async def test_who_gives_up_takes_nobodys_turn():
    waiting = Waiting(asyncio.get_running_loop(), WIDE)
    first, second = placed(waiting, 1, "a"), placed(waiting, 1, "a")
    other = placed(waiting, 2, "a")
    with first:
        pass
    assert [serve(waiting, "a"), serve(waiting, "a")] == [second, other]


async def test_a_call_that_changes_lines_stands_before_later_ones_of_its_user():
    waiting = Waiting(asyncio.get_running_loop(), WIDE)
    first = placed(waiting, 1, "channel")
    later = placed(waiting, 1, "user")
    assert later.behind(["user", "channel"]) == "channel"
    assert first.behind(["user", "channel"]) is None
    assert waiting.join(first, "user")
    assert serve(waiting, "user") is first
    assert "channel" not in waiting.lines


async def test_what_waits_is_bounded_by_user_by_line_in_all_and_in_bytes():
    loop = asyncio.get_running_loop()
    waiting = Waiting(loop, Bounds(of_user=2, in_line=3, calls=4, size=100))
    held = [placed(waiting, user, "a") for user in (1, 1, 2)]
    assert waiting.enter(1, 1) is None
    fourth = waiting.enter(2, 1)
    assert fourth is not None and not waiting.join(fourth, "a")
    assert waiting.join(fourth, "b")
    assert waiting.enter(3, 1) is None
    for place in [*held, fourth]:
        waiting.leave(place, served=False)
    big = waiting.enter(1, 100)
    assert big is not None and waiting.enter(2, 1) is None
    waiting.leave(big, served=False)
    assert waiting.calls == waiting.size == 0


def test_a_wait_ends_at_its_time_and_looks_in_between():
    async def main():
        loop = asyncio.get_running_loop()
        waiting = Waiting(loop, WIDE)
        looks = []
        with placed(waiting, 1, "a") as place:
            while await place.wait("a", 8.0):
                looks.append(loop.time())
        assert loop.time() == pytest.approx(8, abs=0.01)
        assert (
            looks[0] == pytest.approx(0.05, abs=0.001)
            and max(b - a for a, b in pairwise(looks)) < 0.51
        )
        assert len(looks) < 25

    leaping(main)


def test_only_the_first_looks_and_the_next_looks_when_it_has_left():
    async def main():
        loop = asyncio.get_running_loop()
        waiting = Waiting(loop, WIDE)
        looked = []

        async def one(number: int) -> None:
            with placed(waiting, number, "a") as place:
                assert await place.wait("a", 8.0, 1.0)
                looked.append((number, loop.time()))
                place.served = True

        await asyncio.gather(one(1), one(2), one(3))
        assert [number for number, _ in looked] == [1, 2, 3]
        assert looked[0][1] == pytest.approx(1, abs=0.01) == pytest.approx(looked[2][1], abs=0.01)

    leaping(main)


def test_what_is_given_back_wakes_the_first_and_a_client_that_leaves_ends_its_wait():
    async def main():
        loop = asyncio.get_running_loop()
        waiting = Waiting(loop, WIDE)
        with placed(waiting, 1, "pool:1:m") as place:
            loop.call_later(0.01, waiting.freed_like, "pool:1:")
            assert await place.wait("pool:1:m", 8.0) and loop.time() == pytest.approx(
                0.01, abs=0.005
            )
            loop.call_later(0.01, waiting.freed_like, "pool:2:")
            loop.call_later(0.02, place.client_gone)
            assert not await place.wait("pool:1:m", 8.0) and loop.time() < 0.04
            assert place.gone

    leaping(main)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["join", "serve", "quit"]),
                          st.integers(1, 3), st.sampled_from("ab"))))  # fmt: skip
def test_order_and_sums_hold_whatever_happens(steps):
    async def main():
        waiting = Waiting(
            asyncio.get_running_loop(), Bounds(of_user=4, in_line=5, calls=8, size=20)
        )
        alive: list[Place] = []
        for pick, step, user, name in steps:
            if step == "join":
                place = waiting.enter(user, user)
                if place is not None:
                    if waiting.join(place, name):
                        alive.append(place)
                    else:
                        waiting.leave(place, served=False)
            elif alive and step == "quit":
                waiting.leave(alive.pop(pick % len(alive)), served=False)
            elif name in waiting.lines:
                first = waiting.lines[name].first
                same = [one for one in alive if one.user == first.user and one.line is first.line]
                assert first is min(same, key=lambda one: one.number)
                alive.remove(first)
                waiting.leave(first, served=True)
            assert waiting.calls == len(alive) <= 8
            assert waiting.size == sum(one.size for one in alive) <= 20
            assert sum(line.count for line in waiting.lines.values()) == len(alive)
            assert all(
                isinstance(line, Line) and 0 < line.count <= 5 for line in waiting.lines.values()
            )

    asyncio.run(main())
