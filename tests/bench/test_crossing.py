"""Translated and native calls are compared like with like, through a real gateway."""

import msgspec
import pytest

from bench.crossing import Crossing, compare, crossings
from bench.lanes import STREAM_EVENTS
from bench.processes import Child
from bench.rounds import Tally
from bench.stage import Stage
from bench.surfaces import CHAT, MESSAGES
from tests.bench.test_rounds import Clockwork, Meter
from tests.demo.vendor import Vendor, serving


class Gateway:
    """What a comparison needs to know of a gateway."""

    def __init__(self, clockwork: Clockwork) -> None:
        self.name, self.port = "sqlite", 1
        self.secrets = {"openai": "o-key", "anthropic": "a-key"}
        self.child = Meter(clockwork, 1)


class Watching(Clockwork):
    """A loader that looks what the vendor is told to say."""

    def __init__(self, vendor: Vendor) -> None:
        super().__init__({1: 10_000})
        self.vendor = vendor
        self.scripts: list[object] = []

    def say(self, line: bytes) -> None:
        self.scripts.append(self.vendor.books.defaults("upstream-secret"))
        super().say(line)


def _compare(crossing: Crossing) -> tuple[Watching, Tally]:
    with serving() as vendor:
        clockwork, tally = Watching(vendor), Tally()
        nobody: Child = None  # type: ignore[assignment]
        loader: Child = clockwork  # type: ignore[assignment]
        stage = Stage(None, nobody, vendor.url, nobody, 0, loader, None, None)  # type: ignore[arg-type]
        compare(crossing, Gateway(clockwork), stage, tally, rounds=1, quick=True)  # type: ignore[arg-type]
        assert not vendor.books.defaults("upstream-secret")
    return clockwork, tally


@pytest.mark.parametrize("crossing", crossings(), ids=lambda found: found.lane.name)
def test_both_sides_ask_the_same_and_get_the_same_answer(crossing: Crossing) -> None:
    clockwork, _ = _compare(crossing)
    native, translated = (job.request for job in clockwork.jobs[-2:])
    assert native.partition(b"\r\n\r\n")[2] == translated.partition(b"\r\n\r\n")[2]
    at = {"openai": b"o-key", "anthropic": b"a-key"}
    assert at[crossing.native] in native
    assert at[crossing.lane.platform] in translated
    assert crossing.native != crossing.lane.platform
    assert all((script or {}) == crossing.script for script in clockwork.scripts)
    assert b'"fake"' not in native


def test_all_have_the_target_of_performance_and_a_size() -> None:
    assert [each.lane.surface for each in crossings()] == [CHAT, CHAT, MESSAGES, MESSAGES]
    for each in crossings():
        assert (each.lane.target, len(each.lane.body)) == (3, 1_400)
        assert bool(each.lane.events) == bool(each.script)
        assert msgspec.json.decode(each.lane.body)["model"]


def test_a_chat_stream_has_as_many_events_as_all_have() -> None:
    found = {each.lane.name: each for each in crossings()}
    chat, messages = found["cross-streams"], found["cross-streams-messages"]
    assert (chat.lane.events, chat.native_events) == (STREAM_EVENTS, 0)
    # The ping of Anthropic's own streams is not translated.
    assert messages.native_events == messages.lane.events + 1


def test_wrong_numbers_of_events_are_told() -> None:
    _, tally = _compare(crossings()[3])
    assert tally.samples[-2:] == [
        "sqlite: 0 events, not 3328",
        "sqlite: 0 events, not 3296",
    ]
