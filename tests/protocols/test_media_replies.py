"""Whatever an upstream writes, reading it never raises, and what is used is never negative."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.test_embeddings import ASK as EMBEDDING
from tests.protocols.test_images import ASK as IMAGE
from tests.protocols.test_moderations import ASK as MODERATION
from tests.protocols.test_speech import ASK as SPEECH
from tests.protocols.test_transcriptions import ASK as TRANSCRIPTION
from tollbridge.protocols import embeddings, images, moderations, speech, transcriptions
from tollbridge.protocols.facts import ReplyFacts
from tollbridge.protocols.usage import TOKEN_BUCKETS

READERS = [
    (embeddings, EMBEDDING),
    (images, IMAGE),
    (moderations, MODERATION),
    (speech, SPEECH),
    (transcriptions, TRANSCRIPTION),
]
NAMES = [
    "b64_json", "data", "duration", "error", "model", "quality", "results", "seconds", "size",
    "svg_usage", "text", "type", "url", "usage", "input_tokens", "output_tokens", "total_tokens",
    "prompt_tokens", "audio_data",
]  # fmt: skip

_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=15,
)
_types = st.sampled_from([b"", b"application/json", b"text/plain", b"audio/mpeg"])
_replies = st.binary(max_size=40) | _values.map(lambda value: json.dumps(value).encode())


@pytest.mark.parametrize(("module", "ask"), READERS)
@given(body=_replies, content_type=_types)
def test_no_reply_raises(module, ask, body, content_type):
    facts = module.read_reply(body, content_type, ask)
    assert isinstance(facts, ReplyFacts)
    assert facts.text_bytes >= 0
    usage = facts.usage
    if usage is not None:
        counts = [getattr(usage, name) for name in (*TOKEN_BUCKETS, "second", "character")]
        assert min(counts) >= 0
        assert sum(image.count for image in usage.images) <= 1


@pytest.mark.parametrize(("module", "ask"), READERS)
def test_absurd_depth_and_lone_surrogates_do_not_raise(module, ask):
    for body in (b'{"text": ' + b"[" * 200_000, b'{"text": "\\ud800", "model": "\\udfff"}'):
        assert module.read_reply(body, b"application/json", ask).usage is None
