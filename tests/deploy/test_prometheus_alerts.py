"""Proof that the rules for Prometheus are whole and ask only for metrics that there are."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tollbridge.core.metrics import Metrics

FILE = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "alerts.yml"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]
]
# Of Prometheus itself.
THEIRS = {"up"}
# Shown by nodes on PostgreSQL and by workers, each in its own place.
ELSEWHERE = {
    "tollbridge_oldest_hold_seconds",
    "tollbridge_settle_lag_seconds",
    "tollbridge_books_imbalance",
    "tollbridge_jobs_dead",
    "tollbridge_usage_lag_seconds",
    "tollbridge_limits_shared",
}
WATCHED = ELSEWHERE | {
    "tollbridge_holds_open",
    "tollbridge_reclaimed_total",
    "tollbridge_late_settles_total",
    "tollbridge_operator_loss_nano_total",
    "tollbridge_queue_depth",
    "tollbridge_commit_seconds",
    "tollbridge_upstream_failures_total",
}
DURATION = re.compile(r"[1-9][0-9]*[smhd]")
NAME = re.compile(r"\b(?:tollbridge_[a-z_]+|up)\b")


def shown() -> set[str]:
    """Return the samples that /metrics can show, by family and in full."""
    names = set()
    for family in Metrics().registry.collect():
        total = f"{family.name}_total" if family.type == "counter" else family.name
        parts = ("_bucket", "_sum", "_count") if family.type == "histogram" else ()
        names |= {total, *(family.name + part for part in parts)}
    return names


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_each_rule_is_whole(rule: dict[str, Any]):
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Tollbridge[A-Z][A-Za-z]+", rule["alert"])
    assert DURATION.fullmatch(rule.get("for", "1m"))
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    assert set(rule["annotations"]) == {"summary", "runbook"}
    for sentence in rule["annotations"].values():
        assert sentence.endswith(".") and len(sentence) > 20
    for left, right in ("()", "[]", "{}"):
        assert rule["expr"].count(left) == rule["expr"].count(right)
    assert all(map(DURATION.fullmatch, re.findall(r"\[(.*?)\]", rule["expr"])))


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_each_metric_exists(rule: dict[str, Any]):
    names = set(NAME.findall(rule["expr"]))
    assert names
    assert names <= shown() | ELSEWHERE | THEIRS


def test_a_metric_that_nobody_shows_would_be_found():
    assert "tollbridge_operator_loss_nano_total" in shown()
    assert "tollbridge_operator_loss_nano" not in shown() | ELSEWHERE


def test_a_counter_is_asked_for_its_growth():
    for rule in RULES:
        for counter in re.findall(r"tollbridge_\w+_total|tollbridge_\w+_bucket", rule["expr"]):
            assert re.search(rf"(rate|increase)\({counter}(\{{.*?\}})?\[", rule["expr"])


def test_names_are_single_and_all_is_watched():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    text = " ".join(rule["expr"] for rule in RULES)
    assert all(name in text for name in WATCHED)
