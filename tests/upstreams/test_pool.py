"""The stack of idle connections."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tollbridge.upstreams.pool import Pool
from tollbridge.upstreams.target import Target

TARGETS = [Target.parse(f"http://{name}.test") for name in "ab"]


class Wire:
    """A connection that only remembers what happened to it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.alive = True
        self.silent = True
        self.dropped = False

    def drop(self) -> None:
        self.dropped = True


class PoolAgainstAList(RuleBasedStateMachine):
    """Compares the pool with a plain list per target."""

    def __init__(self) -> None:
        super().__init__()
        self.pool: Pool[Wire] = Pool(3, 10.0)
        self.now = 0.0
        self.kept: list[tuple[Wire, float]] = []
        self.gone: list[Wire] = []

    def of(self, target: Target) -> list[tuple[Wire, float]]:
        return [pair for pair in self.kept if pair[0].target == target]

    @rule(where=st.sampled_from(TARGETS))
    def put(self, where):
        wire = Wire(where)
        room = len(self.of(where)) < 3
        assert self.pool.put(wire, self.now) is room
        if room:
            self.kept.append((wire, self.now))

    @rule(where=st.sampled_from(TARGETS))
    def take(self, where):
        expected = None
        newest_first = list(reversed(self.of(where)))
        # Those that the loop has read since go before those that came back just now.
        rested = [pair for pair in newest_first if pair[1] < self.now]
        fresh = [pair for pair in newest_first if pair[1] == self.now]
        for pair in rested + fresh:
            self.kept.remove(pair)
            # Whether one is silent is asked only where the loop cannot have read of it yet.
            usable = pair[0].alive and (pair[0].silent or pair in rested)
            if usable and self.now - pair[1] < 10:
                expected = pair[0]
                break
            self.gone.append(pair[0])
        assert self.pool.take(where, self.now) is expected
        assert expected is None or not expected.dropped

    @rule(seconds=st.integers(0, 6))
    def wait(self, seconds):
        self.now += seconds
        if seconds:
            # Meanwhile the loop reads what lies there and closes whatever is not silent.
            for pair in [pair for pair in self.kept if not pair[0].silent]:
                self.kept.remove(pair)
                self.pool.forget(pair[0])

    @rule(data=st.data(), what=st.sampled_from(["alive", "silent"]))
    def spoil(self, data, what):
        if self.kept:
            setattr(data.draw(st.sampled_from(self.kept))[0], what, False)

    @rule(data=st.data())
    def lose(self, data):
        if self.kept:
            pair = data.draw(st.sampled_from(self.kept))
            self.kept.remove(pair)
            self.pool.forget(pair[0])
        self.pool.forget(Wire(TARGETS[0]))

    @rule()
    def sweep(self):
        stale = [pair for pair in self.kept if self.now - pair[1] >= 10]
        self.kept = [pair for pair in self.kept if pair not in stale]
        self.gone.extend(wire for wire, _ in stale)
        assert self.pool.sweep(self.now) is bool(self.kept)

    @rule()
    def clear(self):
        self.gone.extend(wire for wire, _ in self.kept)
        self.kept = []
        self.pool.clear()

    @invariant()
    def agree(self):
        for target in TARGETS:
            assert self.pool.count(target) == len(self.of(target))
        assert all(wire.dropped for wire in self.gone)
        assert not any(wire.dropped for wire, _ in self.kept)


TestPool = PoolAgainstAList.TestCase
