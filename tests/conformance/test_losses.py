"""What translations lose of recorded traffic is what the list says, and little of text and tools."""

import pytest

from tests.conformance import losses
from tests.conformance.dialogues import PAIRS
from tollbridge.protocols.losses import LOSSES


def test_the_list_is_true(corpus):
    """Read the difference; if it is meant, write it: python -m tests.conformance.losses --write."""
    assert losses.written(corpus).splitlines() == losses.LIST.read_text().splitlines()


@pytest.mark.parametrize(("up", "client"), PAIRS)
def test_text_and_tools_pass_without_loss(corpus, up, client):
    lost, every, plain, whole = losses.answers(corpus, up, client)
    assert every > 200 and plain > every * 3 / 4
    assert whole >= plain * 0.95
    assert set(lost) <= set(LOSSES)
