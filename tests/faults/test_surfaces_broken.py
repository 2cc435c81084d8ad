"""The end table on every surface and every platform: upstreams that break off, before content and after.

After content the stream ends in the broken form of the client's own protocol, and what was streamed
is paid for; before content another account answers, and nobody sees that.
"""

import json

import pytest

from tests.faults.bazaar import BEFORE_TEXT, PLATFORMS, SURFACES, spoken
from tests.faults.stage import price

ENVIRON = {"FIRST_BYTE_TIMEOUT_S": "0.7", "IDLE_TIMEOUT_S": "1.5", "FINISH_SILENCE_S": "0.6"}
pytestmark = pytest.mark.asyncio(loop_scope="session")
everywhere = pytest.mark.parametrize(
    ("surface", "platform"), [(one, other) for one in SURFACES for other in PLATFORMS]
)
LONG = {"tokens": 9, "prompt_tokens": 50, "cached_tokens": 20}
# "Hello! I am" are eleven bytes: three tokens.
SAID, SAID_TOKENS = "Hello! I am", 3


def breaks(wire):
    """Return the ways in which a vendor of a protocol breaks off after three words."""
    after = BEFORE_TEXT[wire] + 3
    ways = {
        "cut": {"cut_after": after},
        "error": {"error_event_after": after},
        "overloaded": {"error_event_after": after, "error_text": "Overloaded, see api.example.com"},
        "ends": {"tokens": 3, "no_finish": True, "no_done": True},
    }
    if wire == "responses":
        ways["flat"] = {"error_event_after": after, "error_form": "flat"}
        ways["failed"] = {"error_event_after": after, "error_form": "failed"}
    return ways


AFTER = [
    (surface, platform, way)
    for surface in SURFACES
    for platform in PLATFORMS
    for way in breaks(spoken(surface, platform))
]


def counted(bazaar, row):
    """Check the input that was charged: exact where the vendor told it before it broke off."""
    if bazaar.wire in {"messages", "gemini"} or (bazaar.wire, row["flags"]) == ("chat", "partial"):
        assert row["input"] in {30, 50} and row["input"] + row["cache_read"] == 50
    else:
        assert 5 < row["input"] < 90 and not row["cache_read"]
    return price(row["input"], SAID_TOKENS, row["cache_read"])


def broken(bazaar, answer):
    """Check the end of a stream that broke; return what was said until then."""
    told = bazaar.told(answer)
    error = told.check_broken()
    if bazaar.surface == "responses":
        assert error["code"] == "server_error" and error["tid"] == answer.tid
    elif bazaar.surface == "messages":
        assert error["type"] == "api_error" and error["tid"] == answer.tid
    elif bazaar.surface in {"gemini", "array"}:
        assert (error["code"], error["status"], error["tid"]) == (502, "UNAVAILABLE", answer.tid)
    else:
        assert error["tid"] == answer.tid and error["code"] and error["type"]
    for word in (b"verload", b"example", b"fake-upstream", b"first", b"127.0.0.1", b"had an error"):
        assert word not in answer.body, word
    return told


@pytest.mark.parametrize(("surface", "platform", "way"), AFTER)
async def test_broken_off_after_content_pays_for_what_was_streamed(bazaar, surface, platform, way):
    bazaar.at(surface, platform)
    bazaar.script("first", **{**LONG, **breaks(bazaar.wire)[way]})
    answer = await bazaar.call()
    told = broken(bazaar, answer)
    assert told.text == SAID
    [row] = await bazaar.settled()
    flags = set(row["flags"].split(","))
    assert flags in ({"partial"}, {"partial", "estimated"})
    await bazaar.billed(
        end_state="partial", flags=flags, output=SAID_TOKENS, charge=counted(bazaar, row)
    )
    await bazaar.tried(("first", "done"))


def early(wire):
    """Return the ways in which a vendor of a protocol breaks off before its first text."""
    ways = {
        "cut at once": {"cut_after": 0},
        "error at once": {"error_event_after": 0},
        "rate limit": {"error_event_after": 0, "error_kind": "rate_limit_exceeded"},
    }
    if BEFORE_TEXT[wire]:
        ways["cut"] = {"cut_after": 1}
        ways["error"] = {"error_event_after": 1}
    if wire == "responses":
        ways["quota"] = {"error_event_after": 2, "error_kind": "insufficient_quota"}
        ways["flat"] = {"error_event_after": 2, "error_form": "flat"}
        ways["failed"] = {"error_event_after": 2, "error_form": "failed"}
    return ways


BEFORE = [
    (surface, platform, way)
    for surface in SURFACES
    for platform in PLATFORMS
    for way in early(spoken(surface, platform))
]


@pytest.mark.parametrize(("surface", "platform", "way"), BEFORE)
async def test_broken_off_before_content_another_account_answers_unseen(
    bazaar, surface, platform, way
):
    bazaar.at(surface, platform)
    bazaar.script("first", **{**LONG, **early(bazaar.wire)[way]})
    bazaar.script("second", tokens=3, prompt_tokens=8)
    told = bazaar.told(await bazaar.call())
    assert (told.text, told.finish, told.usage) == (SAID, "stop", (8, 3, 0))
    row = await bazaar.billed(end_state="complete", input=8, output=3, charge=price(8, 3))
    assert [attempt[1] for attempt in json.loads(row["attempts"])][1:] == ["ok"]
    await bazaar.tried(("first", "done"), ("second", "done"))


@pytest.mark.parametrize(("surface", "platform", "way"), BEFORE)
async def test_broken_off_before_content_by_all_is_refused_and_free(bazaar, surface, platform, way):
    bazaar.at(surface, platform)
    bazaar.script(**{**LONG, **early(bazaar.wire)[way]})
    answer = await bazaar.call()
    assert answer.status in {502, 503} and answer.headers["x-should-retry"] == "true"
    assert answer.headers["content-type"] == "application/json"
    await bazaar.billed(
        end_state="upstream_error", status=answer.status, charge=0, input=0, output=0,
        error_kind="provider_rate_limited" if answer.status == 503 else "upstream_failed",
    )  # fmt: skip


@everywhere
async def test_silence_after_content_is_a_cut(bazaar, surface, platform):
    bazaar.at(surface, platform)
    after = BEFORE_TEXT[bazaar.wire] + 3
    bazaar.script("first", **LONG, pause_after=after, pause_ms=60_000)
    told = broken(bazaar, await bazaar.call())
    assert told.text == SAID
    [row] = await bazaar.settled()
    flags = set(row["flags"].split(","))
    await bazaar.billed(
        end_state="partial", flags=flags, output=SAID_TOKENS, charge=counted(bazaar, row)
    )
    await bazaar.tried(("first", "aborted"))
