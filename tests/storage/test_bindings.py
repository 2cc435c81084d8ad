"""Proof of a process's own bindings: what is bound is found, what is old or too much is forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.storage.bindings import KEEP_S, MemoryBindings


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(most: int = 100, keep_s: float = KEEP_S) -> tuple[MemoryBindings, Clock]:
    clock = Clock()
    return MemoryBindings(most, keep_s, clock), clock


async def test_what_is_bound_is_found_until_it_is_released():
    bindings, _ = opened()
    assert await bindings.account(b"a") is None
    await bindings.bind(b"a", 7)
    await bindings.bind(b"b", 8)
    assert (await bindings.account(b"a"), await bindings.account(b"b")) == (7, 8)
    await bindings.bind(b"a", 9)
    assert await bindings.account(b"a") == 9
    await bindings.release(b"a")
    await bindings.release(b"never")
    assert (await bindings.account(b"a"), await bindings.account(b"b")) == (None, 8)
    await bindings.stop()
    assert await bindings.account(b"b") is None


async def test_it_lasts_an_hour_after_its_last_use():
    bindings, clock = opened()
    await bindings.bind(b"used", 1)
    await bindings.bind(b"left", 2)
    clock.now += KEEP_S - 1
    assert await bindings.account(b"used") == 1
    clock.now += 1
    assert await bindings.account(b"left") is None
    clock.now += KEEP_S - 2
    assert await bindings.account(b"used") == 1
    clock.now += KEEP_S
    assert await bindings.account(b"used") is None


async def test_of_too_many_the_longest_unused_go():
    bindings, _ = opened(most=3)
    for mark in (b"a", b"b", b"c"):
        await bindings.bind(mark, 1)
    assert await bindings.account(b"a") == 1
    await bindings.bind(b"d", 1)
    known = [mark for mark in (b"a", b"b", b"c", b"d") if await bindings.account(mark)]
    assert known == [b"a", b"c", b"d"]


async def test_what_has_ended_leaves_no_trace():
    bindings, clock = opened()
    for mark in range(50):
        await bindings.bind(b"%d" % mark, mark)
    clock.now += KEEP_S
    await bindings.bind(b"new", 1)
    assert len(bindings._bound) == 1


@given(st.lists(st.tuples(st.sampled_from("bfrt"), st.sampled_from("abcde"), st.integers(1, 9))))
async def test_it_does_as_a_plain_dictionary_of_ends_would(steps):
    bindings, clock = opened(most=1_000, keep_s=10)
    model: dict[bytes, tuple[int, float]] = {}
    for step, name, number in steps:
        mark = name.encode()
        if step == "b":
            await bindings.bind(mark, number)
            model[mark] = number, clock.now + 10
        elif step == "r":
            await bindings.release(mark)
            model.pop(mark, None)
        elif step == "t":
            clock.now += number
        else:
            account_id, until = model.get(mark, (None, 0.0))
            expected = account_id if until > clock.now else None
            assert await bindings.account(mark) == expected
            if expected is not None:
                model[mark] = expected, clock.now + 10
