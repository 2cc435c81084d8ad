"""The end table on every surface and every platform: upstreams that break off, before content and after.

After content the stream ends in the broken form of the client's own protocol, and what was streamed
is paid for; before content another account answers, and nobody sees that.
"""

import asyncio
import json

import pytest

from tests.faults.bazaar import BEFORE_TEXT, EVERYWHERE, PLATFORMS, SURFACES, asked, case
from tests.faults.stage import price

ENVIRON = {"FIRST_BYTE_TIMEOUT_S": "8", "IDLE_TIMEOUT_S": "1.5", "FINISH_SILENCE_S": "0.8"}
pytestmark = pytest.mark.asyncio(loop_scope="session")
LONG = {"tokens": 9, "prompt_tokens": 50, "cached_tokens": 20}
# "Hello! I am" are eleven bytes: three tokens.
SAID, SAID_TOKENS = "Hello! I am", 3
TELLTALES = (b"Overload", b"example", b"fake-upstream", b"-first", b"127.0.0.1", b"had an error")


def late(wire):
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


def early(wire):
    """Return the ways in which a vendor of a protocol breaks off before its first text.

    With the kind of error that is left when nobody else answers.
    """
    busy, quota = (
        {"error_kind": f"{kind}"} for kind in ("rate_limit_exceeded", "insufficient_quota")
    )
    ways = {
        "cut at once": ({"cut_after": 0}, "upstream_failed"),
        "error at once": ({"error_event_after": 0}, "upstream_failed"),
        "quota": ({"error_event_after": 0, **quota}, "upstream_failed"),
    }
    if BEFORE_TEXT[wire]:
        ways["cut"] = ({"cut_after": 1}, "upstream_failed")
        ways["error"] = ({"error_event_after": 1}, "upstream_failed")
    if wire != "gemini":
        ways["rate limit"] = ({"error_event_after": 0, **busy}, "provider_rate_limited")
    if wire != "responses":
        # There, an item that begins is content.
        ways["empty"] = ({"empty": True, "no_finish": True, "usage": "none"}, "upstream_failed")
    if wire == "responses":
        ways["late quota"] = ({"error_event_after": 2, **quota}, "upstream_failed")
        for form in ("flat", "failed"):
            ways[form] = ({"error_event_after": 2, "error_form": form}, "upstream_failed")
            script = {"error_event_after": 2, "error_form": form, **busy}
            ways[f"{form} rate limit"] = (script, "provider_rate_limited")
    return ways


def broken(bazaar, answer):
    """Check the end of a stream that broke after three words."""
    told = bazaar.told(answer)
    error = told.check_broken()
    assert told.text == SAID and error["tid"] == answer.tid
    code = {"responses": "server_error", "messages": None, "chat": "stream_broken"}
    assert error.get("code") == code.get(bazaar.surface, 502)
    if bazaar.surface in {"gemini", "array"}:
        assert error["status"] == "UNAVAILABLE"
    elif bazaar.surface != "responses":
        assert error["type"] == "api_error"
    for word in TELLTALES:
        assert word not in answer.body, word


async def partial(bazaar, tid):
    """Check what a stream costs that broke after three words."""
    row = await bazaar.entry(tid)
    flags = set(row["flags"].split(","))
    assert flags in ({"partial"}, {"partial", "estimated"})
    # The input is exact where the vendor told it before it broke off.
    if bazaar.wire in {"messages", "gemini"} or "estimated" not in flags:
        assert row["input"] + row["cache_read"] == 50
    else:
        assert 5 < row["input"] < 90 and not row["cache_read"]
    await bazaar.billed(
        row, end_state="partial", flags=flags, output=SAID_TOKENS,
        charge=price(row["input"], SAID_TOKENS, row["cache_read"]),
    )  # fmt: skip


@EVERYWHERE
async def test_broken_off_after_content_pays_for_what_was_streamed(bazaar, surface, platform):
    bazaar.at(surface, platform)
    for way, script in late(bazaar.wire).items():
        with case(way):
            bazaar.begin()
            bazaar.script("first", **{**LONG, **script})
            answer = await bazaar.call()
            broken(bazaar, answer)
            await partial(bazaar, answer.tid)
            await bazaar.tried(("first", "done"))


@EVERYWHERE
async def test_broken_off_before_content_another_account_answers_unseen(bazaar, surface, platform):
    bazaar.at(surface, platform)
    for way, (script, _) in early(bazaar.wire).items():
        with case(way):
            bazaar.begin()
            bazaar.script("first", **{**LONG, **script})
            bazaar.script("second", tokens=3, prompt_tokens=8)
            told = bazaar.told(await bazaar.call())
            assert (told.text, told.finish, told.usage) == (SAID, "stop", (8, 3, 0))
            row = await bazaar.entry(told.tid)
            await bazaar.billed(row, end_state="complete", input=8, output=3, charge=price(8, 3))
            outcomes = [attempt[1] for attempt in json.loads(row["attempts"])]
            assert len(outcomes) == 2 and outcomes[1] == "ok"
            await bazaar.tried(("first", "done"), ("second", "done"))


@EVERYWHERE
async def test_broken_off_before_content_by_all_is_refused_and_free(bazaar, surface, platform):
    bazaar.at(surface, platform)
    for way, (script, kind) in early(bazaar.wire).items():
        with case(way):
            bazaar.begin()
            bazaar.script(**{**LONG, **script})
            answer = await bazaar.call()
            status = 503 if kind == "provider_rate_limited" else 502
            assert answer.status == status and answer.headers["x-should-retry"] == "true"
            assert answer.headers["content-type"] == "application/json"
            assert not [word for word in TELLTALES if word in answer.body]
            await bazaar.billed(
                await bazaar.entry(answer.tid), status=status, error_kind=kind, charge=0, output=0,
                end_state="empty" if way == "empty" else "upstream_error",
            )  # fmt: skip
            await bazaar.tried(("first", "done"), ("second", "done"))


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_silence_after_content_is_a_cut(bazaar, platform):
    wires = {}
    for surface in SURFACES:
        bazaar.at(surface, platform)
        wires.setdefault(bazaar.wire, []).append(surface)
    for wire, surfaces in wires.items():
        bazaar.script("first", **LONG, pause_after=BEFORE_TEXT[wire] + 3, pause_ms=60_000)

        calls = [asked(surface, bazaar.model, stream=True) for surface in surfaces]
        answers = await asyncio.gather(*[bazaar.send(*call) for call in calls])
        for surface, answer in zip(surfaces, answers, strict=True):
            with case(surface):
                bazaar.at(surface, platform)
                broken(bazaar, answer)
                await partial(bazaar, answer.tid)
