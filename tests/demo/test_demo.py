"""The demonstration runs against the real gateway, and notices money that is off."""

import io
from pathlib import Path

import pytest

from tests.demo.till import Till, serving
from tollbridge.demo import call
from tollbridge.demo.call import CallFailed
from tollbridge.demo.child import choose_port
from tollbridge.demo.demo import _invite, _walk, run_demo
from tollbridge.demo.scene import EMAIL, prepare
from tollbridge.demo.show import Show

# A till speaks chat alone.
_CHATS = call.samples()[:2] * 2


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def show(screen: io.StringIO) -> Show:
    return Show(screen, colour=False)


async def test_money_that_adds_up_is_right(screen: io.StringIO, show: Show) -> None:
    async with serving(Till(["5.00", "4.96"])) as till:
        assert await _walk(till.url, "s", show, _CHATS)
    assert till.paths.count("/v1/receipts/t1") == 4
    assert "4 input x $2500.00 a million = $0.01\n" in screen.getvalue()
    assert "$0.01 x 1.0 (multiplier) = $0.01, rounded up\n" in screen.getvalue()
    assert "to the last nano-dollar" in screen.getvalue()


@pytest.mark.parametrize("after", ["4.960000001", "4.959999999", "5.00"])
async def test_one_nano_dollar_is_off(screen: io.StringIO, show: Show, after: str) -> None:
    async with serving(Till(["5.00", after])) as till:
        assert not await _walk(till.url, "s", show, _CHATS)
    assert "OFF" in screen.getvalue()


async def test_free_calls_are_off(screen: io.StringIO, show: Show) -> None:
    async with serving(Till(["5.00", "5.00"], charge="0.00", cost="0.00")) as till:
        assert not await _walk(till.url, "s", show, _CHATS)
    assert "free" in screen.getvalue()


async def test_a_reply_and_its_receipt_must_agree(show: Show) -> None:
    async with serving(Till(["5.00", "4.96"], cost="0.011")) as till:
        with pytest.raises(CallFailed, match=r"0\.011"):
            await _walk(till.url, "s", show, _CHATS)


async def test_the_whole_run(tmp_path: Path, screen: io.StringIO, show: Show) -> None:
    assert await run_demo(True, tmp_path / "demo", choose_port(0), show) == 0, screen.getvalue()
    text = screen.getvalue()
    assert text.count("answer     Hello! I am demo-") == 11
    for word in ("8 numbers: ", "an image, ", "a sound, "):
        assert f"answer     {word}" in text
    assert text.count("charge     $0.0") == len(call.samples()) == 14
    assert "before     $5.00" in text
    # It has an admin, so that nobody is asked to set it up.
    assert "/setup" not in (tmp_path / "demo" / "gateway.log").read_text()


def test_it_tells_how_to_enter_the_console(tmp_path: Path, screen: io.StringIO, show: Show) -> None:
    scene = prepare(tmp_path, "http://127.0.0.1:1")
    _invite(show, "http://127.0.0.1:8080", scene)
    for word in ("http://127.0.0.1:8080/sign-in", EMAIL, scene.password, scene.secret):
        assert word in screen.getvalue()


async def test_a_folder_that_cannot_be_written_ends_it(
    tmp_path: Path, screen: io.StringIO, show: Show
) -> None:
    (tmp_path / "demo").write_text("in the way")
    assert await run_demo(True, tmp_path / "demo", choose_port(0), show) == 1
    assert "OFF" in screen.getvalue()
