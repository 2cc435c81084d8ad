"""Proof that endpoints which the gateway does not understand work through it, with the vendors' SDKs."""

import contextlib
import time
from collections.abc import Iterator

import anthropic
import httpx2
import openai
import pytest
from google import genai
from google.genai import types

from tests.conformance.passing import PIN, catalogue
from tests.conformance.shop import Shop, open_shop
from tests.services.sdk_received import gemini_client, openai_client

TEXT = b'{"custom_id":"1"}\n\xff\x00'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("passing"), catalogue) as shop:
        yield shop


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def rows(shop: Shop) -> list[dict[str, object]]:
    """The usage rows from before the test."""
    return shop.gateway.rows("SELECT tid FROM usage")


def spent(shop: Shop, before: list[dict[str, object]], count: int) -> list[tuple[str, str, int]]:
    """Return what the calls since then were charged, once there are so many rows of them."""
    deadline = time.monotonic() + 20
    while True:
        found = shop.gateway.rows(
            "SELECT model_asked, surface, charge FROM usage ORDER BY tid LIMIT -1 OFFSET ?",
            len(before),
        )
        if len(found) >= count:
            return [(row["model_asked"], row["surface"], row["charge"]) for row in found]
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


def test_openais_sdk_keeps_files(shop, rows, stack):
    client = stack.enter_context(openai_client(shop.gateway.url, f"{PIN}#openai/one"))
    made = client.files.create(file=("wörk.jsonl", TEXT), purpose="batch")
    sent = shop.books.calls[-1]
    assert (made.filename, made.bytes) == ("wörk.jsonl", len(TEXT))
    assert sent.header(b"content-type").startswith("multipart/form-data; boundary=")
    assert [one.id for one in client.files.list(limit=3).data] == [made.id]
    assert shop.books.calls[-1].query == "limit=3"
    assert client.files.retrieve(made.id).id == made.id
    content = client.files.content(made.id)
    assert content.read() == TEXT
    assert content.response.headers["content-disposition"].endswith('filename="w_rk.jsonl"')
    assert not {"set-cookie", "x-vendor-secret"} & set(content.response.headers)
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError) as caught:
        client.files.retrieve(made.id)
    assert caught.value.body["message"] == f"No such file object: {made.id}"
    assert {call.secret for call in list(shop.books.calls)[-6:]} == {"openai-one"}
    asked, surfaces, charges = zip(*spent(shop, rows, 6), strict=True)
    assert set(asked) == {"/v1*", "/v1/files/{id}/content"}
    assert set(surfaces) == {"chat"}
    assert sum(charges) == 4 * 1_000_000 + 20_000_000
    assert min(charges) == 0


def test_openais_sdk_keeps_batches_for_nothing_where_that_is_written(shop, rows, stack):
    client = stack.enter_context(openai_client(shop.gateway.url, f"{PIN}#openai/one"))
    made = client.batches.create(
        completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file-1"
    )
    assert client.batches.retrieve(made.id).id == made.id
    assert client.batches.cancel(made.id).status == "cancelling"
    assert [one.id for one in client.batches.list().data] == [made.id]
    assert spent(shop, rows, 4) == [("/v1/batches*", "chat", 0)] * 4


def test_what_lies_at_one_account_is_not_at_the_other(shop, rows, stack):
    one, two = (
        stack.enter_context(
            openai_client(
                shop.gateway.url, f"{PIN}#openai/{name}", _strict_response_validation=False
            )
        )
        for name in ("one", "two")
    )
    made = one.vector_stores.create(name="a")
    assert one.vector_stores.retrieve(made.id, timeout=5).id == made.id
    with pytest.raises(openai.NotFoundError):
        two.vector_stores.retrieve(made.id)
    assert [charge for _, _, charge in spent(shop, rows, 3)] == [1_000_000, 1_000_000, 0]


def test_anthropics_sdk_keeps_files_and_batches(shop, rows, stack):
    http = stack.enter_context(httpx2.Client(trust_env=False))
    for base in ("", "/claude"):
        client = anthropic.Anthropic(
            base_url=shop.gateway.url + base,
            api_key=f"{PIN}#anthropic/two",
            http_client=http,
            max_retries=0,
        )
        wish = {"anthropic-beta": "files-api-2025-04-14,fast-mode-2026-02-01"}
        made = client.beta.files.upload(file=("a.txt", TEXT, "text/plain"), extra_headers=wish)
        sent = shop.books.calls[-1]
        assert (sent.path, sent.secret) == ("/v1/files", "anthropic-two")
        assert sent.header(b"anthropic-beta") == "files-api-2025-04-14"
        assert [one.id for one in client.beta.files.list().data] == [made.id]
        assert client.beta.files.retrieve_metadata(made.id).size_bytes == len(TEXT)
        assert client.beta.files.download(made.id).read() == TEXT
        assert client.beta.files.delete(made.id).id == made.id
        with pytest.raises(anthropic.NotFoundError):
            client.beta.files.retrieve_metadata(made.id)
        message = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}
        batch = client.messages.batches.create(requests=[{"custom_id": "1", "params": message}])
        assert client.messages.batches.retrieve(batch.id).processing_status == "in_progress"
        assert client.messages.batches.cancel(batch.id).processing_status == "canceling"
        assert [one.id for one in client.messages.batches.list().data] == [batch.id]
        assert client.messages.batches.delete(batch.id).id == batch.id
    assert {surface for _, surface, _ in spent(shop, rows, 22)} == {"messages"}


@pytest.mark.parametrize("family", ["", "/gemini"])
def test_googles_sdk_keeps_caches_files_and_batches(shop, rows, stack, family):
    client = gemini_client(shop.gateway.url + family, f"{PIN}#gemini/one")
    stack.callback(client.close)
    made = client.caches.create(
        model="gemini-test", config=types.CreateCachedContentConfig(contents="hello", ttl="60s")
    )
    assert client.caches.get(name=made.name).name == made.name
    longer = types.UpdateCachedContentConfig(ttl="90s")
    client.caches.update(name=made.name, config=longer)
    assert shop.books.calls[-1].method == "PATCH"
    assert [one.name for one in client.caches.list()] == [made.name]
    client.caches.delete(name=made.name)
    assert shop.books.calls[-1].secret == "gemini-one"
    assert list(client.files.list()) == []
    assert list(client.batches.list()) == []
    with pytest.raises(genai.errors.ClientError) as caught:
        client.files.get(name="files/none")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    paid, free = ("/v1*", "gemini", 1_000_000), ("/v1*", "gemini", 0)
    written_free = ("/v1/batches*", "gemini", 0)
    assert spent(shop, rows, 8) == [*[paid] * 6, written_free, free]
