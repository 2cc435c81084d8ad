"""Every official SDK's calls against every platform through one gateway: what arrives is the same.

The pretend vendor answers a request by what it reads in it, so an answer that fits proves that the
request arrived in the vendor's own words too.
"""

from collections.abc import Iterator

import anthropic
import openai
import pytest
from google.genai import errors

from tests.conformance.platforms import KEYS, NATIVE_MODEL, PLATFORMS, catalogue
from tests.conformance.shop import Shop, open_shop
from tests.services.sdk_calls import CALLS

TOOLS = [("toll", {"city": "toll"}), ("hours", {"city": "toll"})]
NAMES = {
    "chat": {"stop": "stop", "call": "tool_calls"},
    "responses": {"stop": "completed", "call": "completed"},
    "messages": {"stop": "end_turn", "call": "tool_use"},
    "gemini": {"stop": "STOP", "call": "STOP"},
}
# Who draws within a conversation: the vendor itself, and whoever takes modalities as Gemini does.
DRAWS = {("responses", "openai"), ("gemini", "gemini"), ("gemini", "compatible")}
# Chat has no place for thoughts on OpenAI's own platform, and a compatible upstream shows none.
MUTE = {("chat", "openai"), *((surface, "compatible") for surface in CALLS)}
REFUSED = (openai.BadRequestError, anthropic.BadRequestError, errors.ClientError)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("gateway"), catalogue) as opened:
        yield opened


def asked(shop: Shop, surface: str, what: str, platform: str, *, stream: bool):
    return CALLS[surface][what](
        shop.gateway.url, KEYS[platform], NATIVE_MODEL[platform], stream=stream
    )


def cases():
    return [
        (surface, what, platform)
        for platform in PLATFORMS
        for surface, calls in CALLS.items()
        for what in calls
    ]


@pytest.mark.parametrize(("surface", "what", "platform"), cases())
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_what_a_client_of_any_vendor_receives_from_any_platform(
    shop, surface, what, platform, stream
):
    if what == "draws" and (surface, platform) not in DRAWS:
        with pytest.raises(REFUSED) as refusal:
            asked(shop, surface, what, platform, stream=stream)
        assert "Invalid '" in str(refusal.value)
        return
    got = asked(shop, surface, what, platform, stream=stream)
    names = NAMES[surface]
    assert got.model == NATIVE_MODEL[platform]
    assert got.tokens_in > 0
    assert got.tokens_out > 0
    if what in {"tools", "both_tools"}:
        assert got.calls == (TOOLS if what == "both_tools" else TOOLS[:1])
        assert got.finish == names["call"]
        return
    assert got.calls == []
    assert got.finish == names["stop"]
    if what == "draws":
        assert len(got.images) == 1
    elif what == "parsed":
        assert isinstance(got.parsed.cents, int) or isinstance(got.parsed.city, str)
    else:
        assert NATIVE_MODEL[platform] in got.text
    if what == "thinks" and (surface, platform) not in MUTE:
        assert "Let me think" in got.thoughts
    if stream and what == "text":
        assert got.pieces > 1
