"""Owns how the results are shown: a table for people and JSON for comparing runs.

Pure but for the machine's facts, which it reads from /proc. A missed target is said, not failed.
"""

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec

from bench.latency import TARGET_P50_US, TARGET_P99_US, Latency
from bench.memory import RSS_TARGET_MB, Growth, Idle
from bench.pages import Page
from bench.pages import lines as page_lines
from bench.pair import CORES_MIN, Pair
from bench.pool import Choice
from bench.pool import lines as choice_lines
from bench.rounds import Figure

_HEAD = ("figure", "nginx", "gateway", "ratio", "target", "")
_PAIR_HEAD = ("two processes on one PostgreSQL", "one", "two", "ratio", "target", "")
_CROSSED_HEAD = ("a call translated, beside the same one native", "native", "translated", "ratio")
_SHARED = (
    "Both processes share one core here, so under the same load in all each gathers half the calls"
    " for a commit."
)


@dataclass(slots=True)
class Report:
    """All that one run found out, as far as it came. Times in µs, memory in MB."""

    machine: dict[str, str]
    date: str
    figures: list[Figure] = field(default_factory=list)
    crossed: list[Figure] = field(default_factory=list)
    latency: Latency | None = None
    idle: list[Idle] = field(default_factory=list)
    growth: Growth | None = None
    pair: Pair | None = None
    choices: list[Choice] = field(default_factory=list)
    pages: dict[str, list[Page]] = field(default_factory=dict)
    calls: int = 0
    unmeasured: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def machine(nginx_version: str) -> dict[str, str]:
    """Return the facts without which the figures mean nothing."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "nginx": nginx_version,
        "load average at the start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def today() -> str:
    """Return the time of the run in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def table(report: Report) -> str:
    """Return the figures as aligned text."""
    rows = [_HEAD, *(_figure_row(figure) for figure in report.figures), *_memory_rows(report)]
    if report.latency is not None:
        added = report.latency
        rows.append(_bound_row("added latency p50, µs", added.added_p50, TARGET_P50_US))
        rows.append(_bound_row("added latency p99, µs", added.added_p99, TARGET_P99_US))
    lines = [
        *_aligned(rows),
        *_crossed_lines(report.crossed),
        *_pair_lines(report.pair),
        *_latency_lines(report.latency),
        *_choice_lines(report.choices),
        *(line for name, found in report.pages.items() for line in page_lines(name, found)),
    ]
    lines += [*_database_lines(report), *_idle_lines(report.idle), ""]
    lines += [f"not measured: {what}" for what in report.unmeasured]
    lines += [f"{name}: {value}" for name, value in report.machine.items()]
    lines.append(f"{report.calls} calls through the gateway, {report.date}")
    lines += [f"WRONG: {fault}" for fault in report.faults] or ["books: every call has its row"]
    return "\n".join(lines)


def as_json(report: Report) -> bytes:
    """Return the whole report as indented JSON, each round's figures included."""
    facts = {
        "date": report.date,
        "machine": report.machine,
        "figures": [_figure_facts(figure) for figure in report.figures],
        "crossed": [_crossed_facts(figure) for figure in report.crossed],
        "idle_rss_mb": _most(report.idle[0]) if report.idle else None,
        "idle_rss_mb_each": {idle.gateway: idle.processes_mb for idle in report.idle},
        "rss_growth": report.growth,
        "latency_us": None if report.latency is None else _latency_facts(report.latency),
        "processes": None if report.pair is None else _pair_facts(report.pair),
        "choosing_us": {one.case: {"few": one.few, "many": one.many} for one in report.choices},
        "pages_ms": report.pages,
        "calls": report.calls,
        "not_measured": report.unmeasured,
        "faults": report.faults,
    }
    return msgspec.json.format(msgspec.json.encode(facts), indent=2) + b"\n"


def _figure_facts(figure: Figure) -> dict[str, object]:
    facts: dict[str, object] = {
        "lane": figure.lane.name,
        "unit": figure.lane.unit,
        "nginx_us": figure.base_us,
        "gateway_us": figure.gateway_us,
        "nginx_median_us": figure.base,
        "gateway_median_us": figure.gateway,
        "ratio": figure.ratio,
        "ratio_spread": figure.spread,
        "target": figure.lane.target,
        "ok": figure.ok,
    }
    return facts | ({"database_us": figure.database_us} if figure.database_us else {})


def _crossed_facts(figure: Figure) -> dict[str, object]:
    return {
        "lane": figure.lane.name,
        "unit": figure.lane.unit,
        "native_us": figure.base_us,
        "translated_us": figure.gateway_us,
        "ratio": figure.ratio,
        "ratio_spread": figure.spread,
        "target": figure.lane.target,
        "ok": figure.ok,
    }


def _pair_facts(pair: Pair) -> dict[str, object]:
    found = pair.throughput
    return {
        "each_as_busy": _two_facts(pair.busy),
        "same_load": _two_facts(pair.same),
        "calls_a_second": None if found is None else {"one": found.one, "two": found.two},
    }


