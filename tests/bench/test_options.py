"""The command line of the benchmark."""

from pathlib import Path

import pytest

from bench.options import choices, read_options

_ON_SQLITE = (
    *("unary-64", "unary-1", "streams", "large", "messages-streams", "gemini-streams"),
    *("cross-unary", "cross-streams", "cross-unary-messages", "cross-streams-messages"),
    *("latency", "memory", "pool"),
)
_ON_POSTGRESQL = ("postgresql-unary-64", "postgresql-unary-1", "postgresql-streams", "processes")


def test_defaults_are_all_lanes() -> None:
    options = read_options([])
    assert sorted(options.lanes) == sorted(_ON_SQLITE + _ON_POSTGRESQL) == sorted(choices())
    assert not options.quick
    assert options.json.parts[-3:] == ("bench", "out", "bench.json")
    assert options.wants("sqlite")
    assert options.wants("postgresql")


def test_choices() -> None:
    options = read_options(["--quick", "--lane", "streams", "--json", "x.json"])
    assert (options.quick, options.lanes, options.json) == (
        True,
        ("streams",),
        Path("x.json").resolve(),
    )
    assert not options.wants("postgresql")
    with pytest.raises(SystemExit):
        read_options(["--lane", "nothing"])


def test_an_engine_has_its_lanes() -> None:
    assert sorted(read_options(["--engine", "sqlite"]).lanes) == sorted(_ON_SQLITE)
    options = read_options(["--engine", "postgresql"])
    assert sorted(options.lanes) == sorted(_ON_POSTGRESQL)
    assert not options.wants("sqlite")


def test_pages_are_read_only_when_asked_for() -> None:
    assert read_options([]).pages == ()
    both = read_options(["--lane", "pages"])
    assert (both.pages, both.lanes, both.rows) == (("sqlite", "postgresql"), (), 10_000_000)
    one = read_options(["--lane", "pages", "--lane", "pool", "--engine", "sqlite", "--rows", "5"])
    assert (one.pages, one.lanes, one.rows) == (("sqlite",), ("pool",), 5)


def test_nothing_to_measure_is_refused(capsys) -> None:
    with pytest.raises(SystemExit):
        read_options(["--engine", "sqlite", "--lane", "processes"])
    assert "none of the lanes named is on sqlite" in capsys.readouterr().err
