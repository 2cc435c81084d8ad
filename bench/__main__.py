"""Owns one run of the benchmark: `python -m bench [--quick] [--lane NAME] [--json FILE]`.

It starts the pretend vendor and the load generator on one core, nginx and the gateway on the
other, measures, stops all of them, and checks the gateway's books. A slow figure is reported;
only wrong answers or wrong books make it exit 1.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import latency, nginx, report
from bench.disk import fdatasync_ns
from bench.gateway import Gateway, faults
from bench.lanes import Lane, lanes, request_bytes
from bench.latency import Latency
from bench.processes import Child, ChildFailed, two_cores
from bench.rounds import Figure, Loader, Side, Tally, measure

_ROUNDS = 5
_SYNCS = 300
_VENDOR_SECRET = "upstream-secret"
_ROOT = Path(__file__).resolve().parent.parent
_LATENCY = "latency"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    quick: bool
    lanes: tuple[str, ...]
    json: Path


@dataclass(frozen=True, slots=True)
class Stage:
    """The running processes and what may be sent to each."""

    vendor: Child
    vendor_port: int
    nginx: Child
    nginx_port: int
    gateway: Gateway
    loader: Loader
    folder: Path

    def sides(self, lane: Lane) -> tuple[Side, Side, Side]:
        """Return the vendor itself, nginx and the gateway as targets of a lane."""
        straight = request_bytes(lane.body, _VENDOR_SECRET)
        governed = request_bytes(lane.body, self.gateway.secret)
        return (
            Side("vendor", self.vendor_port, straight, self.vendor),
            Side("nginx", self.nginx_port, straight, self.nginx),
            Side("gateway", self.gateway.port, governed, self.gateway.child),
        )


def read_options(words: list[str]) -> Options:
    """Read the command line; exits with the reason when it is wrong."""
    names = [*(lane.name for lane in lanes()), _LATENCY]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer calls: about 30 seconds")
    parser.add_argument("--lane", action="append", choices=names, help="only this lane; repeatable")
    parser.add_argument("--json", type=Path, default=_ROOT / "bench/out/bench.json", metavar="FILE")
    found = parser.parse_args(words)
    return Options(found.quick, tuple(found.lane or names), found.json.resolve())


def run(options: Options) -> report.Report:
    """Start everything, measure the lanes, stop everything, check the books."""
    tally = Tally()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tollbridge-bench-")))
        facts = report.machine(nginx.version())
        stage = _set_up(stack, folder)
        idle = stage.gateway.child.rss_mb()
        figures = tuple(
            _figure(lane, stage, tally, quick=options.quick)
            for lane in lanes()
            if lane.name in options.lanes
        )
        added = None
        if _LATENCY in options.lanes:
            added = _latency(stage, tally, quick=options.quick)
        stage.gateway.child.stop()
        calls = tally.completed.get("gateway", 0)
        wrong = _wrong_answers(tally) or faults(stage.gateway.audit(), calls)
        return report.Report(figures, added, idle, facts, report.today(), calls, tuple(wrong))


def main() -> int:
    """Run the benchmark; return 1 when calls failed or the books are off."""
    options = read_options(sys.argv[1:])
    try:
        found = run(options)
    except (ChildFailed, nginx.NginxMissing) as error:
        print(f"the benchmark cannot run: {error}", file=sys.stderr)
        return 2
    print(report.table(found))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_bytes(report.as_json(found))
    return 1 if found.faults else 0


def _set_up(stack: ExitStack, folder: Path) -> Stage:
    measured, other = two_cores()
    if measured is None:
        print("one core only: nothing is pinned, expect noise")
    python = [sys.executable, "-m"]
    vendor_command = [*python, "tollbridge.demo.fake_upstream"]
    vendor = Child("vendor", vendor_command, folder, other, talks=True)
    stack.callback(vendor.stop)
    url = vendor.line().decode().strip()
    port = int(url.rpartition(":")[2])
    yardstick, nginx_port = nginx.start(folder, port, measured)
    stack.callback(yardstick.stop)
    gateway = Gateway(folder, url, measured)
    stack.callback(gateway.child.stop)
    # The load generator is part of this folder, which only the project's root can import.
    loader = Child("load", [*python, "bench.load"], _ROOT, other, talks=True, log=folder)
    stack.callback(loader.stop)
    return Stage(vendor, port, yardstick, nginx_port, gateway, loader, folder)


def _figure(lane: Lane, stage: Stage, tally: Tally, *, quick: bool) -> Figure:
    print(f"  {lane.title} ...", flush=True)
    _, yardstick, gateway = stage.sides(lane)
    return measure(lane, yardstick, gateway, stage.loader, tally, rounds=_ROUNDS, quick=quick)


def _latency(stage: Stage, tally: Tally, *, quick: bool) -> Latency:
    print("  added latency ...", flush=True)
    lane = next(lane for lane in lanes() if lane.concurrency == 1)
    straight, _, gateway = stage.sides(lane)
    found = latency.measure(
        lane, straight, gateway, stage.loader, tally, rounds=_ROUNDS, quick=quick
    )
    return latency.latency(*found, fdatasync_ns(stage.folder, _SYNCS))


def _wrong_answers(tally: Tally) -> list[str]:
    counts = [f"{count} of {side}'s calls failed" for side, count in tally.errors.items() if count]
    return [*counts, *tally.samples[:3]] if counts else []


if __name__ == "__main__":
    sys.exit(main())
