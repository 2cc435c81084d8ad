"""Owns how the results are shown: a table for people and JSON for comparing runs.

Pure but for the machine's facts, which it reads from /proc. A missed target is said, not failed.
"""

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.latency import TARGET_P50_US, TARGET_P99_US, Latency
from bench.rounds import Figure

RSS_TARGET_MB = 130.0
_HEAD = ("figure", "nginx", "gateway", "ratio", "target", "")


@dataclass(frozen=True, slots=True)
class Report:
    """All that one run found out. Times in µs, memory in MB."""

    figures: tuple[Figure, ...]
    latency: Latency | None
    idle_rss_mb: float
    machine: dict[str, str]
    date: str
    calls: int
    faults: tuple[str, ...]


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
    rows = [_HEAD, *(_figure_row(figure) for figure in report.figures)]
    rows.append(_bound_row("idle memory, MB", report.idle_rss_mb, RSS_TARGET_MB))
    if report.latency is not None:
        added = report.latency
        rows.append(_bound_row("added latency p50, µs", added.added_p50, TARGET_P50_US))
        rows.append(_bound_row("added latency p99, µs", added.added_p99, TARGET_P99_US))
    lines = [*_aligned(rows), *_latency_lines(report.latency), ""]
    lines += [f"{name}: {value}" for name, value in report.machine.items()]
    lines.append(f"{report.calls} calls through the gateway, {report.date}")
    lines += [f"WRONG: {fault}" for fault in report.faults] or ["books: every call has its row"]
    return "\n".join(lines)


def as_json(report: Report) -> bytes:
    """Return the whole report as indented JSON, each round's figures included."""
    figures = [_figure_facts(figure) for figure in report.figures]
    facts = {
        "date": report.date,
        "machine": report.machine,
        "figures": figures,
        "idle_rss_mb": report.idle_rss_mb,
        "latency_us": None if report.latency is None else _latency_facts(report.latency),
        "calls": report.calls,
        "faults": report.faults,
    }
    return msgspec.json.format(msgspec.json.encode(facts), indent=2) + b"\n"


def _figure_facts(figure: Figure) -> dict[str, object]:
    return {
        "lane": figure.lane.name,
        "unit": figure.lane.unit,
        "nginx_us": figure.nginx_us,
        "gateway_us": figure.gateway_us,
        "nginx_median_us": figure.nginx,
        "gateway_median_us": figure.gateway,
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
    low, high = figure.spread
    return (
        f"{figure.lane.title}: CPU µs / {figure.lane.unit}",
        f"{figure.nginx:.1f}",
        f"{figure.gateway:.1f}",
        f"{figure.ratio:.2f}",
        f"<= {figure.lane.target:.1f}",
        f"{_verdict(ok=figure.ok)}  (rounds {low:.2f} - {high:.2f})",
    )


def _bound_row(title: str, value: float, target: float) -> tuple[str, ...]:
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
