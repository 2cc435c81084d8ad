"""Stored responses through a real gateway with OpenAI's SDK: two accounts, two users, none mixed up."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import openai
import pytest

from tests.conformance.shop import Shop, open_shop
from tests.services.sdk_received import openai_client
from tollbridge.demo.fake_books import AccountScript

MODEL = "gpt-5.4"
ANN, ANNS_OTHER, BOB, TRANSLATED = (
    f"sk-{name:-<40}" for name in ("ann", "anns-other", "bob", "translated")
)
ACCOUNTS = {"one", "two"}
MANY = 8
CATALOGUE = """
[site]
allow_private_upstreams = true
[[model]]
name = "gpt-5.4"
context = 200000
max_output = 32768
input = "1.00"
output = "2.00"
[[channel]]
name = "main"
platform = "openai"
models = ["*"]
[[channel.account]]
name = "one"
base_url = "{vendor}"
secret = "one"
[[channel.account]]
name = "two"
base_url = "{vendor}"
secret = "two"
[[channel]]
name = "other"
platform = "openai"
models = ["*"]
[[channel.account]]
name = "three"
base_url = "{vendor}"
secret = "three"
[[channel]]
name = "translated"
platform = "anthropic"
models = ["*"]
[[channel.account]]
name = "four"
base_url = "{vendor}"
secret = "four"
[[user]]
email = "ann@example.com"
credit = "50.00"
[[user.key]]
name = "ann"
secret = "{ann}"
channel = "main"
[[user.key]]
name = "other"
secret = "{anns_other}"
channel = "other"
[[user.key]]
name = "translated"
secret = "{translated}"
channel = "translated"
[[user]]
email = "bob@example.com"
credit = "50.00"
[[user.key]]
name = "bob"
secret = "{bob}"
channel = "main"
"""


def catalogue(vendor: str) -> str:
    return CATALOGUE.format(
        vendor=vendor, ann=ANN, anns_other=ANNS_OTHER, bob=BOB, translated=TRANSLATED
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("gateway"), catalogue) as opened:
        yield opened


@pytest.fixture
def ann(shop: Shop) -> Iterator[openai.OpenAI]:
    with openai_client(shop.gateway.url, ANN) as client:
        yield client


@pytest.fixture
def bob(shop: Shop) -> Iterator[openai.OpenAI]:
    with openai_client(shop.gateway.url, BOB) as client:
        yield client


def make(client: openai.OpenAI, **fields: Any) -> Any:
    # Each call is a session of its own, so that all accounts have their turn.
    asked = {"model": MODEL, "input": "How much is the toll?", "prompt_cache_key": uuid4().hex}
    return client.responses.create(**{**asked, **fields})


def streamed(client: openai.OpenAI, **fields: Any) -> Any:
    events = list(make(client, stream=True, **fields))
    assert events[-1].type == "response.completed"
    return events[-1].response


def last(shop: Shop) -> Any:
    return shop.books.calls[-1]


def rows(shop: Shop) -> int:
    return len(shop.gateway.rows("SELECT tid FROM usage"))


@pytest.mark.parametrize("how", [make, streamed], ids=["unary", "stream"])
def test_a_conversation_goes_on_at_the_account_that_has_it(shop, ann, how):
    homes = set()
    # So many that all begin at one account once in eight millions.
    for _ in range(24):
        previous = how(ann)
        home = last(shop).secret
        homes.add(home)
        for _ in range(3):
            previous = how(ann, previous_response_id=previous.id)
            assert last(shop).secret == home
        counted = ann.responses.input_tokens.count(
            model=MODEL, input="on", previous_response_id=previous.id
        )
        assert counted.input_tokens and last(shop).secret == home
    assert homes == ACCOUNTS


def test_there_is_no_failing_over_to_who_does_not_have_it(shop, ann):
    previous = make(ann)
    home = last(shop).secret
    shop.books.accounts[home] = AccountScript({"status": 500}, 1)
    before = len(shop.books.calls)
    with pytest.raises(openai.InternalServerError):
        make(ann, previous_response_id=previous.id)
    assert [call.secret for call in list(shop.books.calls)[before:]] == [home]
    assert make(ann, previous_response_id=previous.id).id


@pytest.mark.parametrize("stream", [False, True])
def test_nobody_goes_on_from_what_is_not_theirs(shop, ann, bob, stream):
    anns = make(ann).id
    with openai_client(shop.gateway.url, ANNS_OTHER) as elsewhere:
        for client, previous in (
            (bob, anns),
            (ann, "resp_never_made"),
            (ann, "../models"),
            (ann, anns + "\n"),
            # The same user, but a channel without that account.
            (elsewhere, anns),
        ):
            before, entered = len(shop.books.calls), rows(shop)
            with pytest.raises(openai.BadRequestError) as refused:
                make(client, previous_response_id=previous, stream=stream)
            assert (refused.value.code, refused.value.param) == (
                "previous_response_not_found",
                "previous_response_id",
            )
            assert (len(shop.books.calls), rows(shop)) == (before, entered)


def test_what_was_not_to_be_kept_is_not_known(shop, ann):
    unkept = make(ann, store=False)
    with pytest.raises(openai.BadRequestError):
        make(ann, previous_response_id=unkept.id)
    with pytest.raises(openai.NotFoundError):
        ann.responses.retrieve(unkept.id)


def test_what_was_translated_is_kept_nowhere(shop):
    with openai_client(shop.gateway.url, TRANSLATED) as client:
        said = make(client)
        before = len(shop.books.calls)
        with pytest.raises(openai.BadRequestError) as refused:
            make(client, previous_response_id=said.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(said.id)
    assert refused.value.code == "previous_response_not_found"
    assert len(shop.books.calls) == before


def test_its_user_can_look_at_it_and_list_what_was_asked_and_delete_it(shop, ann):
    for _ in range(MANY):
        said = make(ann)
        home = last(shop).secret
        entered, money = rows(shop), shop.gateway.wallet()
        found = ann.responses.retrieve(said.id, include=["reasoning.encrypted_content"])
        assert (found.id, found.output_text) == (said.id, said.output_text)
        call = last(shop)
        assert (call.method, call.secret, call.body) == ("GET", home, b"")
        assert "include" in call.query
        listed = ann.responses.input_items.list(said.id, limit=5, order="asc")
        assert [item.role for item in listed.data] == ["user"]
        assert "limit=5" in last(shop).query and "order=asc" in last(shop).query
        with pytest.raises(openai.BadRequestError, match="synchronous"):
            ann.responses.cancel(said.id)
        assert last(shop).method == "POST" and last(shop).path.endswith("/cancel")
        ann.responses.delete(said.id)
        assert (last(shop).method, last(shop).secret) == ("DELETE", home)
        before = len(shop.books.calls)
        for gone in (ann.responses.retrieve, ann.responses.delete, ann.responses.cancel):
            with pytest.raises(openai.NotFoundError):
                gone(said.id)
        with pytest.raises(openai.BadRequestError):
            make(ann, previous_response_id=said.id)
        assert len(shop.books.calls) == before
        assert (rows(shop), shop.gateway.wallet()) == (entered, money)


def test_its_users_other_keys_reach_it_and_other_users_do_not(shop, ann, bob):
    said = make(ann)
    with openai_client(shop.gateway.url, ANNS_OTHER) as same:
        assert same.responses.retrieve(said.id).id == said.id
    before = len(shop.books.calls)
    for reach in (
        bob.responses.retrieve,
        bob.responses.delete,
        bob.responses.cancel,
        bob.responses.input_items.list,
    ):
        with pytest.raises(openai.NotFoundError) as refused:
            reach(said.id)
        assert said.id in refused.value.message
    assert len(shop.books.calls) == before
    assert ann.responses.retrieve(said.id).id == said.id


def test_it_can_be_streamed_again_from_any_event_on(shop, ann):
    said = make(ann)
    events = list(ann.responses.retrieve(said.id, stream=True))
    assert [event.type for event in events] == ["response.created", "response.completed"]
    assert events[-1].response.id == said.id
    (rest,) = ann.responses.retrieve(said.id, stream=True, starting_after=0)
    assert rest.sequence_number == 1
    assert last(shop).query == "starting_after=0&stream=true"


def test_a_failing_vendor_is_told_as_ours_and_nothing_of_it_leaks(shop, ann):
    said = make(ann)
    home = last(shop).secret
    for status, kind in (
        (500, openai.InternalServerError),
        (401, openai.InternalServerError),
        (429, openai.InternalServerError),
    ):
        for stream in (False, True):
            script = {"status": status, "error_text": "organisation org-secret"}
            shop.books.accounts[home] = AccountScript(script, 1)
            with pytest.raises(kind) as told:
                ann.responses.retrieve(said.id, stream=stream)
            assert "org-secret" not in str(told.value)
    assert ann.responses.retrieve(said.id).id == said.id


def test_only_these_calls_are_let_through(shop, ann):
    said = make(ann).id
    before = len(shop.books.calls)
    for method, path, status in (
        ("GET", "/v1/responses", 405),
        ("GET", "/v1/responses/compact", 405),
        ("DELETE", "/v1/responses/input_tokens", 405),
        ("PUT", f"/v1/responses/{said}", 405),
        ("POST", f"/v1/responses/{said}", 405),
        ("GET", f"/v1/responses/{said}/cancel", 405),
        ("GET", f"/v1/responses/{said}/other", 404),
        ("GET", f"/v1/responses/{said}%2f..%2f..%2fmodels", 404),
        ("GET", f"/v1/responses/{'r' * 201}", 404),
    ):
        answer = shop.http.request(method, path, headers={"authorization": f"Bearer {ANN}"})
        assert answer.status_code == status, (method, path, answer.text)
        assert answer.json()["error"]["message"]
    assert shop.http.get(f"/v1/responses/{said}").status_code == 401
    assert len(shop.books.calls) == before
    query = "?stream=false&key=x&api-version=1&starting_after=0"
    headers = {"authorization": f"Bearer {ANN}"}
    answer = shop.http.get(f"/v1/responses/{said}{query}", headers=headers)
    assert answer.status_code == 200
    assert last(shop).query == "stream=false&starting_after=0"
    assert answer.content == shop.books.kept(last(shop).secret, said)


def test_nothing_readable_is_remembered(shop, ann):
    said = make(ann, input="canary-of-a-prompt")
    assert ann.responses.retrieve(said.id).id == said.id
    for file in shop.gateway.folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"canary-of-a-prompt" not in content, file
            assert said.id.encode() not in content, file


def test_a_count_of_them_is_in_the_metrics(shop, ann):
    said = make(ann)
    text = shop.http.get("/metrics").text
    ann.responses.retrieve(said.id)
    lines = [
        line
        for line in shop.http.get("/metrics").text.splitlines()
        if "stored" in line and "responses" in line
    ]
    assert lines and lines[0] not in text.splitlines(), json.dumps(lines)
