"""The demonstration's configuration can be applied and keeps its key."""

import tomllib
from pathlib import Path

import pytest

from tollbridge.demo.call import samples
from tollbridge.demo.scene import GEMINI, MODELS, Earlier, earlier_secrets, prepare


def test_the_key_survives_a_new_vendor_address(tmp_path: Path) -> None:
    first = prepare(tmp_path / "demo", "http://127.0.0.1:1")
    second = prepare(tmp_path / "demo", "http://127.0.0.1:2")
    assert (first.secret, first.password) == (second.secret, second.password)
    assert len(first.password) >= 16 and first.password not in repr(first)
    assert len(first.secret) >= 32
    assert "http://127.0.0.1:2" in second.file.read_text()
    assert second.file.stat().st_mode & 0o077 == 0
    assert second.database.startswith("sqlite:////")


def test_every_call_asks_for_a_model_that_is_sold(tmp_path: Path) -> None:
    scene = prepare(tmp_path, "http://127.0.0.1:1")
    found = tomllib.loads(scene.file.read_text())
    sold = [model["name"] for model in found["model"]]
    asked = {sample.body.get("model", GEMINI) for sample in samples()}
    assert asked == set(sold) == set(MODELS)
    assert sorted(sold) == sorted(name for each in found["channel"] for name in each["models"])
    platforms = [each["platform"] for each in found["channel"]]
    assert platforms == ["openai", "anthropic", "gemini"]
    assert "channel" not in found["user"][0]["key"][0]
    assert found["user"][0]["credit"] == "5.00"
    assert (found["user"][0]["role"], found["user"][0]["password"]) == ("admin", scene.password)


def test_a_configuration_of_before_there_was_a_password_keeps_its_key(tmp_path: Path) -> None:
    (tmp_path / "demo.toml").write_text('[[user]]\n[[user.key]]\nsecret = "old"\n')
    scene = prepare(tmp_path, "http://127.0.0.1:1")
    assert scene.secret == "old" and scene.password


@pytest.mark.parametrize(
    "text", ["", "[[user]]", "user = 1", "=", "[[user]]\n[[user.key]]\nsecret = 5"]
)
def test_an_unreadable_earlier_file_gives_no_key(tmp_path: Path, text: str) -> None:
    file = tmp_path / "demo.toml"
    file.write_text(text)
    assert earlier_secrets(file) == Earlier()
    assert earlier_secrets(tmp_path / "absent.toml") == Earlier()
