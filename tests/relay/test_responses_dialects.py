"""Proof of the surface of OpenAI Responses: what is asked, sent, read and shown."""

import msgspec
import pytest

from tests.relay.calls import account, admitted, asked, channel, snapshot
from tests.relay.dialects import said_to, task_for
from tests.relay.visitor import Visitor
from tollbridge.core.errors import ApiError, Kind, Surface
from tollbridge.protocols.carriers import sealed
from tollbridge.protocols.conversation import Carrier, Vendor
from tollbridge.protocols.json_peek import FieldError
from tollbridge.protocols.media_request import Refused
from tollbridge.protocols.responses_stream import ResponsesTap
from tollbridge.relay.dialects import Wish
from tollbridge.relay.gate import read_body
from tollbridge.relay.responses_dialects import COMPACT, RESPONSES, SEARCHES_MOST
from tollbridge.relay.straight import Straight
from tollbridge.relay.translated import Translated

OPENAI = account()
OTHERS = [account(compatible=True), account(platform="anthropic"), account(platform="gemini")]
PATH = "/v1/responses"


def body(**fields):
    return {"model": "gpt-test", "input": "hello", **fields}


def ask(**fields):
    return RESPONSES.read(Visitor(body(**fields)))[1]


@pytest.mark.parametrize(
    ("fields", "wish"),
    [
        ({}, Wish(None)),
        ({"max_output_tokens": 50}, Wish(50)),
        ({"tools": [{"type": "web_search_preview"}]}, Wish(None, searches=SEARCHES_MOST)),
        ({"tools": [{"type": "image_generation"}]}, Wish(None, media_out=True)),
        ({"tools": [{"type": "function", "name": "web_search"}]}, Wish(None)),
    ],
)
def test_what_a_request_may_cost(fields, wish):
    assert RESPONSES.wish(ask(**fields)) == wish


@pytest.mark.parametrize("fields", [{"model": 7}, {"input": {}}, {"tools": "all"}, {"input": []}])
def test_what_cannot_be_read_is_a_field_error(fields):
    with pytest.raises(FieldError):
        ask(**fields)


def test_what_runs_on_after_everybody_has_left_is_refused_by_name():
    with pytest.raises(Refused) as refused:
        ask(background=True)
    assert refused.value.param == "background"
    with pytest.raises(ApiError) as error:
        read_body(asked(body(background=True), path=PATH))
    assert (error.value.kind, error.value.param) == (Kind.INVALID_REQUEST, "background")
    assert not ask(background=False).background


def test_nothing_of_it_counts_as_visible_and_nothing_is_sliced():
    source, one = RESPONSES.read(Visitor(body()))
    assert not RESPONSES.visible(source, one)
    assert not any(RESPONSES.sliced(to) for to in [OPENAI, *OTHERS])
    assert (RESPONSES.surface, COMPACT.surface) == (Surface.RESPONSES,) * 2


def test_only_openai_itself_is_spoken_to_in_the_clients_own_bytes():
    raw = b'{ "model":"gpt-test",  "input" : "hello", "future": {"a": [1, 2]} }'
    task = task_for(RESPONSES, raw)
    errand = RESPONSES.errand(task, OPENAI)
    assert isinstance(errand, Straight)
    assert (errand.path, errand.body) == (b"/v1/responses", raw)
    assert isinstance(errand.tap(), ResponsesTap)


@pytest.mark.parametrize("to", OTHERS, ids=["compatible", "anthropic", "gemini"])
def test_all_others_get_a_translation_but_cannot_shorten_a_conversation(to):
    assert isinstance(RESPONSES.errand(task_for(RESPONSES, body()), to), Translated)
    assert RESPONSES.serves(to) and RESPONSES.serves(OPENAI)
    assert COMPACT.serves(OPENAI) and not COMPACT.serves(to)


