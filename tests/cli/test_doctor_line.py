"""The twin of cli/doctor_line.py."""

from tollbridge.cli.doctor_line import Level, Line, bad, ok, warn


def test_each_level_has_its_maker():
    assert ok("a", "b") == Line(Level.OK, "a", "b")
    assert warn("a", "b") == Line(Level.WARN, "a", "b")
    assert bad("a", "b") == Line(Level.BAD, "a", "b")
