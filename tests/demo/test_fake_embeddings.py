"""Embeddings of both vendors, and moderations."""

import base64
import json
import struct

import pytest
from openai.types import CreateEmbeddingResponse, ModerationCreateResponse

from tollbridge.demo import fake_embeddings
from tollbridge.demo.fake_embeddings import EmbeddingsAsk, GeminiEmbedAsk, tokens_of, vector
from tollbridge.demo.fake_script import BadAsk, Script


def made(script=None, **fields):
    asked = EmbeddingsAsk("m", **fields)
    return json.loads(fake_embeddings.embeddings(asked, script or Script()))


@pytest.mark.parametrize(
    ("given", "count"),
    [("one", 1), (["one", "two"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2)],
)
def test_each_input_has_a_vector(given, count):
    found = made(input=given)
    CreateEmbeddingResponse.model_validate(found)
    assert [one["index"] for one in found["data"]] == list(range(count))
    assert len({tuple(one["embedding"]) for one in found["data"]}) == count


def test_the_same_text_has_the_same_vector():
    assert vector("a", 8) == vector("a", 40)[:8] != vector("b", 8)
    assert all(-1 <= number <= 1 for number in vector("a", 100))


def test_base64_holds_the_same_numbers():
    floats = made(input="one", dimensions=5)["data"][0]["embedding"]
    packed = made(input="one", dimensions=5, encoding_format="base64")["data"][0]["embedding"]
    assert struct.unpack("<5f", base64.b64decode(packed)) == tuple(floats)


def test_usage():
    assert made(input=["x" * 40, [1, 2, 3]])["usage"] == {"prompt_tokens": 13, "total_tokens": 13}
    assert made(Script(prompt_tokens=9), input="a")["usage"]["total_tokens"] == 9
    assert made(Script(usage="nonsense"), input="a")["usage"]["prompt_tokens"] < 0
    assert "usage" not in made(Script(usage="none"), input="a")
    assert (tokens_of([1, 2, 3]), tokens_of("x" * 9), tokens_of("")) == (3, 2, 1)


def test_gemini():
    content = {"parts": [{"text": "one"}]}
    single = json.loads(fake_embeddings.gemini_embedding(GeminiEmbedAsk(content=content), Script()))
    assert single["embedding"]["values"] == vector("one", 8)
    requests = [{"content": content}, {"content": {"parts": []}, "outputDimensionality": 3}]
    several = json.loads(
        fake_embeddings.gemini_embeddings(GeminiEmbedAsk(requests=requests), Script())
    )
    assert [len(one["values"]) for one in several["embeddings"]] == [8, 3]
    assert several["usageMetadata"]["promptTokenCount"] == 2
    bare = fake_embeddings.gemini_embedding(GeminiEmbedAsk(content=content), Script(usage="none"))
    assert "usageMetadata" not in json.loads(bare)


def test_moderations():
    asked = EmbeddingsAsk("", ["A quiet bridge", "Much Violence"])
    found = json.loads(fake_embeddings.moderations(asked, 4))
    ModerationCreateResponse.model_validate(found)
    assert [one["flagged"] for one in found["results"]] == [False, True]
    parts = EmbeddingsAsk("m", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])
    assert len(json.loads(fake_embeddings.moderations(parts, 4))["results"]) == 1


@pytest.mark.parametrize(
    "make",
    [
        made,
        lambda: fake_embeddings.moderations(EmbeddingsAsk("m", ""), 1),
        lambda: fake_embeddings.gemini_embedding(GeminiEmbedAsk(), Script()),
        lambda: fake_embeddings.gemini_embeddings(GeminiEmbedAsk(), Script()),
    ],
)
def test_nothing_to_do(make):
    with pytest.raises(BadAsk):
        make()
