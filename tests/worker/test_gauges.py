"""Proof that nobody's gauges take whatever a worker reports."""

import inspect

from tollbridge.worker.gauges import Gauges, Uncounted


def test_every_report_is_taken():
    nobody = Uncounted()
    reports = [name for name in vars(Gauges) if not name.startswith("_")]
    assert len(reports) == 5
    for name in reports:
        expected = inspect.signature(getattr(Gauges, name))
        assert inspect.signature(getattr(Uncounted, name)) == expected
        assert getattr(nobody, name)(1) is None
