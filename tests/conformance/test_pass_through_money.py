"""Proof of what calls cost that pass through: a call exactly, nothing where nothing came of it."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.conformance.passing import PIN, catalogue
from tests.conformance.shop import Shop, open_shop
from tests.services.gateway import Gateway
from tollbridge.demo.fake_books import AccountScript
from tollbridge.demo.fake_upstream import FakeUpstream

CONTENT_NANO, CALL_NANO = 20_000_000, 1_000_000
MIB = 1024 * 1024
LONG = 24 * MIB
HEADERS = {"authorization": f"Bearer {PIN}#openai/one"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("charging"), catalogue) as shop:
        yield shop


@pytest.fixture
def scripted(shop):
    def script(**values):
        shop.books.accounts["openai-one"] = AccountScript(values)

    yield script
    shop.books.accounts.clear()


def content(size: int) -> str:
    return f"/v1/files/file-zeros-{size}/content"


def test_a_short_answer_tells_its_price_and_its_receipt_shows_the_line(shop):
    answer = shop.http.get("/v1/files", headers=HEADERS)
    assert answer.headers["x-tollbridge-cost"] == "0.001"
    receipt = shop.receipt(PIN, answer.headers["x-request-id"])
    (line,) = receipt["lines"]
    assert (line["item"], line["count"], line["rate"], line["amount"]) == (
        "request", 1, "0.001", "0.001",
    )  # fmt: skip
    assert (receipt["charge"], receipt["model_asked"]) == ("0.001", "/v1*")
    assert (receipt["model_sent"], receipt["surface"]) == ("/v1/files", "chat")


def test_a_multiplier_counts_and_so_does_a_price_of_nothing(shop):
    dear = {"authorization": f"Bearer {PIN}#dear/two"}
    answer = shop.http.get("/v1/files", headers=dear)
    assert answer.headers["x-tollbridge-cost"] == "0.0015"
    free = shop.http.get("/v1/batches", headers=HEADERS)
    assert free.headers["x-tollbridge-cost"] == "0.00"
    receipt = shop.receipt(PIN, free.headers["x-request-id"])
    assert [(line["item"], line["rate"]) for line in receipt["lines"]] == [("request", "0.00")]


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 65_537 + 4_096, MIB + 1])
def test_a_download_arrives_whole_and_is_paid_once(shop, size):
    before = shop.gateway.wallet()[0]
    answer = shop.http.get(content(size), headers=HEADERS)
    assert (answer.status_code, answer.content) == (200, bytes(size))
    assert answer.headers["content-security-policy"] == "sandbox"
    row = shop.usage_row(answer.headers["x-request-id"])
    assert (row["charge"], row["end_state"], row["model_asked"]) == (
        CONTENT_NANO, "complete", "/v1/files/{id}/content",
    )  # fmt: skip
    assert shop.gateway.wallet() == (before - CONTENT_NANO, 0)


def test_an_upload_goes_out_byte_for_byte(shop):
    body = bytes(range(256)) * 4096 * 4
    kind = {"content-type": "multipart/form-data; boundary=xYz"}
    answer = shop.http.post("/v1/uploads/upload-1/parts", content=body, headers=HEADERS | kind)
    assert answer.status_code == 404
    sent = shop.books.calls[-1]
    assert (sent.path, sent.header(b"content-type")) == (
        "/v1/uploads/upload-1/parts", kind["content-type"],
    )  # fmt: skip
    assert hashlib.sha256(sent.body).digest() == hashlib.sha256(body).digest()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503, 529])
def test_a_refusal_costs_nothing_and_has_a_row(shop, scripted, status):
    before, calls = shop.gateway.wallet()[0], shop.books.count
    scripted(status=status, error_text="The file file-secret-name is not ready.")
    answer = shop.http.get("/v1/files/file-secret", headers=HEADERS)
    assert answer.status_code >= 400
    assert shop.books.count == calls + 1
    receipt = shop.receipt(PIN, answer.headers["x-request-id"])
    assert (receipt["charge"], receipt["end_state"]) == ("0.00", "upstream_error")
    shop.gateway.wait_settled()
    assert shop.gateway.wallet() == (before, 0)


@pytest.mark.parametrize(("size", "events"), [(1_000, 0), (4 * MIB, 8)])
def test_a_cut_costs_nothing_and_is_no_whole_answer(shop, scripted, size, events):
    before = shop.gateway.wallet()[0]
    scripted(cut_after=events)
    try:
        answer = shop.http.get(content(size), headers=HEADERS)
    except httpx2.TransportError:
        assert size > MIB
    else:
        assert (answer.status_code, size) == (502, 1_000)
    shop.gateway.wait_settled()
    (row,) = shop.gateway.rows("SELECT * FROM usage ORDER BY tid DESC LIMIT 1")
    assert (row["charge"], row["end_state"]) == (0, "upstream_error")
    assert shop.gateway.wallet() == (before, 0)


def test_whoever_leaves_a_download_has_made_the_call(shop):
    before = shop.gateway.wallet()[0]
    with shop.http.stream("GET", content(1024 * MIB), headers=HEADERS) as answer:
        tid = answer.headers["x-request-id"]
        next(answer.iter_raw())
    shop.gateway.wait_settled()
    row = shop.usage_row(tid)
    assert (row["charge"], row["end_state"], row["flags"]) == (
        CONTENT_NANO, "client_gone", "client_disconnected",
    )  # fmt: skip
    assert shop.gateway.wallet() == (before - CONTENT_NANO, 0)


def test_nothing_that_a_client_names_is_kept_anywhere(shop, scripted):
    secret = "file-whoknows-77"
    shop.http.get(f"/v1/files/{secret}?purpose=hidden-66", headers=HEADERS)
    scripted(status=500)
    shop.http.get(f"/v1/files/{secret}?purpose=hidden-66", headers=HEADERS)
    shop.gateway.wait_settled()
    metrics = shop.http.get("/metrics").text
    places = [shop.gateway.log.read_text(), metrics]
    files = shop.gateway.database.parent.iterdir()
    places.extend(file.read_bytes().decode("latin-1") for file in files)
    assert not [place for place in places if "whoknows" in place or "hidden-66" in place]
    assert shop.books.calls[-1].query == "purpose=hidden-66"


def _rss_peak(gateway: Gateway) -> int:
    """Return the most memory that the gateway has had, in bytes."""
    assert gateway.process is not None
    status = Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def test_a_long_download_for_a_slow_client_lies_nowhere(shop):
    shop.http.get(content(MIB), headers=HEADERS)
    before = _rss_peak(shop.gateway)
    seen = 0
    with shop.http.stream("GET", content(256 * MIB), headers=HEADERS) as answer:
        chunks = answer.iter_raw(MIB)
        seen += len(next(chunks))
        # All that fits into sockets and buffers has come by now.
        shop.http.get("/healthz")
        open_streams = shop.books.open_streams
        seen += sum(map(len, chunks))
    assert (seen, open_streams) == (256 * MIB, 1)
    assert _rss_peak(shop.gateway) - before < 32 * MIB


def purses(gateway):
    return gateway.rows("SELECT id, available, held FROM purse ORDER BY id")


async def drained(chunks):
    async for _ in chunks:
        pass


async def test_a_killed_gateway_leaves_nothing_held_and_charges_nothing(tmp_path):
    fake = FakeUpstream()
    gateway = Gateway(tmp_path)
    try:
        await asyncio.to_thread(gateway.apply, catalogue(await fake.start()))
        await asyncio.to_thread(gateway.start)
        before = purses(gateway)
        async with (
            httpx2.AsyncClient(base_url=gateway.url, trust_env=False) as client,
            client.stream("GET", content(1024 * MIB), headers=HEADERS) as answer,
        ):
            tid = answer.headers["x-request-id"]
            chunks = answer.aiter_raw()
            await anext(chunks)
            (hold,) = gateway.rows("SELECT amount FROM hold")
            assert hold["amount"] == CONTENT_NANO
            await asyncio.to_thread(gateway.kill)
            with pytest.raises(httpx2.TransportError):
                await asyncio.wait_for(drained(chunks), 30)
        await asyncio.to_thread(gateway.start)
        await asyncio.to_thread(gateway.wait_settled)
        (row,) = gateway.rows("SELECT * FROM usage WHERE tid = ?", tid)
        assert (row["charge"], row["end_state"]) == (0, "reclaimed")
        assert purses(gateway) == before
        await asyncio.to_thread(gateway.verify)
    finally:
        await asyncio.to_thread(gateway.stop)
        await fake.stop()
