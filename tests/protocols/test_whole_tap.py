"""Proof of what is kept of an answer that is no event stream, and what it tells at its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.facts import ReplyFacts, UpstreamFault
from tollbridge.protocols.tap import TAIL_MAX, TOO_LARGE, Tap
from tollbridge.protocols.usage import Usage
from tollbridge.protocols.whole_tap import WholeTap

FACTS = ReplyFacts(model="m", usage=Usage(input=3), finished=True, empty=False, text_bytes=5)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_nothing_passes_before_the_end_and_then_every_byte(pieces):
    read = []
    tap: Tap = WholeTap(lambda body: read.append(body) or FACTS)
    assert [tap.feed(piece) for piece in pieces] == [b""] * len(pieces)
    assert not (tap.content or tap.finished or tap.done or tap.usage)
    tap.close()
    assert read == [b"".join(pieces)]
    assert tap.closing(silent=False) == tap.finish_text() == b"".join(pieces)
    assert (tap.model, tap.usage, tap.text_bytes) == ("m", Usage(input=3), 5)
    assert tap.finished and tap.done
    # Another account may be tried as long as nothing has passed.
    assert not tap.content


@pytest.mark.parametrize(
    "facts", [ReplyFacts(), ReplyFacts(finished=True, error=UpstreamFault("t", "c", "m"))]
)
def test_what_is_no_answer_is_not_finished(facts):
    tap = WholeTap(lambda _: facts)
    tap.feed(b"{}")
    tap.close()
    assert not (tap.finished or tap.done)
    assert tap.error == facts.error


def test_an_answer_has_an_end():
    tap = WholeTap(lambda _: pytest.fail("it is not to be read"))
    tap.feed(bytes(TAIL_MAX))
    assert tap.error is None
    tap.feed(b"x")
    assert tap.error == TOO_LARGE
    tap.close()
    assert not tap.finished
    assert (tap.produced(b"x"), tap.length_ending(Usage())) == (0, b"")
