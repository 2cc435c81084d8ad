"""Proof that a loop in trouble waits longer and longer and says it once."""

import io

import pytest

from tollbridge.core.telemetry import configure_logging
from tollbridge.worker.trouble import Trouble


@pytest.fixture
def log():
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    return lambda: stream.getvalue().splitlines()


def test_pauses_double_up_to_the_longest_and_begin_anew_after_it(log):
    trouble = Trouble("queue", 10)
    assert [trouble.met(OSError()) for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    trouble.over()
    assert trouble.met(OSError()) == 1


def test_it_is_logged_when_it_begins_when_it_changes_and_when_it_is_over(log):
    trouble = Trouble("queue")
    trouble.over()
    assert log() == []
    for error in (OSError("CANARY"), OSError(), KeyError("CANARY"), KeyError()):
        trouble.met(error)
    trouble.over()
    trouble.over()
    begun, changed, ended = log()
    assert '"error": "OSError"' in begun
    assert '"work": "queue"' in begun
    assert '"error": "KeyError"' in changed
    assert "work_goes_on" in ended
    assert "CANARY" not in begun + changed


def test_a_fault_of_ours_shows_where_it_was(log):
    def raises() -> None:
        raise LookupError

    trouble = Trouble("audit")
    with pytest.raises(LookupError) as caught:
        raises()
    trouble.met(caught.value)
    assert "in raises" in log()[0]
