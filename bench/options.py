"""Owns the command line of the benchmark: which lanes, how many calls, where the JSON goes. Pure."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from bench.crossing import crossings
from bench.lanes import Engine, lanes, two_processes

LATENCY = "latency"
MEMORY = "memory"
POOL = "pool"
PAGES = "pages"
"""Not among the lanes that are measured unasked: making its database takes many minutes."""

ROWS = 10_000_000
PROCESSES = two_processes().name
_JSON = Path(__file__).resolve().parent / "out/bench.json"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for; `lanes` are in the order in which they are measured.

    `pages` are the engines on which pages are read, of `rows` calls.
    """

    quick: bool
    lanes: tuple[str, ...]
    json: Path
    pages: tuple[Engine, ...] = ()
    rows: int = ROWS

    def wants(self, engine: Engine) -> bool:
        """Tell whether any chosen lane is on that engine."""
        return any(choices()[name] == engine for name in self.lanes)


def choices() -> dict[str, Engine]:
    """Return the name of each lane with its engine."""
    compared: dict[str, Engine] = {lane.name: lane.engine for lane in lanes()}
    crossed: dict[str, Engine] = {each.lane.name: each.lane.engine for each in crossings()}
    others: dict[str, Engine] = {LATENCY: "sqlite", MEMORY: "sqlite", POOL: "sqlite"}
    return compared | crossed | others | {PROCESSES: "postgresql"}


def read_options(words: list[str]) -> Options:
    """Read the command line; exits with the reason when it is wrong."""
    known = choices()
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure a governed call's CPU time beside nginx."
    )
    parser.add_argument("--quick", action="store_true", help="fewer calls: about a minute")
    parser.add_argument(
        "--lane", action="append", choices=[*known, PAGES], help="only this lane; repeatable"
    )
    parser.add_argument(
        "--engine", choices=[*get_args(Engine), "both"], default="both", help="only its lanes"
    )
    parser.add_argument("--rows", type=int, default=ROWS, help=f"calls of the lane {PAGES}")
    parser.add_argument("--json", type=Path, default=_JSON, metavar="FILE")
    found = parser.parse_args(words)
    named = found.lane or list(known)
    chosen = [name for name in known if name in named and found.engine in {known[name], "both"}]
    engines: tuple[Engine, ...] = get_args(Engine) if PAGES in named else ()
    pages = tuple(engine for engine in engines if found.engine in {engine, "both"})
    if not (chosen or pages):
        parser.error(f"none of the lanes named is on {found.engine}")
    return Options(found.quick, tuple(chosen), found.json.resolve(), pages, found.rows)
