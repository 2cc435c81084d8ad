"""The report says what is over its target and what is wrong."""

import json
from dataclasses import replace

from bench.crossing import crossings
from bench.lanes import lanes, two_processes
from bench.latency import latency
from bench.memory import Growth, Idle
from bench.pair import Pair, Throughput
from bench.report import Report, as_json, machine, table
from bench.rounds import Figure

_GOOD = Figure(lanes()[0], (20.0,), (60.0,))
_SLOW = Figure(lanes()[1], (20.0,), (900.0,))
_ADDED = latency([100_000, 200_000], [600_000, 9_000_000], [50_000])


def report(*faults: str) -> Report:
    return Report(
        {"cpu": "abacus"},
        "2026-01-01",
        figures=[_GOOD, _SLOW],
        latency=_ADDED,
        idle=[Idle("sqlite", (99.0,))],
        calls=12,
        faults=list(faults),
    )


def on_postgresql(throughput: Throughput | None = None) -> Report:
    lane = lanes()[5]
    told = replace(two_processes(), title="the same load", target=None)
    pair = Pair(
        Figure(two_processes(), (100.0,), (120.0,), (30.0,), (40.0,)),
        Figure(told, (100.0,), (130.0,), (31.0,), (41.0,)),
        throughput,
    )
    return Report(
        {},
        "2026-01-01",
        figures=[Figure(lane, (20.0,), (100.0,), database_us=(70.0,))],
        idle=[Idle("postgresql", (120.0,)), Idle("two-processes", (80.0, 140.0, 90.0))],
        pair=pair,
        unmeasured=["the moon"],
    )


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
    assert facts["idle_rss_mb"] == 99
    assert facts["faults"] == ["x"]


def test_lanes_may_be_left_out() -> None:
    bare = Report({}, "2026-01-01")
    for word in ("latency", "memory", "two processes", "PostgreSQL", "not measured"):
        assert word not in table(bare)
    assert json.loads(as_json(bare))["latency_us"] is None


def test_machine_is_described() -> None:
    facts = machine("1.2.3")
    assert facts["nginx"] == "1.2.3"
    assert int(facts["cores"]) >= 1


def test_a_lane_without_a_target_is_not_judged() -> None:
    text = line(table(on_postgresql()), "PostgreSQL, unary, 1 at")
    assert text.endswith("20.0    100.0   5.00            (rounds 5.00 - 5.00)")
    assert json.loads(as_json(on_postgresql()))["figures"][0]["target"] is None


def test_two_processes_are_judged_by_themselves() -> None:
    text = table(on_postgresql())
    assert line(text, "two processes on one PostgreSQL").split()[-4:] == [
        "one", "two", "ratio", "target",
    ]  # fmt: skip
    assert line(text, "unary, 64").split()[7:15] == [
        "/", "request", "100.0", "120.0", "1.20", "<=", "1.1", "OVER",
    ]  # fmt: skip
    assert "OVER" not in line(text, "the same load")
    assert "1.30" in line(text, "the same load")
    assert "share one core" in line(text, "Both processes")
    facts = json.loads(as_json(on_postgresql()))["processes"]
    busy, same = facts["each_as_busy"], facts["same_load"]
    assert (busy["one_us"], busy["two_us"], busy["ok"]) == ([100.0], [120.0], False)
    assert (same["two_us"], same["target"], same["ok"]) == ([130.0], None, True)


def test_translated_calls_are_judged_beside_native_ones() -> None:
    found = Report({}, "2026-01-01", crossed=[Figure(crossings()[0].lane, (100.0,), (310.0,))])
    text = table(found)
    assert line(text, "a call translated").split()[-4:] == [
        "native",
        "translated",
        "ratio",
        "target",
    ]
    said = line(text, "chat client at Anthropic, unary").split()
    assert said[-10:-4] == ["100.0", "310.0", "3.10", "<=", "3.0", "OVER"]
    facts = json.loads(as_json(found))["crossed"][0]
    assert (facts["native_us"], facts["translated_us"], facts["ok"]) == ([100.0], [310.0], False)
    assert "a call translated" not in table(report())


def test_throughput_is_told_where_it_is_measured() -> None:
    assert "throughput: not measured (needs 6 cores)" in table(on_postgresql())
    text = line(table(on_postgresql(Throughput((1000.0,), (1900.0,)))), "throughput")
    assert "1000 and 1900 calls/s, ratio 1.90" in text


def test_the_database_server_is_told_beside() -> None:
    text = table(on_postgresql())
    assert line(text, "  PostgreSQL, unary").endswith("70.0 / request")
    assert line(text, "  unary, 64").endswith("under two: 30.0, 40.0 / request")
    assert line(text, "  the same load").endswith("under two: 31.0, 41.0 / request")
    assert json.loads(as_json(on_postgresql()))["figures"][0]["database_us"] == [70.0]


def test_the_largest_process_is_judged_and_each_is_told() -> None:
    text = table(on_postgresql())
    assert line(text, "idle memory, postgresql").split()[-4:] == ["120", "<=", "130", "ok"]
    assert line(text, "idle memory, two-processes").split()[-4:] == ["140", "<=", "130", "OVER"]
    assert line(text, "  two-processes").endswith("80, 140, 90")


def test_growth_is_judged_in_a_full_run() -> None:
    full = Report({}, "2026-01-01", growth=Growth(100_000, 3.0))
    assert line(table(full), "memory grown in 100000").split()[-4:] == ["3", "<=", "2", "OVER"]
    quick = Report({}, "2026-01-01", growth=Growth(10_000, 3.0))
    assert line(table(quick), "memory grown in 10000").split()[-1] == "3"
    assert json.loads(as_json(full))["rss_growth"] == {"calls": 100_000, "mb": 3}


def test_what_is_not_measured_is_told() -> None:
    assert line(table(on_postgresql()), "not measured") == "not measured: the moon"
    assert json.loads(as_json(on_postgresql()))["not_measured"] == ["the moon"]
