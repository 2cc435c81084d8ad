"""Proof of channels that are for users bound to Telegram: refused to others, passed over by auto."""

import pytest

from tests.relay.calls import asked, channel, key, snapshot
from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.money import Multiplier
from tollbridge.relay.gate import Offers, read_body

MARKED = channel(2, "marked", multiplier=Multiplier(1, 2), requires_telegram=True)


def chosen(by, *channels, offers=None):
    call = asked(by=by, catalogue=snapshot(*channels))
    read_body(call)
    (offers or Offers()).choose(call)
    return call.channel.name


def refused(by, *channels):
    with pytest.raises(ApiError) as caught:
        chosen(by, *channels)
    return caught.value


@pytest.mark.parametrize("channels", [(MARKED,), (channel(), MARKED)])
def test_a_channel_for_users_of_telegram_is_refused_to_others(channels):
    error = refused(key(channel_id=2), *channels)
    assert (error.kind, error.facts) == (Kind.VERIFICATION_REQUIRED, {"key_last6": "abc123"})
    assert chosen(key(channel_id=2, user_telegram=True), *channels) == "marked"


def test_an_auto_key_goes_where_no_telegram_is_needed_as_long_as_there_is_such_a_channel():
    auto, bound = key(channel_id=None), key(channel_id=None, user_telegram=True)
    assert chosen(auto, channel(), MARKED) == "main"
    assert chosen(bound, channel(), MARKED) == "marked"
    assert refused(auto, MARKED).kind is Kind.VERIFICATION_REQUIRED
    other = channel(1, models=["gpt-other"])
    assert refused(auto, other, MARKED).kind is Kind.VERIFICATION_REQUIRED


def test_within_one_snapshot_the_binding_to_telegram_is_each_users_own():
    catalogue, offers = snapshot(channel(), MARKED), Offers()

    def choose(**values):
        call = asked(by=key(**values), catalogue=catalogue)
        read_body(call)
        offers.choose(call)
        return call.channel.name

    for _ in range(2):
        assert choose(channel_id=2, user_telegram=True) == "marked"
        with pytest.raises(ApiError) as caught:
            choose(channel_id=2)
        assert caught.value.kind is Kind.VERIFICATION_REQUIRED
