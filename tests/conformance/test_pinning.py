"""Pinning through a real gateway: who may, how it is said on every surface, and what it binds to.

Seed 004's fixed route: a suffix of the key or a header; seed 001's errors where it may not be.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.conformance.crossroads import (
    KEYS,
    MARKED,
    MODEL,
    OTHER,
    SURFACES,
    Crossroads,
    asked,
    catalogue,
    open_crossroads,
)
from tests.faults.stage import Answer
from tests.faults.till import refused

PLACES = ("authorization", "x-api-key", "x-goog-api-key", "query")
HEADER = "x-tollbridge-channel"
FAILING = {"status": 500, "error_text": "Something broke."}


@pytest.fixture(scope="module")
def crossroads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crossroads]:
    with open_crossroads(tmp_path_factory.mktemp("crossroads")) as one:
        yield one


@pytest.fixture(scope="module")
def minted(crossroads: Crossroads) -> str:
    """Return a key that the gateway made up itself."""
    text = catalogue(crossroads.shop.vendor.url)
    user = '[[user]]\nemail = "minted@example.com"\ncredit = "5.00"\n'
    user += '[[user.key]]\nname = "minted"\nmay_pin = true\nchannel = "main"\n'
    found = re.search(r"sk-tb-\w+", crossroads.shop.gateway.apply(text + user))
    assert found is not None
    crossroads.speak("strict")
    return found[0]


def sent(crossroads: Crossroads, surface: str, place: str, secret: str) -> Answer:
    """Call with a secret that stands somewhere."""
    path, body = asked(surface, MODEL)
    if place == "query":
        return crossroads.send(f"{path}?key={quote(secret)}", body, {})
    scheme = "Bearer " if place == "authorization" else ""
    return crossroads.send(path, body, {place: scheme + secret})


def error_of(answer: Answer, surface: str, status: int) -> str:
    """Return the message of a refusal, and its code where the surface has one."""
    grammar = surface if surface in {"messages", "gemini"} else "chat"
    error = refused(answer, status, grammar)
    return f"{error.get('code', '')} {error['message']}"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("surface", SURFACES)
def test_s4_fixed_route_behind_the_key_wherever_it_stands(
    crossroads: Crossroads, surface: str, place: str
):
    for key in ("may", "may-main", "admin"):
        for pin, account in (("#spare", "spare-a"), ("#spare/spare-b", "spare-b")):
            crossroads.script()
            answer = sent(crossroads, surface, place, KEYS[key] + pin)
            assert answer.status == 200, answer.body
            assert crossroads.called() == [account]
    crossroads.script()
    assert sent(crossroads, surface, place, KEYS["may-main"]).status == 200
    assert crossroads.called() == ["main-a"]


@pytest.mark.parametrize("surface", SURFACES)
def test_s4_fixed_route_by_the_header(crossroads: Crossroads, surface: str):
    for wish, account in (("spare", "spare-a"), ("spare/spare-b", "spare-b"), ("", "main-a")):
        crossroads.script()
        answer = crossroads.call(surface, "may-main", **{HEADER: wish})
        assert answer.status == 200, answer.body
        assert crossroads.called() == [account]


def test_s4_fixed_route_the_header_wins_and_an_empty_one_does_not(crossroads: Crossroads):
    for wish, account in (("shy", "shy-a"), ("", "spare-a")):
        crossroads.script()
        answer = crossroads.call("chat", "may", pin="#spare", **{HEADER: wish})
        assert answer.status == 200, answer.body
        assert crossroads.called() == [account]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("pin", ["-spare", "-spare/spare-b", "#spare"])
def test_s4_fixed_route_a_minted_key_takes_a_hyphen_too(
    crossroads: Crossroads, minted: str, surface: str, pin: str
):
    for place in PLACES:
        crossroads.script()
        answer = sent(crossroads, surface, place, minted + pin)
        assert answer.status == 200, answer.body
        assert crossroads.called() == ["spare-b" if "/" in pin else "spare-a"]


def test_s4_fixed_route_the_whole_string_is_a_key_first(crossroads: Crossroads):
    crossroads.script()
    # It looks like the key `may` on the channel `plain`, and is another key, of the channel `other`.
    assert crossroads.call("chat", "may", OTHER, pin="#plain").status == 200
    assert crossroads.called() == ["other-a"]
    assert crossroads.call("chat", "may", OTHER, pin="#spare").status == 404
    assert crossroads.call("chat", "shadow", pin="#spare").status == 200
    assert crossroads.called() == ["other-a", "spare-a"]


def test_s4_fixed_route_a_wrong_key_is_wrong_whatever_stands_behind(
    crossroads: Crossroads, minted: str
):
    for secret in ("sk-" + "n" * 40 + "#spare", f"{KEYS['may']}#", f"{minted[:-1]}-spare"):
        for surface in SURFACES:
            answer = sent(crossroads, surface, "authorization", secret)
            assert "not valid" in error_of(answer, surface, 401)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("key", ["main", "auto", "staff"])
def test_s1_403_only_who_has_the_right_may_choose(crossroads: Crossroads, surface: str, key: str):
    crossroads.script()
    for place in PLACES:
        answer = sent(crossroads, surface, place, KEYS[key] + "#spare")
        assert "may not choose a channel" in error_of(answer, surface, 403)
    # Not even the channel that the key has anyway, and nobody learns which channels there are.
    for wish in ("main", "spare/spare-a", "nobody"):
        answer = crossroads.call(surface, key, **{HEADER: wish})
        assert "may not choose a channel" in error_of(answer, surface, 403)
    assert crossroads.called() == []


BAD_IDS = (
    *("nobody", "SPARE", "1", "/", "/spare-a", "spare/nobody", "spare/main-a", "spare/SPARE-A"),
    # It is there, but was taken out.
    *("spare/spare-off", "weary/weary-off"),
    *("spare/spare-a/x", "spare#x", "*", "auto", "x" * 3_000, "spare\u00e9"),
)


@pytest.mark.parametrize("wish", BAD_IDS, ids=lambda wish: wish[:20])
def test_s1_400_what_does_not_exist_cannot_be_chosen(crossroads: Crossroads, wish: str):
    crossroads.script()
    for surface in SURFACES:
        for key in ("may", "admin"):
            answer = crossroads.call(surface, key, **{HEADER: wish})
            assert "does not exist" in error_of(answer, surface, 400)
    assert crossroads.called() == []


def test_s1_400_a_channel_of_another_group_does_not_exist(crossroads: Crossroads):
    for surface in SURFACES:
        crossroads.script()
        answer = crossroads.call(surface, "may", pin="#vip")
        assert "does not exist" in error_of(answer, surface, 400)
        assert crossroads.call(surface, "may-vip", pin="#vip").status == 200
        assert crossroads.call(surface, "admin", pin="#vip").status == 200
        assert crossroads.called() == ["vip-a", "vip-a"]


REFUSED = {
    "#closed-strict": (403, "disabled", MODEL),
    "#other": (404, "does not exist here", MODEL),
    "#empty": (503, "No available accounts", MODEL),
    "#weary": (503, "No available accounts", MODEL),
    "#marked": (403, "Telegram", MARKED),
    "#code": (403, "does not accept this client", MODEL),
}


@pytest.mark.parametrize("pin", REFUSED)
def test_s4_fixed_route_the_chosen_channels_own_rules_hold(crossroads: Crossroads, pin: str):
    status, words, model = REFUSED[pin]
    crossroads.script()
    for surface in SURFACES:
        for key in ("may", "admin"):
            answer = crossroads.call(surface, key, model, pin=pin)
            assert words in error_of(answer, surface, status)
    assert crossroads.called() == []


@pytest.mark.parametrize("surface", SURFACES[1:])
def test_s4_fixed_route_never_to_a_surface_that_the_channel_does_not_serve(
    crossroads: Crossroads, surface: str
):
    crossroads.script()
    answer = crossroads.call(surface, "may", pin="#shy")
    assert "does not serve this protocol" in error_of(answer, surface, 403)
    assert crossroads.called() == []


@pytest.mark.parametrize("surface", SURFACES)
def test_s4_fixed_route_a_channel_fails_over_among_its_accounts(
    crossroads: Crossroads, surface: str
):
    crossroads.script("spare-a", **FAILING)
    assert crossroads.call(surface, "may", pin="#spare").status == 200
    assert crossroads.called() == ["spare-a", "spare-b"]
    crossroads.script("spare-a", "spare-b", **FAILING)
    answer = crossroads.call(surface, "may", pin="#spare")
    assert "temporarily unavailable" in error_of(answer, surface, 502)
    # No other channel is asked, though it sells the model too.
    assert crossroads.called() == ["spare-a", "spare-b"]


@pytest.mark.parametrize("surface", SURFACES)
def test_s4_fixed_route_an_account_never_fails_over(crossroads: Crossroads, surface: str):
    for wish in ("spare/spare-a", "spare/spare-b"):
        account = wish.partition("/")[2]
        crossroads.script(account, **FAILING)
        for answer in (
            crossroads.call(surface, "may", pin=f"#{wish}"),
            crossroads.call(surface, "admin", **{HEADER: wish}),
        ):
            assert "temporarily unavailable" in error_of(answer, surface, 502)
            # An account is the operator's, whoever asks for it.
            assert account not in answer.body.decode() + str(answer.headers)
        assert crossroads.called() == [account, account]


def test_s4_fixed_route_a_response_stays_with_the_account_that_has_it(crossroads: Crossroads):
    crossroads.script()
    path, body = asked("responses", MODEL)
    bearer = {"authorization": f"Bearer {KEYS['may']}"}
    made = crossroads.send(path, body, {**bearer, HEADER: "spare/spare-b"})
    assert made.status == 200
    found = re.search(rb'"id":\s*"(resp_[^"]+)"', made.body)
    assert found is not None
    next_one = {**body, "previous_response_id": found[1].decode()}
    assert crossroads.send(path, next_one, {**bearer, HEADER: "spare"}).status == 200
    assert crossroads.called() == ["spare-b", "spare-b"]
    for wish in ("spare/spare-a", "main"):
        answer = crossroads.send(path, next_one, {**bearer, HEADER: wish})
        assert "previous_response_not_found" in error_of(answer, "responses", 400)
    assert crossroads.called() == ["spare-b", "spare-b"]


def test_s4_fixed_route_it_is_paid_for_at_the_chosen_channels_price(crossroads: Crossroads):
    crossroads.script("main-a", "spare-a", prompt_tokens=100, tokens=10)
    costs = []
    for pin in ("#main", "#spare"):
        answer = crossroads.call("chat", "may", pin=pin)
        assert answer.status == 200
        row = crossroads.shop.usage_row(answer.headers["x-request-id"])
        costs.append((row["charge"], row["account_id"] is not None))
    assert costs == [(350_000, True), (700_000, True)]