def _two_facts(figure: Figure) -> dict[str, object]:
    return {
        "one_us": figure.base_us,
        "two_us": figure.gateway_us,
        "one_database_us": figure.base_database_us,
        "two_database_us": figure.database_us,
        "ratio": figure.ratio,
        "ratio_spread": figure.spread,
        "target": figure.lane.target,
        "ok": figure.ok,
    }


def _latency_facts(found: Latency) -> dict[str, float]:
    return {
        "direct_p50": found.direct_p50,
        "direct_p99": found.direct_p99,
        "gateway_p50": found.gateway_p50,
        "gateway_p99": found.gateway_p99,
        "added_p50": found.added_p50,
        "added_p99": found.added_p99,
        "fdatasync_p50": found.fdatasync_p50,
        "fdatasync_p99": found.fdatasync_p99,
    }


def _figure_row(figure: Figure) -> tuple[str, ...]:
    (low, high), target = figure.spread, figure.lane.target
    return (
        f"{figure.lane.title}: CPU µs / {figure.lane.unit}",
        f"{figure.base:.1f}",
        f"{figure.gateway:.1f}",
        f"{figure.ratio:.2f}",
        "" if target is None else f"<= {target:.1f}",
        f"{'' if target is None else _verdict(ok=figure.ok)}  (rounds {low:.2f} - {high:.2f})",
    )


def _memory_rows(report: Report) -> list[tuple[str, ...]]:
    rows = []
    for idle in report.idle:
        where = "" if idle.gateway == "sqlite" else f", {idle.gateway}"
        rows.append(_bound_row(f"idle memory{where}, MB", _most(idle), RSS_TARGET_MB))
    if report.growth is not None:
        found = report.growth
        rows.append(_bound_row(f"memory grown in {found.calls} calls, MB", found.mb, found.target))
    return rows


def _most(idle: Idle) -> float:
    """Return the memory of a gateway's largest process: the target is one process's."""
    return max(idle.processes_mb)


def _bound_row(title: str, value: float, target: float | None) -> tuple[str, ...]:
    if target is None:
        return title, "", f"{value:.0f}", "", "", ""
    return title, "", f"{value:.0f}", "", f"<= {target:.0f}", _verdict(ok=value <= target)


def _verdict(*, ok: bool) -> str:
    return "ok" if ok else "OVER"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=False)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return lines


def _crossed_lines(crossed: Sequence[Figure]) -> list[str]:
    if not crossed:
        return []
    return ["", *_aligned([(*_CROSSED_HEAD, "target", ""), *map(_figure_row, crossed)])]


def _pair_lines(pair: Pair | None) -> list[str]:
    if pair is None:
        return []
    rows = [_PAIR_HEAD, _figure_row(pair.busy), _figure_row(pair.same)]
    lines = ["", *_aligned(rows), _SHARED]
    found = pair.throughput
    if found is None:
        return [*lines, f"throughput: not measured (needs {CORES_MIN} cores)"]
    one, two = median(found.one), median(found.two)
    said = f"throughput: {one:.0f} and {two:.0f} calls/s, ratio {found.ratio:.2f}"
    return [*lines, f"{said} (one load generator and one vendor, which may be what limits it)"]


def _database_lines(report: Report) -> list[str]:
    rows = [
        f"  {figure.lane.title}  {median(figure.database_us):.1f} / {figure.lane.unit}"
        for figure in report.figures
        if figure.database_us
    ]
    for figure in () if report.pair is None else (report.pair.busy, report.pair.same):
        one, two = median(figure.base_database_us), median(figure.database_us)
        said = f"under one process, under two: {one:.1f}, {two:.1f} / {figure.lane.unit}"
        rows.append(f"  {figure.lane.title}  {said}")
    return ["", "PostgreSQL's own CPU in µs, on the other core:", *rows] if rows else []


def _idle_lines(idle: Sequence[Idle]) -> list[str]:
    if not idle:
        return []
    rows = [f"  {one.gateway}  {', '.join(f'{mb:.0f}' for mb in one.processes_mb)}" for one in idle]
    return ["", "idle memory of each process in MB, a parent first, shared pages in each:", *rows]


def _choice_lines(found: list[Choice]) -> list[str]:
    return ["", *choice_lines(found)] if found else []


def _latency_lines(found: Latency | None) -> list[str]:
    if found is None:
        return []
    return [
        "",
        "one call at a time, p50 / p99 in µs:",
        f"  straight to the vendor  {found.direct_p50:.0f} / {found.direct_p99:.0f}",
        f"  through the gateway     {found.gateway_p50:.0f} / {found.gateway_p99:.0f}",
        f"  fdatasync on that disk  {found.fdatasync_p50:.0f} / {found.fdatasync_p99:.0f}",
    ]
