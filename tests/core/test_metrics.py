"""Metrics have their names, their own registry, and a bounded number of children."""

from prometheus_client.parser import text_string_to_metric_families

from tollbridge.core.metrics import Metrics


def samples(metrics):
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (
            sample.name,
            *(value for _, value in sorted(sample.labels.items(), reverse=True)),
        ): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_calls_and_failures_are_counted_by_label():
    metrics = Metrics()
    metrics.request_done("chat", "complete")
    metrics.request_done("chat", "complete")
    metrics.request_done("gemini", "refused")
    metrics.upstream_failed("timeout")
    seen = samples(metrics)
    assert seen["tollbridge_requests_total", "chat", "complete"] == 2
    assert seen["tollbridge_requests_total", "gemini", "refused"] == 1
    assert seen["tollbridge_upstream_failures_total", "timeout"] == 1


def test_a_label_set_that_grows_is_cut_off():
    metrics = Metrics()
    for number in range(1000):
        metrics.request_done("chat", f"outcome {number}")
        metrics.upstream_failed(f"reason {number}")
    seen = samples(metrics)
    assert seen["tollbridge_requests_total", "other", "other"] == 800
    assert seen["tollbridge_upstream_failures_total", "other"] == 800
    assert len([key for key in seen if key[0] == "tollbridge_requests_total"]) == 201
    metrics.request_done("chat", "outcome 3")
    assert samples(metrics)["tollbridge_requests_total", "chat", "outcome 3"] == 2


def test_money_and_recovery_counters():
    metrics = Metrics()
    metrics.hold_refused()
    metrics.operator_loss(1_500)
    metrics.reclaimed(3)
    metrics.late_settle()
    seen = samples(metrics)
    assert seen["tollbridge_hold_refused_total",] == 1
    assert seen["tollbridge_operator_loss_nano_total",] == 1_500
    assert seen["tollbridge_reclaimed_total",] == 3
    assert seen["tollbridge_late_settles_total",] == 1


def test_what_is_counted_by_kind():
    metrics = Metrics()
    metrics.rate_limited("calls")
    metrics.job_done("mail", "done")
    metrics.job_done("mail", "done")
    metrics.extended()
    metrics.cut_short()
    seen = samples(metrics)
    assert seen["tollbridge_rate_limited_total", "calls"] == 1
    assert seen["tollbridge_jobs_total", "done", "mail"] == 2
    assert seen["tollbridge_extended_total",] == 1
    assert seen["tollbridge_cut_short_total",] == 1


def test_what_is_watched():
    metrics = Metrics()
    before = samples(metrics)
    assert before["tollbridge_books_imbalance",] == -1
    for name in (
        "oldest_hold_seconds",
        "books_imbalance",
        "jobs_dead",
        "usage_lag_seconds",
        "limits_shared",
        "node_epoch",
    ):
        getattr(metrics, name).set(5)
        assert samples(metrics)[f"tollbridge_{name}",] == 5
    metrics.settled(0.003)
    assert samples(metrics)["tollbridge_settle_lag_seconds_bucket", "0.002"] == 0
    assert samples(metrics)["tollbridge_settle_lag_seconds_bucket", "0.005"] == 1


def test_gauges_and_histograms():
    metrics = Metrics()
    metrics.holds_open.inc()
    metrics.streams_open.inc(2)
    metrics.streams_open.dec()
    metrics.queue_depth.set(7)
    metrics.committed(5, 0.003)
    seen = samples(metrics)
    assert seen["tollbridge_holds_open",] == 1
    assert seen["tollbridge_streams_open",] == 1
    assert seen["tollbridge_queue_depth",] == 7
    assert seen["tollbridge_commit_batch_sum",] == 5
    assert seen["tollbridge_commit_batch_bucket", "4.0"] == 0
    assert seen["tollbridge_commit_batch_bucket", "8.0"] == 1
    assert seen["tollbridge_commit_seconds_count",] == 1
    assert seen["tollbridge_commit_seconds_bucket", "0.002"] == 0


def test_two_instances_do_not_mix():
    one, other = Metrics(), Metrics()
    one.hold_refused()
    assert samples(other)["tollbridge_hold_refused_total",] == 0


def test_limits_are_counted_by_what_was_limited():
    metrics = Metrics()
    metrics.rate_limited("tokens")
    metrics.limits_shared.set(True)
    seen = samples(metrics)
    assert seen["tollbridge_rate_limited_total", "tokens"] == 1
    assert seen["tollbridge_limits_shared",] == 1
