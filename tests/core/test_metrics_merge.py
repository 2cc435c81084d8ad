"""Proof that figures of several processes add up, each by its rule, and that no sum ever falls."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tollbridge.core.metrics import Metrics
from tollbridge.core.metrics_merge import (
    Family,
    Report,
    Sample,
    Seen,
    families_of,
    merged_exposition,
)


def report(life: str, **set_to: float) -> Report:
    """Return the report of a process whose gauges have these values."""
    metrics = Metrics()
    for name, value in set_to.items():
        getattr(metrics, name).set(value)
    return Report(life, families_of(metrics.registry))


def counted(life: str, calls: int) -> Report:
    samples = [Sample("tollbridge_requests_total", {"surface": "chat"}, calls)]
    return Report(life, [Family("tollbridge_requests", "Calls.", "counter", samples)])


def shown(reports: dict[int, Report | None], seen: Seen | None = None) -> dict[str, float]:
    seen = seen or Seen()
    seen.take(reports)
    text = merged_exposition(seen, reports).decode()
    return {
        sample.name + "".join(f"|{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_one_report_shows_what_the_process_would():
    metrics = Metrics()
    metrics.request_done("chat", "complete")
    metrics.committed(5, 0.003)
    metrics.holds_open.set(2)
    alone = metrics.exposition().decode().splitlines()
    text = merged_exposition(Seen(), {0: Report("a", families_of(metrics.registry))}).decode()
    lines = [line for line in text.splitlines() if "node_epoch" not in line]
    wanted = [line for line in alone if "node_epoch" not in line]
    assert lines == [
        *wanted,
        "# HELP tollbridge_worker_up 1 when the worker answers.",
        "# TYPE tollbridge_worker_up gauge",
        'tollbridge_worker_up{worker="0"} 1.0',
    ]


def test_counters_and_histograms_are_summed_by_label():
    parts = []
    for calls in (2, 3):
        metrics = Metrics()
        for _ in range(calls):
            metrics.request_done("chat", "complete")
            metrics.job_done("mail", "done")
        metrics.request_done("gemini", f"only {calls}")
        metrics.committed(4, 0.003)
        parts.append(Report(str(calls), families_of(metrics.registry)))
    seen = shown(dict(enumerate(parts)))
    assert seen["tollbridge_requests_total|complete|chat"] == 5
    assert seen["tollbridge_requests_total|only 2|gemini"] == 1
    assert seen["tollbridge_jobs_total|mail|done"] == 5
    assert seen["tollbridge_commit_batch_bucket|4.0"] == 2
    assert seen["tollbridge_commit_batch_sum"] == 8


def test_each_gauge_has_its_rule():
    one = report(
        "a", holds_open=2, oldest_hold_seconds=9, books_imbalance=-1, limits_shared=1, jobs_dead=4,
        usage_lag_seconds=1, node_epoch=11,
    )  # fmt: skip
    other = report(
        "b", holds_open=3, oldest_hold_seconds=5, books_imbalance=0, limits_shared=0, jobs_dead=4,
        usage_lag_seconds=7, node_epoch=12,
    )  # fmt: skip
    seen = shown({0: one, 1: other})
    assert seen["tollbridge_holds_open"] == 5
    assert seen["tollbridge_oldest_hold_seconds"] == 9
    assert seen["tollbridge_books_imbalance"] == 0
    assert seen["tollbridge_limits_shared"] == 0
    assert seen["tollbridge_jobs_dead"] == 4
    assert seen["tollbridge_usage_lag_seconds"] == 7
    assert seen["tollbridge_node_epoch|0"] == 11
    assert seen["tollbridge_node_epoch|1"] == 12


def test_one_that_is_silent_is_down_and_keeps_its_counts_but_not_its_gauges():
    seen = Seen()
    shown({0: counted("a", 1), 1: counted("b", 5)}, seen)
    silent = shown({0: counted("a", 2), 1: None}, seen)
    assert silent["tollbridge_requests_total|chat"] == 7
    assert (silent["tollbridge_worker_up|0"], silent["tollbridge_worker_up|1"]) == (1, 0)
    gauges = shown(
        {0: report("a", holds_open=2), 1: None}, Seen(last={1: report("b", holds_open=3)})
    )
    assert gauges["tollbridge_holds_open"] == 2


def test_a_successor_does_not_make_its_predecessor_forgotten():
    seen = Seen()
    shown({0: counted("a", 5)}, seen)
    assert shown({0: counted("b", 1)}, seen)["tollbridge_requests_total|chat"] == 6
    assert shown({0: counted("c", 2)}, seen)["tollbridge_requests_total|chat"] == 8
    assert shown({0: counted("c", 3)}, seen)["tollbridge_requests_total|chat"] == 9


def test_the_last_calls_of_one_that_ends_in_order_count():
    seen = Seen()
    shown({0: counted("a", 5)}, seen)
    seen.leave(0, counted("a", 7))
    assert shown({0: counted("b", 1)}, seen)["tollbridge_requests_total|chat"] == 8
    # It may end long after its successor was seen, and one may never have been seen at all.
    seen.leave(0, counted("a", 9))
    seen.leave(0, counted("never seen", 20))
    assert shown({0: counted("b", 1)}, seen)["tollbridge_requests_total|chat"] == 30


def test_many_that_are_gone_are_one_sum():
    seen = Seen()
    for number in range(200):
        shown({0: counted(str(number), 1)}, seen)
    assert len(seen.gone) < 100
    assert shown({0: counted("last", 1)}, seen)["tollbridge_requests_total|chat"] == 201


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["call", "die", "hide"])), max_size=40)
)
def test_no_sum_ever_falls(events: list[tuple[int, str]]):
    seen, calls, lives = Seen(), [0, 0, 0], [0, 0, 0]
    before = 0.0
    for index, event in events:
        if event == "die":
            lives[index] += 1
            calls[index] = 0
        else:
            calls[index] += 1
        reports: dict[int, Report | None] = {
            number: counted(f"{number} {lives[number]}", calls[number]) for number in range(3)
        }
        if event == "hide":
            reports[index] = None
        now = shown(reports, seen)["tollbridge_requests_total|chat"]
        assert now >= before
        before = now
