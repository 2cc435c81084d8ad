"""Colours appear only where they are wanted."""

import io

from tollbridge.demo.show import Show, wants_colour


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def everything(*, colour: bool) -> str:
    stream = io.StringIO()
    show = Show(stream, colour=colour)
    show.step("work")
    show.heading("Part")
    show.fact("name", "value")
    show.good("holds")
    show.bad("broken")
    show.plain("text")
    return stream.getvalue()


def test_colour_is_for_terminals() -> None:
    assert wants_colour(Terminal(), {})
    assert not wants_colour(io.StringIO(), {})
    assert not wants_colour(Terminal(), {"NO_COLOR": "1"})
    assert not wants_colour(Terminal(), {"TERM": "dumb"})
    assert wants_colour(Terminal(), {"NO_COLOR": ""})


def test_plain_output_has_no_escapes() -> None:
    text = everything(colour=False)
    assert "\x1b" not in text
    for word in ("work", "Part", "name", "value", "ok  holds", "OFF broken", "text"):
        assert word in text


def test_colour_is_always_switched_off_again() -> None:
    for line in everything(colour=True).splitlines():
        assert line.count("\x1b[") == 2 * line.count("\x1b[0m")
