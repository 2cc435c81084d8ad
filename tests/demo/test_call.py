"""The demonstration reads answers, balances and receipts, and says what is wrong with them."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.services.plain import PLAIN
from tollbridge.demo import call, said
from tollbridge.demo.call import CallFailed, Sample
from tollbridge.demo.fake_upstream import FakeUpstream


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    upstream = FakeUpstream()
    url = await upstream.start()
    async with httpx2.AsyncClient(base_url=url, verify=PLAIN, trust_env=False) as found:
        yield found
    await upstream.stop()


@pytest.mark.parametrize("sample", call.samples(), ids=lambda sample: sample.title)
async def test_every_sample_is_answered(client: httpx2.AsyncClient, sample: Sample) -> None:
    outcome = await call.make(client, sample, "s")
    media = ("8 numbers: ", "an image, ", "a sound, ")
    assert outcome.text.startswith(("Hello! I am demo-", *media))
    assert (outcome.events > 10) == ("streamed" in sample.title)
    assert outcome.cost is None


def test_every_surface_has_its_own_place_for_the_key() -> None:
    places = {sample.path.split("/")[2]: sample.place for sample in call.samples()}
    assert (places["chat"], places["messages"]) == ("authorization", "x-api-key")
    assert places["models"] == "x-goog-api-key"


@pytest.mark.parametrize(
    ("stream", "fake", "says"),
    [
        (False, {"status": 503}, "503 Scripted failure"),
        (True, {"no_done": True}, "no end"),
        (True, {"error_event_after": 2}, "no end"),
        (False, {"redirect": True}, "307 without a readable error"),
    ],
)
async def test_failures_say_why(
    client: httpx2.AsyncClient, stream: bool, fake: dict[str, object], says: str
) -> None:
    body = {"model": "m", "messages": [], "stream": stream, "fake": fake}
    read = said.chat_stream if stream else said.chat
    with pytest.raises(CallFailed, match=f"x: .*{says}"):
        await call.make(client, Sample("x", "/v1/chat/completions", body, read), "s")


async def test_a_missing_receipt_is_a_failure(client: httpx2.AsyncClient) -> None:
    with pytest.raises(CallFailed, match="GET /v1/receipts/abc: 404"):
        await call.receipt(client, "abc", "s")
    with pytest.raises(CallFailed, match="GET /v1/balance: 404"):
        await call.balance(client, "s")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"balance":"-"}', b'{"charge":5}'])
def test_unreadable_money_is_a_failure(body: bytes) -> None:
    with pytest.raises(CallFailed, match="cannot be read"):
        call.read_balance(body)
    with pytest.raises(CallFailed, match="cannot be read"):
        call.read_receipt(body)
