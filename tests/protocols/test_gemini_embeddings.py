"""Embeddings between Gemini's and OpenAI's words: one text, one vector, whatever the form."""

import base64
import json
import struct

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from tests.protocols import recordings
from tollbridge.protocols.gemini_embeddings import (
    Embedding,
    Vectors,
    read_gemini_answer,
    read_gemini_ask,
    read_openai_answer,
    read_openai_ask,
    write_gemini_answer,
    write_gemini_ask,
    write_openai_answer,
    write_openai_ask,
)
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.losses import Untranslatable
from tollbridge.protocols.usage import Usage

TEXTS = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4)


@given(TEXTS, st.none() | st.integers(1, 3072))
def test_each_input_is_one_request_and_comes_back(texts, dimensions):
    body = {"model": "m", "input": texts}
    body |= {} if dimensions is None else {"dimensions": dimensions}
    ask = read_openai_ask(body)
    sent = write_gemini_ask(ask, "up")
    assert [one["content"]["parts"][0]["text"] for one in sent["requests"]] == texts
    assert {one["model"] for one in sent["requests"]} == {"models/up"}
    again = read_gemini_ask(sent, model="m", batch=True)
    assert (again.texts, again.dimensions) == (texts, dimensions)
    assert write_openai_ask(again, "m") == {**body, "encoding_format": "float"}


def test_a_single_text_and_snake_case():
    assert read_openai_ask({"input": "a", "encoding_format": "base64"}).base64
    body = {"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "output_dimensionality": 2}
    ask = read_gemini_ask(body, model="m", batch=False)
    assert (ask.texts, ask.dimensions, ask.batch) == (["ab"], 2, False)
    assert write_gemini_ask(ask, "up")["content"] == {"parts": [{"text": "ab"}]}


@pytest.mark.parametrize("given_input", [[1, 2], [[1], [2]], ["a", [1]]])
def test_tokens_are_refused(given_input):
    with pytest.raises(Untranslatable):
        read_openai_ask({"input": given_input})


@pytest.mark.parametrize(
    "body", [{}, {"input": []}, {"input": ["a", ""]}, {"input": "a", "encoding_format": "hex"}]
)
def test_malformed_openai_requests(body):
    with pytest.raises(FieldError):
        read_openai_ask(body)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "requests"),
        ({"requests": [3]}, "requests[0]"),
        ({"requests": [{"content": {"parts": [{"inlineData": {}}]}}]}, "requests[0].content.parts"),
    ],
)
def test_malformed_gemini_requests(body, name):
    with pytest.raises(FieldError) as caught:
        read_gemini_ask(body, model="m", batch=True)
    assert caught.value.name == name


def test_what_changes_the_vectors_and_cannot_be_said_is_refused():
    one = {"content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY"}
    ask = read_gemini_ask({"requests": [one]}, model="m", batch=True)
    with pytest.raises(Untranslatable, match="taskType"):
        write_openai_ask(ask, "m")
    other = {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 3}
    with pytest.raises(Untranslatable):
        read_gemini_ask({"requests": [one, other]}, model="m", batch=True)
    odd = Embedding(model="m", texts=["a"], extra={"new": {"a": 1}})
    with pytest.raises(Untranslatable, match="new"):
        write_openai_ask(odd, "m")


FLOATS = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=4)


@given(st.lists(FLOATS, min_size=1, max_size=3), st.booleans())
def test_answers_for_openai_clients_in_both_encodings(vectors, packed):
    ask = Embedding(model="m", texts=["abcde"] * len(vectors), base64=packed)
    answer = read_gemini_answer({"embeddings": [{"values": one} for one in vectors]}, ask)
    assert answer.estimated
    assert answer.usage == Usage(input=2 * len(vectors))
    body = write_openai_answer(answer, ask, "m")
    for one, vector in zip(body["data"], vectors, strict=True):
        if packed:
            raw = base64.b64decode(one["embedding"])
            assert list(struct.unpack(f"<{len(vector)}f", raw)) == vector
    if not packed:
        CreateEmbeddingResponse.model_validate(body, strict=True)
    assert read_openai_answer(body, ask).vectors == vectors


def test_openai_answers_are_put_in_order_for_gemini_clients():
    ask = Embedding(model="m", texts=["a", "b"])
    data = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1]}]
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    answer = read_openai_answer({"data": data, "usage": usage}, ask)
    assert answer == Vectors(vectors=[[1], [2.0]], usage=Usage(input=7))
    body = write_gemini_answer(answer, ask)
    assert [one["values"] for one in body["embeddings"]] == [[1], [2.0]]
    assert body["usageMetadata"] == {"promptTokenCount": 7}
    single = Embedding(model="m", texts=["a"], batch=False)
    estimated = Vectors(vectors=[[1.0]], usage=Usage(input=1), estimated=True)
    assert write_gemini_answer(estimated, single) == {"embedding": {"values": [1.0]}}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"embeddings": [{"values": [1]}]},
        {"embeddings": [{"values": [1]}, {"values": ["x"]}]},
        {"embeddings": [{"values": [1]}, {"values": [1e300]}]},
        {"embeddings": [{"values": [1]}, {"values": "AAA"}]},
        {"embeddings": [{"values": [True]}, {"values": [1]}]},
    ],
)
def test_an_answer_without_a_vector_a_text_is_none(body):
    assert read_gemini_answer(body, Embedding(model="m", texts=["a", "b"])) is None


def test_recorded_embeddings(corpus):
    seen = 0
    for recording in recordings.load(corpus, "gemini"):
        batch = recording.file.startswith("batchEmbed")
        if "mbedContent" not in recording.file or not isinstance(recording.request, dict):
            continue
        seen += 1
        ask = read_gemini_ask(recording.request, model="m", batch=batch)
        answer = read_gemini_answer(recording.body, ask)
        assert answer is not None, recording.file
        assert answer.estimated is ("usageMetadata" not in recording.body)
        body = json.loads(json.dumps(write_gemini_answer(answer, ask)))
        if batch:
            made = [
                one.values
                for one in types.EmbedContentResponse.model_validate(
                    {"embeddings": body["embeddings"]}
                ).embeddings
            ]
            assert made == [one["values"] for one in recording.body["embeddings"]]
    assert seen >= 6
