"""Recorded traffic of real vendors passes a running gateway as it is, and is charged to the nano.

Every recording with status 200 is played; `replayed.txt` names those that must never be missing.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from openai.lib.streaming.chat._completions import ChatCompletionStreamState
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import ValidationError

from tests.conformance import oracle, replay
from tests.conformance.corpus import Recording, events, load, said, usages
from tests.conformance.replay import Played, play, play_to_two
from tests.conformance.shop import Shop, open_shop

LISTED = Path(__file__).with_name("replayed.txt")


@pytest.fixture(scope="module")
def recordings(corpus):
    return load(corpus)


@pytest.fixture(scope="module")
def shop(recordings, tmp_path_factory):
    models = {one.model for one in recordings}
    folder = tmp_path_factory.mktemp("gateway")
    with open_shop(folder, lambda vendor: replay.catalogue(vendor, models)) as opened:
        yield opened


@pytest.fixture(scope="module")
def prices(recordings):
    return replay.price_lists(one.model for one in recordings)


# The kinds of recordings: what is promised of each of them differs. Every recording is of one.
def kind_of(one: Recording) -> str:
    if one.faulty:
        return "faulty"
    if not one.chat:
        return "text"
    return f"{'native' if one.native else 'compatible'} {'answer' if one.sse is None else 'stream'}"


def figures(one: Recording) -> dict[str, Any]:
    return oracle.combined(usages(one.objects))


def check_charge(shop: Shop, one: Recording, played: Played, prices: oracle.PriceList) -> None:
    """The receipt asks for what the vendor's usage costs, or for an estimate that says so."""
    num, den = replay.MULTIPLIERS[replay.key_of(one)]
    counts, used, held = played.receipt["counts"], figures(one), float("inf")
    assert played.receipt["end_state"] == "complete"
    if used:
        expected = oracle.buckets(used)
        assert {name: count for name, count in expected.items() if count} == {
            name: count for name, count in counts.items() if name != "reasoning"
        }
        assert "estimated" not in played.receipt["flags"]
    else:
        expected = {"input": counts["input"], "output": counts.get("output", 0)}
        texts = said(one.objects, one.part).values()
        least = sum(len(text.encode()) for choice in texts for text in choice.texts)
        most = least + sum(len(name.encode()) for choice in texts for name, _ in choice.calls)
        assert "estimated" in played.receipt["flags"]
        # About a token for four bytes; a call's name may or may not be text.
        assert least // 4 <= expected["output"] <= -(-most // 4)
        assert 0 < expected["input"] <= len(json.dumps(played.sent))
        held = shop.usage_row(played.receipt["tid"])["held"]
        assert held > 0
    # An estimate never costs more than was reserved.
    assert played.charge == min(oracle.charge(expected, prices, num, den), held)
    if one.sse is None:
        shown = played.response.headers["x-tollbridge-cost"]
        assert shown == played.receipt["charge"]


def check_request(one: Recording, played: Played) -> None:
    """The vendor got the client's request; of a stream the usage was asked for as well."""
    sent = json.dumps(played.sent).encode()
    if one.sse is None:
        assert played.received == sent
        return
    expected = dict(played.sent)
    expected["stream_options"] = {**expected.get("stream_options", {}), "include_usage": True}
    assert json.loads(played.received) == expected


def check_headers(one: Recording, played: Played) -> None:
    headers = played.response.headers
    kind = "application/json" if one.sse is None else "text/event-stream"
    assert headers["content-type"].partition(";")[0] == kind
    assert "x-ratelimit-limit-requests" not in headers
    assert "x-tollbridge-max-output" not in headers


def hidden(sse: bytes) -> bytes:
    """Return a stream as one sees it who did not ask for its usage."""
    shown = []
    for frame in sse.split(b"\n\n"):
        (event,) = events(frame) or [None]
        if event is not None and event.get("usage") and not event["choices"]:
            continue
        shown.append(without_usage(frame))
    return b"\n\n".join(shown)


def without_usage(frame: bytes) -> bytes:
    """Cut the usage out of one frame, its comma included."""
    text, mark = frame.decode(), re.search(r',\s*"usage"\s*:\s*', frame.decode())
    if mark is None:
        return frame
    _, end = json.JSONDecoder().raw_decode(text, mark.end())
    return (text[: mark.start()] + text[end:]).encode()


def check_native_answer(shop: Shop, one: Recording, prices: oracle.PriceList) -> None:
    played = play(shop, one, one.as_recorded(), want_usage=False)
    assert played.response.status_code == 200, played.response.text
    assert played.response.content == one.wire
    check_headers(one, played)
    check_request(one, played)
    check_charge(shop, one, played, prices)


def check_native_stream(shop: Shop, one: Recording, prices: oracle.PriceList) -> None:
    for pieces in (one.as_recorded(), one.at_random()):
        played = play(shop, one, pieces, want_usage=bool(figures(one)))
        assert played.response.status_code == 200, played.response.text
        assert played.response.content == one.wire
        check_headers(one, played)
        check_request(one, played)
        check_charge(shop, one, played, prices)
    for pieces in (one.as_recorded(), one.at_random()):
        played = play(shop, one, pieces, want_usage=False)
        assert played.response.content == hidden(one.wire)
        assert all("usage" not in event for event in events(played.response.content))
        check_request(one, played)
        check_charge(shop, one, played, prices)


