"""Proof that nobody's gauges take whatever a worker reports."""

import inspect

from tollbridge.core.telemetry import Metrics
from tollbridge.worker.gauges import Counted, Gauges, Uncounted


def test_every_report_is_taken():
    nobody = Uncounted()
    reports = [name for name in vars(Gauges) if not name.startswith("_")]
    assert len(reports) == 7
    for name in reports:
        expected = inspect.signature(getattr(Gauges, name))
        assert inspect.signature(getattr(Uncounted, name)) == expected
        assert getattr(nobody, name)(1) is None


def test_what_is_reported_is_shown():
    metrics = Metrics()
    shown = Counted(metrics)
    for kind, report in (("a", shown.job_done), ("b", shown.job_failed), ("c", shown.job_dead)):
        report(kind)
    shown.periodic_failed("d")
    shown.usage_lag_ms(1500)
    shown.jobs_dead(3)
    shown.imbalance(2)
    text = metrics.exposition().decode()
    for line in (
        'tollbridge_jobs_total{kind="a",outcome="done"} 1.0',
        'tollbridge_jobs_total{kind="b",outcome="failed"} 1.0',
        'tollbridge_jobs_total{kind="c",outcome="dead"} 1.0',
        'tollbridge_jobs_total{kind="d",outcome="failed"} 1.0',
        "tollbridge_usage_lag_seconds 1.5",
        "tollbridge_jobs_dead 3.0",
        "tollbridge_books_imbalance 2.0",
    ):
        assert line in text
