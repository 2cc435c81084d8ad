"""The exception of failed calls."""

import pytest

from tollbridge.upstreams.failures import Reason, UpstreamFailure


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_text_of_its_own(reason):
    failure = UpstreamFailure(reason, sent=True)
    assert (failure.reason, failure.sent, failure.head_seen) == (reason, True, False)
    others = {str(UpstreamFailure(other)) for other in Reason if other is not reason}
    assert str(failure) not in others
    assert reason.value == reason.name.lower()