def check_compatible_answer(shop: Shop, one: Recording, prices: oracle.PriceList) -> None:
    played = play(shop, one, one.as_recorded(), want_usage=False)
    assert played.response.status_code == 200, played.response.text
    whole = played.response.json()
    completion = ChatCompletion.model_validate(whole, strict=True)
    check_said(one, [whole], "message")
    recorded = said(one.objects, one.part)
    for choice in completion.choices:
        assert (choice.message.content or "") == recorded[choice.index].text
        assert [
            [call.function.name, call.function.arguments]
            for call in choice.message.tool_calls or ()
        ] == recorded[choice.index].calls
    check_usage(one, whole.get("usage"))
    check_headers(one, played)
    check_request(one, played)
    check_charge(shop, one, played, prices)


def check_compatible_stream(shop: Shop, one: Recording, prices: oracle.PriceList) -> None:
    for pieces, want_usage in ((one.as_recorded(), True), (one.at_random(), False)):
        played = play(shop, one, pieces, want_usage=want_usage)
        assert played.response.status_code == 200, played.response.text
        assert played.response.content.endswith(b"data: [DONE]\n\n")
        chunks = events(played.response.content)
        assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
        check_said(one, chunks, "delta")
        check_accumulated(one, chunks)
        given = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
        assert len(given) == (want_usage and bool(figures(one)))
        if given:
            assert not chunks[-1]["choices"]
            check_usage(one, given[0])
        check_headers(one, played)
        check_request(one, played)
        check_charge(shop, one, played, prices)


def check_said(one: Recording, objects: list[Any], part: str) -> None:
    """Text, reasoning and calls are those that the vendor sent; every choice has an end."""
    now, before = said(objects, part), said(one.objects, one.part)
    assert now.keys() == before.keys()
    for index, choice in now.items():
        assert choice.text == before[index].text
        assert choice.reasoning == before[index].reasoning
        assert choice.calls == before[index].calls
        # A whole answer without any is given the usual one.
        assert choice.finish == (before[index].finish or ("stop" if part == "message" else None))


def check_accumulated(one: Recording, chunks: list[Any]) -> None:
    """The official SDK reads the stream strictly, and puts together what the vendor sent."""
    state = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk, strict=True))
    recorded = said(one.objects, one.part)
    for choice in state.current_completion_snapshot.choices:
        calls = choice.message.tool_calls or ()
        assert choice.message.role == "assistant"
        assert (choice.message.content or "") == recorded[choice.index].text
        assert [[call.function.name, call.function.arguments] for call in calls] == recorded[
            choice.index
        ].calls
        assert all(call.type == "function" and call.id for call in calls)


def check_usage(one: Recording, given: dict[str, Any] | None) -> None:
    """The client's figures add up by the protocol's rule, and are the vendor's."""
    used = figures(one)
    if not used:
        assert given is None
        return
    counts = oracle.buckets(used)
    made = counts.pop("output") + counts.pop("audio_output")
    assert given is not None
    assert (given["prompt_tokens"], given["completion_tokens"]) == (sum(counts.values()), made)
    assert given["total_tokens"] == sum(counts.values()) + made
    assert given["prompt_tokens_details"]["cached_tokens"] == counts["cache_read"]


def check_text(shop: Shop, one: Recording, prices: oracle.PriceList) -> None:
    """Text completions are never rewritten, whoever the vendor is."""
    for pieces in (one.as_recorded(), one.at_random()):
        played = play(shop, one, pieces, want_usage=bool(figures(one)))
        assert played.response.status_code == 200, played.response.text
        assert played.response.content == one.wire
        check_headers(one, played)
        check_request(one, played)
        check_charge(shop, one, played, prices)
    # One vendor leaves a zero out of its usage, which its own SDK does not accept.
    if one.sse is None and one.native and "completion_tokens" in figures(one):
        Completion.model_validate(one.body, strict=True)


def check_faulty(shop: Shop, one: Recording, _prices: oracle.PriceList) -> None:
    """An error inside a 200 becomes a real one and is free; another account is asked if it may help."""
    played = play(shop, one, one.as_recorded(), want_usage=True)
    (error,) = [each["error"] for each in one.objects]
    clients_fault = isinstance(error, dict) and error.get("status_code") == 400
    assert played.response.status_code == (400 if clients_fault else 502)
    assert played.response.json()["error"]["message"]
    assert (played.charge, played.receipt["end_state"]) == (0, "upstream_error")
    second = play_to_two(shop, one)
    if clients_fault:
        assert (second.response.status_code, second.charge) == (400, 0)
    else:
        assert "From the spare account." in second.response.text
        assert second.charge > 0


CHECKS = {
    "native answer": check_native_answer,
    "native stream": check_native_stream,
    "compatible answer": check_compatible_answer,
    "compatible stream": check_compatible_stream,
    "text": check_text,
    "faulty": check_faulty,
}


@pytest.mark.parametrize("kind", CHECKS)
def test_recordings_of_each_kind_come_back_as_promised(shop, recordings, prices, kind):
    played: Counter[str] = Counter()
    failed = {}
    for one in recordings:
        if kind_of(one) != kind:
            continue
        try:
            CHECKS[kind](shop, one, prices[one.model])
            played[one.vendor] += 1
        except (AssertionError, ValidationError) as error:
            failed[f"{one.vendor} {one.id}"] = str(error)[:600]
    print(f"{kind}: {played.total()} replayed", *(f"{k} {v}" for k, v in played.most_common()))
    assert not failed, json.dumps(failed, indent=1)
    assert played


def test_no_recording_is_missing(recordings):
    """Each recording is of a kind that is tested; those that were there once are still there."""
    here = {one.id for one in recordings}
    listed = LISTED.read_text(encoding="utf-8").split()
    assert all(kind_of(one) in CHECKS for one in recordings)
    print("not in replayed.txt yet:", *sorted(here - set(listed)))
    assert listed == sorted(set(listed))
    assert not set(listed) - here
