"""Owns one run: what is started, measured and looked at, in which order, on each engine.

A gateway's books are checked right after its end. What cannot be measured here is said, and the
rest goes on.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import crossing, latency, memory, nginx, pages, pair, pool, report, rows, web
from bench.audit import faults
from bench.disk import fdatasync_ns
from bench.gateway import Gateway
from bench.lanes import Engine, lanes, two_processes
from bench.options import LATENCY, MEMORY, POOL, PROCESSES, Options
from bench.postgres import Postgres, PostgresMissing
from bench.processes import Child, cores
from bench.report import Report
from bench.rounds import Tally, measure
from bench.stage import Stage, set_up, side

_ROUNDS, _QUICK_ROUNDS = 5, 3
_PAIR_ROUNDS = 3  # times as many
_SYNCS = 300


class Run:
    """One run on a stage that is set up; `found` is filled as it goes."""

    def __init__(self, options: Options, stage: Stage, found: Report) -> None:
        """Begin with nothing measured."""
        self.found = found
        self._options = options
        self._stage = stage
        self._tally = Tally()
        self._rounds = _QUICK_ROUNDS if options.quick else _ROUNDS

    def on_sqlite(self) -> None:
        """Measure all that is asked for of a gateway on SQLite, and of its parts alone."""
        if POOL in self._options.lanes:
            print("  choosing an account ...", flush=True)
            self.found.choices = pool.measure(quick=self._options.quick)
        with self._gateway("sqlite") as gateway:
            self._lanes("sqlite", gateway)
            self._crossings(gateway)
            if LATENCY in self._options.lanes:
                self.found.latency = self._latency(gateway)
            if MEMORY in self._options.lanes:
                self.found.growth = self._growth(gateway)

    def on_postgresql(self, postgres: Postgres) -> None:
        """Measure all that is asked for of gateways on PostgreSQL."""
        self.found.machine["postgresql"] = postgres.version
        with ExitStack() as stack:
            one = stack.enter_context(self._gateway("postgresql", postgres))
            self._lanes("postgresql", one, postgres.child)
            if PROCESSES in self._options.lanes:
                two = stack.enter_context(self._gateway("two-processes", postgres, workers=2))
                self.found.pair = self._pair((one, two), postgres)

    def end(self) -> None:
        """Tell of wrong answers of whatever was called."""
        tally = self._tally
        wrong = [f"{count} calls to {name} failed" for name, count in tally.errors.items() if count]
        self.found.faults += [*wrong, *(tally.samples[:3] if wrong else ())]

    @contextmanager
    def _gateway(
        self, name: str, postgres: Postgres | None = None, workers: int = 1
    ) -> Iterator[Gateway]:
        """Run a gateway, look at its memory first and at its books last."""
        database = None if postgres is None else postgres.database(name)
        with self._stage.gateway(name, database, workers) as gateway:
            self.found.idle.append(memory.idle(gateway))
            yield gateway
        calls = self._tally.completed.get(name, 0)
        self.found.calls += calls
        self.found.faults += [f"{name}: {fault}" for fault in faults(gateway.audit(), calls)]

    def _lanes(self, engine: Engine, gateway: Gateway, database: Child | None = None) -> None:
        for lane in lanes():
            if lane.engine != engine or lane.name not in self._options.lanes:
                continue
            print(f"  {lane.title} ...", flush=True)
            figure = measure(
                lane,
                self._stage.yardstick(lane),
                side(gateway, lane, database),
                self._stage.loader,
                self._tally,
                rounds=self._rounds,
                quick=self._options.quick,
            )
            self.found.figures.append(figure)

    def _crossings(self, gateway: Gateway) -> None:
        for each in crossing.crossings():
            if each.lane.name not in self._options.lanes:
                continue
            print(f"  {each.lane.title} ...", flush=True)
            figure = crossing.compare(
                each,
                gateway,
                self._stage,
                self._tally,
                rounds=self._rounds,
                quick=self._options.quick,
            )
            self.found.crossed.append(figure)

    def _latency(self, gateway: Gateway) -> latency.Latency:
        print("  added latency ...", flush=True)
        lane = next(lane for lane in lanes() if lane.concurrency == 1)
        times = latency.measure(
            lane,
            self._stage.straight(lane),
            side(gateway, lane),
            self._stage.loader,
            self._tally,
            rounds=self._rounds,
            quick=self._options.quick,
        )
        return latency.latency(*times, fdatasync_ns(self._stage.folder, _SYNCS))

    def _growth(self, gateway: Gateway) -> memory.Growth:
        print("  memory ...", flush=True)
        lane = next(lane for lane in lanes() if lane.concurrency == 64)
        target = side(gateway, lane)
        quick = self._options.quick
        return memory.growth(lane, gateway, target, self._stage.loader, self._tally, quick=quick)

    def _pair(self, gateways: tuple[Gateway, Gateway], postgres: Postgres) -> pair.Pair:
        print("  two processes ...", flush=True)
        return pair.compare(
            two_processes(),
            gateways,
            self._stage,
            postgres,
            self._tally,
            cores(),
            rounds=self._rounds * _PAIR_ROUNDS,
            quick=self._options.quick,
        )


def run(options: Options) -> Report:
    """Start everything, measure the lanes, stop everything, check the books."""
    found = Report(report.machine(nginx.version()), report.today())
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tollbridge-bench-"))
        for engine in options.pages:
            _pages(engine, options.rows, found)
        if not options.lanes:
            return found
        stage = stack.enter_context(set_up(Path(folder)))
        # A database that cannot be started is better known at once than after the other lanes.
        postgres = _postgres(stack, stage, found) if options.wants("postgresql") else None
        this = Run(options, stage, found)
        if options.wants("sqlite"):
            this.on_sqlite()
        if postgres is not None:
            this.on_postgresql(postgres)
        this.end()
    return found


def _pages(engine: Engine, count: int, found: Report) -> None:
    """Make a large database, ask its questions, visit its pages, throw it away."""
    print(f"  pages of {count} calls on {engine} ...", flush=True)
    with ExitStack() as stack:
        prefix = "tollbridge-bench-pages-"
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix)))
        try:
            url = rows.url_in(folder, engine, stack)
        except PostgresMissing as error:
            found.unmeasured.append(f"pages on PostgreSQL: {error}")
            return
        made = asyncio.run(rows.make(url, count))
        found.faults += [f"{engine}: the roll-up of {slot} differs" for slot in made.wrong]
        found.pages[f"{engine}, the database's part"] = asyncio.run(pages.measure(url))
        visited = asyncio.run(web.measure(url))
        found.pages[f"{engine}, from request to answer"] = [*visited]
        found.faults += [f"{engine}: {page.name} is broken" for page in visited if page.broken]


def _postgres(stack: ExitStack, stage: Stage, found: Report) -> Postgres | None:
    try:
        postgres = Postgres(stage.folder, stage.other)
    except PostgresMissing as error:
        found.unmeasured.append(f"PostgreSQL's lanes: {error}")
        return None
    stack.callback(postgres.stop)
    return postgres
