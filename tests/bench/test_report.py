"""The report says what is over its target and what is wrong."""

import json

from bench.lanes import lanes
from bench.latency import latency
from bench.report import Report, as_json, machine, table
from bench.rounds import Figure

_GOOD = Figure(lanes()[0], (20.0,), (60.0,))
_SLOW = Figure(lanes()[1], (20.0,), (900.0,))
_ADDED = latency([100_000, 200_000], [600_000, 9_000_000], [50_000])


def report(*faults: str) -> Report:
    return Report((_GOOD, _SLOW), _ADDED, 99.0, {"cpu": "abacus"}, "2026-01-01", 12, faults)


def line(text: str, begin: str) -> str:
    return next(one for one in text.splitlines() if one.startswith(begin))


def test_table_judges_each_figure() -> None:
    text = table(report())
    assert " ok " in line(text, "unary, 64")
    assert "3.00" in line(text, "unary, 64")
    assert " OVER " in line(text, "unary, 1 at")
    assert line(text, "added latency p50").split()[-4:] == ["500", "<=", "1000", "ok"]
    assert line(text, "added latency p99").split()[-4:] == ["8800", "<=", "3000", "OVER"]
    assert line(text, "cpu") == "cpu: abacus"
    assert "WRONG" not in text


def test_table_shows_what_is_wrong() -> None:
    assert line(table(report("3 calls failed")), "WRONG") == "WRONG: 3 calls failed"


def test_json_has_every_round() -> None:
    facts = json.loads(as_json(report("x")))
    assert facts["figures"][0]["gateway_us"] == [60.0]
    assert facts["figures"][1]["ok"] is False
    assert facts["latency_us"]["fdatasync_p99"] == 50
    assert facts["faults"] == ["x"]


def test_lanes_may_be_left_out() -> None:
    bare = Report((), None, 10.0, {}, "2026-01-01", 0, ())
    assert "latency" not in table(bare)
    assert json.loads(as_json(bare))["latency_us"] is None


def test_machine_is_described() -> None:
    facts = machine("1.2.3")
    assert facts["nginx"] == "1.2.3"
    assert int(facts["cores"]) >= 1