def test_thoughts_of_other_vendors_do_not_reach_openai():
    own = {"type": "reasoning", "summary": [], "encrypted_content": "openais-own"}
    foreign = {**own, "encrypted_content": sealed(Carrier(Vendor.ANTHROPIC, "SECRET"))}
    said = {"role": "user", "content": "a"}
    history = {"input": [said, foreign, own, said], "store": False, "future": [1]}
    for dialect, task in (
        (RESPONSES, task_for(RESPONSES, body(**history))),
        (COMPACT, task_for(COMPACT, body(**history))),
    ):
        assert said_to(dialect, task, OPENAI) == {**body(**history), "input": [said, own, said]}
    high = task_for(
        RESPONSES, body(**{**history, "model": "gpt-test-high"}), model="gpt-test", effort="high"
    )
    assert said_to(RESPONSES, high, OPENAI) == {
        **body(**history),
        "input": [said, own, said],
        "reasoning": {"effort": "high"},
    }
    # Without any, the body is not even looked into.
    plain = msgspec.json.format(msgspec.json.encode(body(input=[said, own])))
    assert RESPONSES.errand(task_for(RESPONSES, plain), OPENAI).body == plain


def test_shortening_has_a_path_of_its_own():
    errand = COMPACT.errand(task_for(COMPACT, body()), OPENAI)
    assert errand.path == b"/v1/responses/compact"


def test_a_channel_of_others_only_does_not_offer_it():
    catalogue = snapshot(channel(accounts=tuple(OTHERS)))
    with pytest.raises(ApiError) as error:
        admitted(body(), path=PATH + "/compact", catalogue=catalogue)
    assert error.value.kind is Kind.SURFACE_NOT_ALLOWED
    assert admitted(body(), path=PATH, catalogue=catalogue).model.name == "gpt-test"


@pytest.mark.parametrize("before", [{}, {"max_output_tokens": 1_000}])
def test_a_limit_is_written(before):
    sent = said_to(RESPONSES, task_for(RESPONSES, body(**before), limit=77), OPENAI)
    assert sent == body(max_output_tokens=77)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"effort": "high"}),
        ({"reasoning": None}, {"effort": "high"}),
        ({"reasoning": {}}, {"effort": "high"}),
        (
            {"reasoning": {"effort": "low", "summary": "auto"}},
            {"effort": "high", "summary": "auto"},
        ),
    ],
)
def test_an_effort_of_the_name_is_spliced_in(before, after):
    task = task_for(
        RESPONSES, body(model="gpt-test-high", **before), model="gpt-test", effort="high"
    )
    assert said_to(RESPONSES, task, OPENAI) == body(reasoning=after)


@pytest.mark.parametrize("where", ["tools", "input"])
def test_a_tool_that_makes_images_needs_a_channel_that_may(where):
    tools = [{"type": "image_generation"}]
    fields = {"tools": tools}
    if where == "input":
        fields = {"input": [{"type": "additional_tools", "tools": tools}]}
    with pytest.raises(ApiError) as error:
        admitted(body(**fields), path=PATH)
    assert error.value.kind is Kind.IMAGES_NOT_ENABLED
    able = snapshot(channel(capabilities=frozenset({"images"})))
    assert admitted(body(**fields), path=PATH, catalogue=able).wish.media_out
    assert admitted(body(), path=PATH).wish == Wish(None)


def test_whole_answers_are_read_and_left_as_they_are():
    text = {"type": "output_text", "text": "hey"}
    message = {"type": "message", "role": "assistant", "content": [text]}
    answer = msgspec.json.encode(
        {"model": "m", "status": "completed", "output": [message], "usage": None}
    )
    errand = RESPONSES.errand(task_for(RESPONSES, body()), OPENAI)
    facts, shown = errand.read(answer, b"application/json")
    assert (facts.text_bytes, facts.finished, facts.empty, shown) == (3, True, False, answer)
    assert errand.read(b"not json", b"")[0].empty
