"""Proof of a try in the client's own protocol: bytes stay, names are mapped, oddities are repaired."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.calls import account
from tests.relay.dialects import task_for
from tollbridge.relay.chat_dialects import CHAT
from tollbridge.relay.straight import JSON, Straight, renamed

BODY = {"model": "asked", "messages": [{"role": "user", "content": "hello"}]}
ANSWER = (
    b'{"model" : "upstream-2026",  "choices":[{"message":{"content":"hi","model":"x"},'
    b'"finish_reason":"stop"}]}'
)


def errand(to=None, *, model="", **fields):
    return Straight(CHAT, task_for(CHAT, {**BODY, **fields}, model=model), to or account())


def test_it_is_native_and_says_what_it_sends():
    one = errand()
    assert (one.path, one.content_type, one.native) == (b"/v1/chat/completions", JSON, True)
    assert msgspec.json.decode(one.body) == BODY
    form = Straight(CHAT, task_for(CHAT, BODY), account(), b"multipart/form-data; boundary=b")
    assert form.content_type == b"multipart/form-data; boundary=b"


def test_an_answer_is_the_upstreams_to_the_byte():
    facts, shown = errand().read(ANSWER, JSON)
    assert shown == ANSWER
    assert (facts.model, facts.text_bytes, facts.finished) == ("upstream-2026", 2, True)


def test_a_mapped_model_is_sent_and_the_client_reads_its_own_name():
    one = errand(model="sent")
    assert msgspec.json.decode(one.body) == {**BODY, "model": "sent"}
    facts, shown = one.read(ANSWER, JSON)
    assert facts.model == "upstream-2026"
    assert shown == ANSWER.replace(b'"upstream-2026"', b'"asked"')


def test_only_a_compatible_upstreams_answer_is_put_right():
    _, shown = errand(account(compatible=True)).read(ANSWER, JSON)
    assert msgspec.json.decode(shown)["id"] == "chatcmpl-t1"
    _, shown = errand().read(ANSWER, JSON)
    assert "id" not in msgspec.json.decode(shown)


def test_a_stream_of_a_mapped_model_bears_the_clients_name():
    tap = errand(model="sent", stream=True).tap()
    frame = b'data: {"model":"up","choices":[{"index":0,"delta":{"content":"\\"model\\":\\"up\\""}}]}\n\n'
    assert tap.feed(frame) == frame.replace(b'{"model":"up"', b'{"model":"asked"')
    assert errand(stream=True).tap().feed(frame) == frame


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b'{"modelVersion": "m"}', b'{"modelVersion": "new"}'),
        (b'{"model":"m","a":{"model":"m"}}', b'{"model":"new","a":{"model":"m"}}'),
        (b'{"model":null,"a":1}', b'{"model":null,"a":1}'),
        (b'{"model":{"id":"m"}}', b'{"model":{"id":"m"}}'),
        (b"[1]", b"[1]"),
        (b"not json", b"not json"),
        (b"", b""),
    ],
)
def test_only_a_name_at_the_top_is_a_models_name(body, after):
    assert renamed(body, "new") == after


@given(st.binary(max_size=60), st.text(max_size=10))
def test_whatever_an_upstream_writes_renaming_never_raises(body, name):
    assert isinstance(renamed(body, name), bytes)
    assert errand(model="sent").read(body, b"")[0].empty
