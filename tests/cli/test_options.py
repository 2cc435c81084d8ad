"""Proof that a command which cannot work says why in one sentence."""

import pytest

from tollbridge.cli.options import ask, read_settings, saying_what_is_wrong, stop


def test_stop_says_it_on_stderr_and_exits_1(capsys):
    with pytest.raises(SystemExit) as ended:
        stop(RuntimeError("nothing there"))
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", "tollbridge: nothing there\n")


def test_trouble_of_the_database_is_one_sentence(capsys):
    with pytest.raises(SystemExit), saying_what_is_wrong():
        raise ConnectionRefusedError(111, "Connection refused")
    assert capsys.readouterr().err == (
        "tollbridge: the database cannot be used: Connection refused\n"
    )


def test_other_errors_are_not_hidden():
    with pytest.raises(KeyError), saying_what_is_wrong():
        raise KeyError


def test_settings_that_are_wrong_stop_the_command(capsys):
    with pytest.raises(SystemExit):
        read_settings(None, port=99_999)
    assert capsys.readouterr().err.startswith("tollbridge: port (on the command line): ")


def test_a_question_needs_a_database_of_this_schema(capsys, tmp_path):
    path = tmp_path / "t.db"
    for sentence in (f"there is no database {path}", "run tollbridge migrate"):
        with pytest.raises(SystemExit):
            ask(None, f"sqlite:///{path}", pytest.fail)
        assert sentence in capsys.readouterr().err
        path.touch()
