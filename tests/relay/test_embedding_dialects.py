"""Proof that vectors come from either platform to either client, and what cannot be asked for."""

import msgspec
import pytest

from tests.relay.calls import INPUT_NANO, account, admitted
from tests.relay.dialects import said_to, task_for
from tests.relay.media import media_catalogue, opened, record
from tollbridge.core.errors import ApiError, Kind, Surface
from tollbridge.protocols.losses import Untranslatable
from tollbridge.protocols.usage import Usage
from tollbridge.relay.embedding_dialects import EMBEDDINGS, GeminiEmbeddings
from tollbridge.relay.routes import match

PATH = "/v1/embeddings"
ASK = {"model": "embed", "input": ["one", "two"]}
GEMINI = account(platform="gemini")
CONTENT = {"content": {"parts": [{"text": "one"}]}}
BATCH = {"requests": [{"model": "models/embed", **CONTENT}] * 2}


@pytest.fixture
async def floor():
    async with opened() as floor:
        yield floor


def task_of(body):
    task = task_for(EMBEDDINGS, body)
    return task._replace(ask=task.ask)


def test_only_what_goes_in_is_held():
    call = admitted(ASK, path=PATH, catalogue=media_catalogue(None))
    assert (call.wish.has_output, call.wish.whole, call.ask.stream) == (False, True, False)
    for dialect in (EMBEDDINGS, GeminiEmbeddings("v1beta", "embed", batch=True)):
        platforms = ("openai", "gemini", "anthropic")
        assert [dialect.serves(account(platform=one)) for one in platforms] == [True, True, False]


def test_openais_request_in_geminis_words():
    body = {**ASK, "dimensions": 4, "encoding_format": "base64", "user": "me", "extra": None}
    task = task_of(body)
    assert said_to(EMBEDDINGS, task, GEMINI) == {
        "requests": [
            {
                "model": "models/embed",
                "content": {"parts": [{"text": text}]},
                "outputDimensionality": 4,
            }
            for text in ("one", "two")
        ]
    }
    errand = EMBEDDINGS.errand(task, GEMINI)
    assert (errand.path, errand.native) == (b"/v1beta/models/embed:batchEmbedContents", False)


@pytest.mark.parametrize(
    ("fields", "name"), [({"input": [1, 2]}, "input"), ({"truncate": True}, "truncate")]
)
def test_what_gemini_cannot_be_told(fields, name):
    with pytest.raises(Untranslatable) as info:
        EMBEDDINGS.errand(task_of({**ASK, **fields}), GEMINI)
    assert info.value.name == name


def test_a_name_stays_within_its_path():
    errand = EMBEDDINGS.errand(task_of({**ASK, "model": "a/b c?d"}), GEMINI)
    assert errand.path == b"/v1beta/models/a%2Fb%20c%3Fd:batchEmbedContents"


def test_an_answer_without_figures_is_estimated_as_it_is_shown():
    task = task_of({**ASK, "encoding_format": "float"})
    body = b'{"embeddings":[{"values":[1]},{"values":[2]}]}'
    facts, answer = EMBEDDINGS.errand(task, GEMINI).read(body, b"application/json")
    assert facts.usage is None and facts.finished and not facts.empty
    shown = msgspec.json.decode(answer)
    assert [one["embedding"] for one in shown["data"]] == [[1], [2]]
    charged = EMBEDDINGS.estimate(task.ask, 99, 0)
    assert shown["usage"]["prompt_tokens"] == charged.input
    told = body[:-1] + b',"usageMetadata":{"promptTokenCount":7}}'
    facts, answer = EMBEDDINGS.errand(task, GEMINI).read(told, b"application/json")
    assert facts.usage == Usage(input=7)
    assert msgspec.json.decode(answer)["usage"]["prompt_tokens"] == 7


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"embeddings":[{"values":[1]}]}', b'{"error":{"code":500}}']
)
def test_what_is_no_answer(body):
    for dialect, ask, to in (
        (EMBEDDINGS, ASK, GEMINI),
        (match("/v1beta/models/embed:batchEmbedContents"), BATCH, account()),
    ):
        errand = dialect.errand(task_for(dialect, ask), to)
        facts, answer = errand.read(body, b"application/json")
        assert answer == b"" and facts.empty and not facts.finished
        assert (facts.error is not None) == (b"error" in body)


@pytest.mark.parametrize("version", ["v1beta", "v1", "v1alpha"])
@pytest.mark.parametrize("action", ["embedContent", "batchEmbedContents"])
def test_geminis_own_requests_stay_as_they_are(version, action):
    dialect = match(f"/gemini/{version}/models/embed:{action}")
    assert dialect.surface is Surface.GEMINI
    body = BATCH if action.startswith("batch") else CONTENT
    errand = dialect.errand(task_for(dialect, body), GEMINI)
    assert errand.path == f"/{version}/models/embed:{action}".encode()
    assert (errand.native, msgspec.json.decode(errand.body)) == (True, body)
    reply = b'{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":7}}'
    facts, answer = errand.read(reply, b"application/json")
    assert (facts.usage, answer) == (Usage(input=7), reply)


def test_geminis_request_in_openais_words():
    dialect = match("/v1beta/models/embed:batchEmbedContents")
    assert said_to(dialect, task_for(dialect, BATCH), account()) == {
        "model": "embed",
        "input": ["one", "one"],
        "encoding_format": "float",
    }
    tasked = {**CONTENT, "taskType": "CLUSTERING"}
    dialect = match("/v1beta/models/embed:embedContent")
    with pytest.raises(Untranslatable) as info:
        dialect.errand(task_for(dialect, tasked), account())
    assert info.value.name == "taskType"


async def test_a_refusal_names_the_field_and_is_free(floor):
    floor.world.snapshot = media_catalogue(floor, platform="gemini")
    client = await floor.answered({**ASK, "input": [1, 2]}, path=PATH)
    assert (client.status, client.json()["error"]["param"]) == (400, "input")
    assert floor.row["charge"] == 0
    assert not floor.vendor.books.calls


async def test_a_vendors_figures_are_charged(floor):
    floor.script(1, prompt_tokens=11)
    client = await floor.answered(ASK, path=PATH)
    assert client.json()["usage"]["prompt_tokens"] == 11
    assert (floor.row["charge"], floor.row["output"]) == (11 * INPUT_NANO, 0)


async def test_another_model_in_the_body_is_refused(floor):
    floor.world.snapshot = media_catalogue(floor, platform="gemini")
    body = {"requests": [{"model": "models/other", **CONTENT}]}
    client = await floor.answered(body, path="/v1beta/models/embed:batchEmbedContents")
    assert (client.status, client.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert "requests[0].model" in client.json()["error"]["message"]


async def test_vectors_that_nobody_counted(floor):
    floor.world.snapshot = media_catalogue(floor, platform="gemini")
    floor.script(1, replay="bare")
    record(floor, "bare", b'{"embedding":{"values":[1]}}', "application/json")
    client = await floor.answered(CONTENT, path="/v1beta/models/embed:embedContent")
    assert client.status == 200
    assert floor.row["flags"] == "estimated" and floor.row["charge"] > 0


def test_an_effort_in_the_name_means_nothing():
    path = "/v1beta/models/embed-high:embedContent"
    with pytest.raises(ApiError) as info:
        admitted(CONTENT, path=path, catalogue=media_catalogue(None))
    assert info.value.kind is Kind.MODEL_UNKNOWN
