"""Proof of what all dialects of texts have in common."""

import msgspec
import pytest

from tests.relay.calls import account, price
from tests.relay.visitor import Visitor
from tollbridge.protocols.sse import data_of
from tollbridge.protocols.usage import Usage
from tollbridge.relay.chat_dialects import CHAT, COMPLETIONS
from tollbridge.relay.gemini_dialects import GeminiCall
from tollbridge.relay.messages_dialects import MESSAGES
from tollbridge.relay.responses_dialects import RESPONSES
from tollbridge.relay.talk import KEEPALIVE, Talk

ALL = [CHAT, COMPLETIONS, RESPONSES, MESSAGES, GeminiCall("v1beta", "g", stream=True)]


def test_a_heartbeat_is_a_whole_frame_without_data():
    assert KEEPALIVE.endswith(b"\n\n")
    assert KEEPALIVE.startswith(b":")
    assert data_of(KEEPALIVE) is None


def test_each_surface_beats_as_its_clients_bear_it():
    beats = {dialect.surface_name: dialect.heartbeat for dialect in ALL}
    assert beats.pop("messages") == b'event: ping\ndata: {"type": "ping"}\n\n'
    # Google's own client breaks at a comment.
    assert beats.pop("gemini") == b"\r\n"
    assert set(beats.values()) == {KEEPALIVE}


def test_unless_it_says_otherwise_nothing_is_an_image_visible_or_sliced():
    talk = Talk()
    assert not (talk.free or talk.images or talk.makes_images(None) or talk.visible(None, None))
    assert talk.serves(account()) and not talk.sliced(account())
    assert talk.framing() is None
    assert talk.check(None, None) is None


def test_what_a_request_carries_besides_text_is_seen():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4_000}}
    body = {"messages": [{"role": "user", "content": [image]}]}
    scan = Talk().blobs(Visitor(msgspec.json.encode(body)), None)
    assert scan != Talk().blobs(Visitor(b'{"messages":[]}'), None)


@pytest.mark.parametrize("dialect", ALL, ids=lambda one: type(one).__name__)
def test_the_usage_is_what_the_upstream_said_or_an_estimate_by_text(dialect):
    said = Usage(input=3, output=4, web_search=2)
    assert dialect.settled(None, said, price()) is said
    guess = dialect.estimate(None, 100, 400)
    assert guess.input == 100
    assert 0 < guess.output < dialect.estimate(None, 100, 4_000).output
