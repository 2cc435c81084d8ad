"""What counts as wrong books, and what the gateway is configured to sell."""

import dataclasses
import tomllib

from bench.gateway import Books, configuration, faults
from bench.lanes import MODEL

_GOOD = Books(usage_rows=5, charged=100, spent=100, held=0, verified=True, verdict="")


def test_good_books_have_no_fault() -> None:
    assert faults(_GOOD, 5) == []


def test_each_fault_is_found() -> None:
    changes: list[dict[str, int | bool]] = [
        {"usage_rows": 4},
        {"spent": 99},
        {"held": 1},
        {"verified": False},
    ]
    for change in changes:
        assert len(faults(dataclasses.replace(_GOOD, **change), 5)) == 1  # type: ignore[arg-type]
    nothing = dataclasses.replace(_GOOD, charged=0, spent=0)
    assert "dropped by 0" in faults(nothing, 5)[0]


def test_configuration_is_toml() -> None:
    found = tomllib.loads(configuration("http://127.0.0.1:9", "sk-" + "0" * 48))
    assert found["model"][0]["name"] == MODEL
    assert found["channel"][0]["account"][0]["base_url"] == "http://127.0.0.1:9"
    assert len(found["user"][0]["key"][0]["secret"]) >= 32
