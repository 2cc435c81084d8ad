"""The exception of failed calls."""

import pytest

from tollbridge.upstreams.failures import NoToken, Reason, UpstreamFailure


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_text_of_its_own(reason):
    failure = UpstreamFailure(reason, sent=True)
    assert (failure.reason, failure.sent, failure.head_seen) == (reason, True, False)
    others = {str(UpstreamFailure(other)) for other in Reason if other is not reason}
    assert str(failure) not in others
    assert reason.value == reason.name.lower()


def test_having_nothing_to_send_is_a_failure_before_anything_was_sent():
    failure = NoToken(600.5)
    assert (failure.reason, failure.sent, failure.for_s) == (Reason.SIGNED_OUT, False, 600.5)
    assert NoToken().for_s == 0
