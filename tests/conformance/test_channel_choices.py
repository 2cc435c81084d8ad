"""Which channel an auto key's calls go to, and what a channel's names do, through a real gateway."""

import json
from collections.abc import Iterator

import pytest

from tests.conformance.crossroads import (
    HIDDEN,
    KEYS,
    MARKED,
    MODEL,
    SURFACES,
    Crossroads,
    asked,
    open_crossroads,
)

CLAUDE_CODE = {
    "user-agent": "claude-cli/2.0.14 (external, cli)",
    "x-app": "cli",
    "anthropic-beta": "claude-code-20250219",
    "anthropic-version": "2023-06-01",
}


@pytest.fixture(scope="module")
def crossroads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crossroads]:
    with open_crossroads(tmp_path_factory.mktemp("crossroads")) as one:
        yield one


# Cheaper than all of these: channels that are switched off, have nobody to ask (any more), or take
# one client alone. Then `vip` for its group, `shy` for the only surface that it serves.
@pytest.mark.parametrize(
    ("key", "surface", "account"),
    [
        ("auto", "chat", "shy-a"),
        *(("auto", surface, "main-a") for surface in SURFACES[1:]),
        *(("vip", surface, "vip-a") for surface in SURFACES),
        ("told", "chat", "shy-a"),
    ],
)
def test_s4_route_an_auto_key_goes_to_the_cheapest_channel_that_may_and_can(
    crossroads: Crossroads, key: str, surface: str, account: str
):
    crossroads.script()
    answer = crossroads.call(surface, key)
    assert answer.status == 200, answer.body
    assert crossroads.called() == [account]


def test_s0_channel_the_client_decides_where_a_channel_has_its_own(crossroads: Crossroads):
    crossroads.script()
    answer = crossroads.call("messages", "auto", **CLAUDE_CODE)
    assert answer.status == 200, answer.body
    assert crossroads.called() == ["code-a"]


@pytest.mark.parametrize("surface", SURFACES)
def test_s2_403_who_is_bound_to_telegram_gets_the_marked_channel(
    crossroads: Crossroads, surface: str
):
    crossroads.script()
    answer = crossroads.call(surface, "told", MARKED)
    assert answer.status == 200, answer.body
    assert crossroads.called() == ["marked-a"]


def test_s2_403_telegram_is_asked_for_no_more_once_it_is_bound(crossroads: Crossroads):
    gateway = crossroads.shop.gateway
    assert crossroads.call("chat", "marked", MARKED).status == 403
    text = (gateway.folder / "config.toml").read_text()
    rich = 'email = "rich@example.com"\n'
    try:
        gateway.apply(text.replace(rich, f"{rich}telegram_id = 4711\n"))
        crossroads.until("marked", 200, MARKED)
    finally:
        crossroads.set_by_hand("UPDATE users SET telegram_id = NULL WHERE telegram_id = 4711;")
        crossroads.speak("strict")
    assert crossroads.call("chat", "marked", MARKED).status == 403


@pytest.mark.parametrize(
    ("model", "charge"),
    [("wild-one", 100), ("wild-lon", 100), ("wild-long-two", 400), ("wild-long-one", 700)],
)
def test_s4_wildcards_the_longest_prefix_prices_a_name(
    crossroads: Crossroads, model: str, charge: int
):
    for surface in SURFACES[:4]:
        crossroads.script("wild-a", prompt_tokens=100, tokens=1)
        answer = crossroads.call(surface, "wild", model)
        assert answer.status == 200, answer.body
        row = crossroads.shop.usage_row(answer.headers["x-request-id"])
        assert row["charge"] == charge * 1_000 + 10_000
        assert row["model_asked"] == model
        (call,) = crossroads.shop.books.calls
        assert call.ask is not None and call.ask.model == model


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("script", "status"),
    [
        ({"status": 400, "error_text": f"{HIDDEN} takes no such thing."}, 400),
        ({"status": 400, "error_text": f"Too long for the context window of {HIDDEN}."}, 400),
        ({"status": 413, "error_text": f"Too large for {HIDDEN}."}, 413),
        ({"status": 404, "error_text": f"No model {HIDDEN}."}, 502),
        ({"status": 429, "error_text": f"Too many calls of {HIDDEN}."}, 503),
        ({"status": 500, "error_text": f"{HIDDEN} is ill."}, 502),
    ],
    ids=["400", "context", "413", "404", "429", "500"],
)
def test_s4_mapping_no_error_has_the_upstreams_name_of_the_model(
    crossroads: Crossroads, surface: str, script: dict[str, object], status: int, stream: bool
):
    crossroads.script("mapped-a", **script)
    path, body = asked(surface, MODEL)
    if stream and surface == "gemini":
        path = path.replace(":generate", ":streamGenerate") + "?alt=sse"
    elif stream and surface != "media":
        body = {**body, "stream": True}
    answer = crossroads.send(path, body, {"authorization": f"Bearer {KEYS['mapped']}"})
    assert answer.status == status, answer.body
    assert HIDDEN not in answer.body.decode() + str(answer.headers)
    if status < 500:
        assert MODEL in json.loads(answer.body)["error"]["message"]
    assert crossroads.called() == ["mapped-a"]


def test_s4_mapping_a_stream_that_breaks_has_the_clients_name(crossroads: Crossroads):
    for surface in SURFACES[:4]:
        for script in (
            {"error_event_after": 8, "error_text": f"{HIDDEN} broke."},
            {"cut_after": 8},
        ):
            crossroads.script("mapped-a", tokens=20, text="one two", **script)
            path, body = asked(surface, MODEL)
            if surface == "gemini":
                path = path.replace(":generate", ":streamGenerate") + "?alt=sse"
            else:
                body = {**body, "stream": True}
            answer = crossroads.send(path, body, {"authorization": f"Bearer {KEYS['mapped']}"})
            assert answer.status == 200
            assert HIDDEN.encode() not in answer.body
            assert MODEL.encode() in answer.body and b"The stream broke" in answer.body
