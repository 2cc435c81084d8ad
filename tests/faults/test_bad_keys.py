"""Proof that only a key in order is served, from where it may be used, in all error dialects."""

import asyncio
import base64
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.edge.lane import Answer
from tests.faults.till import CHAT, Till, called, open_till, refused, request
from tests.services.gateway import KEY, catalogue, chat

pytestmark = pytest.mark.asyncio(loop_scope="session")

GOOD = json.dumps(chat()).encode()
WORDS = ("expired", "disabled", "walled", "narrow", "auto", "suspended", "broke")
KEYS = {word: f"sk-{word}-".ljust(40, "0") + word[:6].rjust(6, "x") for word in WORDS}
MINTED = "sk-tb-" + "A" * 40 + "000000"
WAIT_S = 10


def _key(name: str, *lines: str) -> str:
    head = ("[[user.key]]", f'name = "{name}"', f'secret = "{KEYS[name]}"')
    channel = () if name == "auto" else ('channel = "main"',)
    return "\n".join((*head, *channel, *lines, ""))


def configuration(vendor: str, **site: Any) -> str:
    """Return the test's catalogue with a key for everything that can be wrong with one."""
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in site.items())
    return "\n".join(
        (
            catalogue(vendor).replace("[site]\n", f"[site]\n{lines}"),
            _key("expired", 'expires = "2020-01-01T00:00:00Z"'),
            _key("disabled"),
            _key("walled", 'ips = ["203.0.113.0/24"]'),
            _key("narrow", 'models = ["gpt-other"]'),
            _key("auto"),
            '[[user]]\nemail = "suspended@example.com"\ncredit = "5.00"',
            _key("suspended"),
            '[[user]]\nemail = "broke@example.com"',
            _key("broke"),
        )
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_till(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Till]:
    """Run a gateway that has every kind of key."""
    async with open_till(tmp_path_factory.mktemp("keys")) as one:
        await configure(one)
        yield one


def vendor_of(one: Till) -> str:
    return str(one.gateway.rows("SELECT base_url FROM accounts")[0]["base_url"])


async def configure(one: Till, **site: Any) -> None:
    """Apply the configuration to the running server; what no file can say is set by hand."""
    text = configuration(vendor_of(one), **site)
    await asyncio.to_thread(one.gateway.apply, text)
    with contextlib.closing(sqlite3.connect(one.gateway.database)) as connection:
        connection.execute("UPDATE api_keys SET enabled = 0 WHERE name = 'disabled'")
        connection.execute("UPDATE users SET status = 'suspended' WHERE email LIKE 'susp%'")
        connection.execute("UPDATE change SET version = version + 1")
        connection.commit()
    await until(one, 403, with_key("suspended"))
    await until(one, 403, with_key("disabled"))


async def until(one: Till, status: int, raw: bytes, word: str = "") -> Answer:
    """Ask until a change has arrived; the patience is a bound on hanging, not a measure."""
    async with asyncio.timeout(WAIT_S):
        while True:
            answer = await one.ask(raw)
            if answer.status == status and word in answer.body.decode():
                return answer
            await asyncio.sleep(0.02)


def with_key(word: str, *lines: str, model: str = "gpt-test") -> bytes:
    body = json.dumps({**chat(), "model": model}).encode()
    return request(CHAT, body, f"authorization: Bearer {KEYS[word]}", *lines)


BAD = {
    "none": (),
    "an empty bearer": ("authorization: Bearer ",),
    "only the word": ("authorization: Bearer",),
    "an empty header": ("x-api-key:  ",),
}
WRONG = {
    "unknown": ("authorization: Bearer sk-" + "a" * 40,),
    "another case": (f"authorization: Bearer {KEY.upper()}",),
    "a prefix": (f"authorization: Bearer {KEY[:-1]}",),
    "one character more": (f"authorization: Bearer {KEY}9",),
    "a blank inside": (f"authorization: Bearer {KEY[:10]} {KEY[10:]}",),
    "two keys": (f"authorization: Bearer {KEY}, Bearer {KEY}",),
    "quotes": (f'authorization: Bearer "{KEY}"',),
    "basic": ("authorization: Basic " + base64.b64encode(f"u:{KEY}".encode()).decode(),),
    "another scheme": (f"authorization: Token {KEY}",),
    "a digest": ('authorization: Digest username="u", response="x"',),
    "not ASCII": ("authorization: Bearer sk-\xe9\xff" + "a" * 40,),
    "UTF-8": ("authorization: Bearer sk-" + "\u20ac".encode().decode("latin-1") * 20,),
    "ten kilobytes": ("authorization: Bearer sk-" + "a" * 10_000,),
    "one character": ("authorization: Bearer a",),
    "the vendor's": ("authorization: Bearer vendor-secret",),
    "a wrong check tag": (f"authorization: Bearer {MINTED}",),
    "SQL": ("authorization: Bearer ' OR 1=1 --",),
    "a wrong bearer before a good key": ("authorization: Bearer sk-no", f"x-api-key: {KEY}"),
    "x-api-key": ("x-api-key: sk-" + "b" * 40,),
    "x-goog-api-key": ("x-goog-api-key: sk-" + "b" * 40,),
}


@pytest.mark.parametrize("name", [*BAD, *WRONG])
async def test_no_usable_key_is_no_entry(till: Till, name: str):
    lines = BAD.get(name) or WRONG.get(name) or ()
    for path in (CHAT, "/v1/completions"):
        answer = await till.ask(request(path, GOOD, *lines))
        error = refused(answer, 401)
        assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")
        assert error["message"].startswith("No API key" if name in BAD else "The API key is not")
    read = await till.ask(request("/v1/models", b"", *lines, method="GET"))
    # A list of models speaks the protocol of whose header the key stands in.
    surface = {"x-api-key": "messages", "x-goog-api-key": "gemini"}.get(name, "chat")
    assert refused(read, 401, surface)["message"] == error["message"], "the two halves disagree"


@pytest.mark.parametrize("query", ["key=", "key=sk-no", "key=%ff%00", "key=a&key=b", "key", "?key"])
async def test_a_key_in_the_query_must_be_right_too(till: Till, query: str):
    assert refused(await till.ask(request(f"{CHAT}?{query}", GOOD)), 401)


async def test_a_key_with_a_control_character_never_becomes_one(till: Till):
    for bad in ("\x00", "\x01", "\x7f"):
        lines = (f"authorization: Bearer {KEY}{bad}",)
        answer = await till.ask(request(CHAT, GOOD, *lines))
        refused(answer, answer.status)
        assert answer.status in {400, 401}


async def test_a_thousand_guesses_find_and_cost_nothing(till: Till):
    for start in range(0, 1000, 100):
        guesses = [f"authorization: Bearer sk-{start + n:040}" for n in range(100)]
        for answer in await asyncio.gather(
            *(till.ask(request(CHAT, GOOD, line)) for line in guesses)
        ):
            refused(answer, 401)


@pytest.mark.parametrize(
    "lines",
    [
        (f"authorization: Bearer   {KEY} \t",),
        (f"authorization: bearer {KEY}",),
        (f"authorization: {KEY}",),
        (f"x-api-key: \t{KEY}  ",),
        (f"x-goog-api-key: {KEY}",),
        ("authorization: Basic ", f"x-api-key: {KEY}")[1:],
    ],
)
async def test_white_space_around_a_good_key_does_not_matter(
    shared_till: Till, lines: tuple[str, ...]
):
    assert (await shared_till.ask(request(CHAT, GOOD, *lines))).status == 200


async def test_a_good_key_may_stand_in_the_query(shared_till: Till):
    for query in (f"key={KEY}", f"key=+{KEY}%20", f"alt=sse&key={KEY.replace('-', '%2D')}"):
        assert (await shared_till.ask(request(f"{CHAT}?{query}", GOOD))).status == 200


REFUSALS = {
    "expired": (401, "api_key_expired", "expired"),
    "disabled": (403, "key_disabled", "disabled"),
    "suspended": (403, "account_suspended", "suspended"),
    "walled": (403, "ip_not_allowed", KEYS["walled"][-6:]),
    "narrow": (403, "model_not_allowed", KEYS["narrow"][-6:]),
    "broke": (402, "insufficient_quota", "balance"),
}


@pytest.mark.parametrize("word", REFUSALS)
async def test_a_key_that_must_not_be_used_says_why(till: Till, word: str):
    status, code, words = REFUSALS[word]
    answer = await till.ask(with_key(word))
    error = refused(answer, status)
    assert error["code"] == code
    assert words in error["message"]
    assert KEYS[word].encode() not in answer.body


async def test_a_forged_address_changes_nothing_without_trusted_proxies(till: Till):
    for line in (
        "x-forwarded-for: 203.0.113.7",
        "x-real-ip: 203.0.113.7",
        "forwarded: for=203.0.113.7",
    ):
        refused(await till.ask(with_key("walled", line)), 403)


FORGED = [
    "203.0.113.7, 198.51.100.1",
    "198.51.100.1",
    "nonsense",
    "203.0.113.7, nonsense",
    "203.0.113.7, 198.51.100.1, 127.0.0.1",
    "203.0.113.7,",
    "",
]


async def test_behind_a_trusted_proxy_the_right_most_stranger_counts(shared_till: Till):
    proxied = with_key("walled", "x-forwarded-for: 6.6.6.6, 203.0.113.7")
    await configure(shared_till, trusted_proxies=["127.0.0.1/32"])
    try:
        await until(shared_till, 200, proxied)
        async with shared_till.untouched():
            for line in FORGED:
                forged = with_key("walled", f"x-forwarded-for: {line}")
                assert refused(await shared_till.ask(forged), 403)["code"] == "ip_not_allowed"
            split = with_key("walled", "x-forwarded-for: 203.0.113.7", "x-forwarded-for: 6.6.6.6")
            refused(await shared_till.ask(split), 403)
        # Trust in another network is no trust in this peer.
        await configure(shared_till, trusted_proxies=["10.0.0.0/8"])
        await until(shared_till, 403, proxied)
    finally:
        await configure(shared_till, trusted_proxies=[])
    async with shared_till.untouched():
        refused(await until(shared_till, 403, proxied), 403)


# errors.md, "Profiles": (strict, legacy, status402, plain) as status and words of the message.
_TEXT = "Unauthorized \u2013 access token is invalid or expired."
PROFILES: dict[str, list[tuple[int, str]]] = {
    "none": [
        (401, "No API key provided"),
        (401, "Unauthorized \u2013 no access token supplied"),
        (401, "No API key provided"),
        (401, "No API key provided"),
    ],
    "expired": [(401, "expired"), (401, _TEXT), (401, "expired"), (401, "expired")],
    "disabled": [(403, "disabled")] * 4,
    "suspended": [(403, "suspended"), (403, "Account suspended."), (403, ""), (403, "")],
    "walled": [
        (403, "from this network address"),
        (403, f"Forbidden \u2013 key({KEYS['walled'][-6:]}) allowed only from approved IP ranges."),
        (403, ""),
        (403, ""),
    ],
    "narrow": [
        (403, "may not use the model"),
        (403, "not authorized to access the requested model."),
        (403, ""),
        (403, ""),
    ],
    "broke": [
        (402, "balance"),
        (403, "Your account balance is insufficient. Please recharge"),
        (402, "balance"),
        (402, "balance"),
    ],
    "bound": [
        (404, "did you mean gpt-test?"),
        (503, "No available accounts"),
        (503, "No available channel for model gpt-tset"),
        (404, "did you mean gpt-test?"),
    ],
    "auto": [
        (404, "did you mean gpt-test?"),
        (503, "Incorrect model ID. Please request to view the model page"),
        (503, "No available channel for model gpt-tset"),
        (404, "did you mean gpt-test?"),
    ],
    "body": [(413, "larger than")] * 4,
    "path": [(404, "Invalid URL (POST /v1/nothing)")] * 4,
}
NAMES = ["strict", "legacy", "status402", "plain"]


def _case(name: str) -> bytes:
    huge = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\ncontent-length: 999999999\r\n\r\n".encode()
    if name in {"bound", "auto"}:
        key = KEY if name == "bound" else KEYS["auto"]
        body = json.dumps({**chat(), "model": "gpt-tset"}).encode()
        return request(CHAT, body, f"authorization: Bearer {key}")
    made = {
        "none": request(CHAT, GOOD),
        "body": huge,
        "path": called(GOOD, "/v1/nothing"),
    }
    return made.get(name) or with_key(name)


@pytest.mark.parametrize("profile", NAMES)
async def test_every_profile_has_its_own_words(shared_till: Till, profile: str):
    await configure(shared_till, error_profile=profile)
    at = NAMES.index(profile)
    # What the profiles say of these two together differs between any two of them but one pair.
    for name in ("broke", "bound"):
        await until(shared_till, PROFILES[name][at][0], _case(name), PROFILES[name][at][1])
    async with shared_till.untouched():
        for name, cells in PROFILES.items():
            status, words = cells[at]
            error = refused(await shared_till.ask(_case(name)), status)
            assert words in error["message"], name
    if profile == NAMES[-1]:
        await configure(shared_till, error_profile="strict")
