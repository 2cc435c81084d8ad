"""The command line of the benchmark."""

from pathlib import Path

import pytest

from bench.__main__ import read_options


def test_defaults_are_all_lanes() -> None:
    options = read_options([])
    assert options.lanes == ("unary-64", "unary-1", "streams", "large", "latency")
    assert not options.quick
    assert options.json.parts[-3:] == ("bench", "out", "bench.json")


def test_choices() -> None:
    options = read_options(["--quick", "--lane", "streams", "--json", "x.json"])
    assert (options.quick, options.lanes, options.json) == (
        True,
        ("streams",),
        Path("x.json").resolve(),
    )
    with pytest.raises(SystemExit):
        read_options(["--lane", "nothing"])
