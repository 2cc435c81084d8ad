"""Proof of one try at a count: who is asked, in which words, and what the client reads."""

import msgspec
import pytest

from tests.relay.calls import account
from tests.relay.dialects import task_for
from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.conversation import Carrier, Vendor, Wire
from tollbridge.protocols.losses import Untranslatable
from tollbridge.relay.count_dialects import MESSAGES_COUNT, RESPONSES_COUNT, Counter
from tollbridge.relay.counting import CANNOT_COUNT, Counting

OPENAI, ANTHROPIC, GEMINI = (account(platform=name) for name in ("openai", "anthropic", "gemini"))
COMPATIBLE = account(compatible=True)
GEMINI_COUNT = Counter(Wire.GEMINI, "v1", "m")
SAID = [{"role": "user", "content": "hello"}]
ASKS = {
    "openai": (RESPONSES_COUNT, {"model": "m", "input": "hello", "instructions": "Be terse."}),
    "anthropic": (MESSAGES_COUNT, {"model": "m", "messages": SAID, "system": "Be terse."}),
    "gemini": (GEMINI_COUNT, {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}),
}
VENDORS = {"openai": OPENAI, "anthropic": ANTHROPIC, "gemini": GEMINI}
PATHS = {
    "openai": b"/v1/responses/input_tokens",
    "anthropic": b"/v1/messages/count_tokens",
    "gemini": b"/v1beta/models/m:countTokens",
}
ANSWERS = {
    "openai": b'{"object":"response.input_tokens","input_tokens":7}',
    "anthropic": b'{"input_tokens":7}',
    "gemini": b'{"totalTokens":7}',
}


def counting(client, to, **values):
    dialect, body = ASKS[client]
    errand = dialect.errand(task_for(dialect, values.pop("body", body), **values), to)
    assert isinstance(errand, Counting)
    return errand


@pytest.mark.parametrize("client", ASKS)
def test_ones_own_vendor_gets_the_very_bytes_and_gives_them(client):
    raw = msgspec.json.format(msgspec.json.encode({**ASKS[client][1], "future": [1]}))
    errand = counting(client, VENDORS[client], body=raw)
    assert (errand.body, errand.native, errand.local) == (raw, True, False)
    path = PATHS[client].replace(b"v1beta", b"v1")
    assert errand.path == path
    answer = ANSWERS[client].replace(b":", b" :  ")
    assert errand.read(answer, b"")[1] == answer


@pytest.mark.parametrize(
    ("client", "vendor"), [(one, other) for one in ASKS for other in ASKS if one != other]
)
def test_other_vendors_are_asked_in_their_words_and_answer_in_the_clients(client, vendor):
    errand = counting(client, VENDORS[vendor])
    assert (errand.path, errand.native, errand.local) == (PATHS[vendor], False, False)
    assert b"hello" in errand.body
    assert not {b"max_tokens", b"max_output_tokens", b"store"} & set(errand.body.split(b'"'))
    facts, shown = errand.read(ANSWERS[vendor], b"")
    assert (facts.finished, shown) == (True, ANSWERS[client])
    assert not errand.read(b"junk", b"")[0].finished


@pytest.mark.parametrize("client", ASKS)
def test_nobody_is_asked_where_only_chat_is_spoken(client):
    errand = counting(client, COMPATIBLE)
    assert (errand.local, errand.body, errand.path) == (True, b"", b"")


@pytest.mark.parametrize("client", ASKS)
def test_an_estimate_goes_by_the_size_and_stays_within_the_context(client):
    raw = msgspec.json.encode(ASKS[client][1])
    tokens = msgspec.json.decode(counting(client, COMPATIBLE).estimate())
    assert -(-len(raw) // 4) in tokens.values()
    long = raw.replace(b"hello", b"hello" * 20_000)
    tokens = msgspec.json.decode(counting(client, COMPATIBLE, body=long).estimate())
    assert 10_000 in tokens.values()


def test_a_picture_counts_as_one_thing_and_not_by_its_bytes():
    picture = "iVBORw0KGgoAAAAN" + "A" * 100_000
    source = {"type": "base64", "media_type": "image/png", "data": picture}
    said = [{"role": "user", "content": [{"type": "image", "source": source}]}]
    errand = counting("anthropic", COMPATIBLE, body={"model": "m", "messages": said})
    assert 1_000 < msgspec.json.decode(errand.estimate())["input_tokens"] < 1_200


def test_a_mapped_name_goes_to_ones_own_vendor_and_to_others():
    errand = counting("anthropic", ANTHROPIC, model="up")
    assert msgspec.json.decode(errand.body) == {**ASKS["anthropic"][1], "model": "up"}
    assert msgspec.json.decode(counting("anthropic", OPENAI, model="up").body)["model"] == "up"
    assert counting("anthropic", GEMINI, model="up").path == b"/v1beta/models/up:countTokens"


def test_an_effort_of_the_name_is_told_to_others():
    errand = counting("anthropic", OPENAI, model="gpt-5.4", effort="high")
    assert msgspec.json.decode(errand.body)["reasoning"]["effort"] == "high"


def test_thoughts_of_others_do_not_reach_ones_own_vendor():
    envelope = sealed(Carrier(Vendor.GEMINI, "SECRET"))
    thought = {"type": "thinking", "thinking": "theirs", "signature": envelope}
    says = {"type": "text", "text": "so"}
    history = [*SAID, {"role": "assistant", "content": [thought, says]}, *SAID]
    body = {"model": "m", "messages": history}
    sent = msgspec.json.decode(counting("anthropic", ANTHROPIC, body=body).body)
    assert sent["messages"][1]["content"] == [says]
    assert "max_tokens" not in sent
    item = {"type": "reasoning", "summary": [], "encrypted_content": envelope}
    body = {"model": "m", "input": [*SAID, item, *SAID]}
    sent = msgspec.json.decode(counting("openai", OPENAI, body=body).body)
    assert sent["input"] == [*SAID, *SAID]


def test_what_cannot_be_told_is_refused_by_name():
    body = {**ASKS["openai"][1], "previous_response_id": "resp_1"}
    with pytest.raises(Untranslatable) as error:
        counting("openai", ANTHROPIC, body=body)
    assert error.value.name == "previous_response_id"


def test_nothing_is_streamed():
    with pytest.raises(NotImplementedError):
        counting("openai", OPENAI).tap()
    assert 404 in CANNOT_COUNT and 400 not in CANNOT_COUNT
