"""What the gate needs of a request and the meter of a reply; requests change by splicing alone."""

import json

import pytest
from hypothesis import given

from tests.protocols import recordings, responses_samples
from tollbridge.protocols.facts import ReplyFacts, UpstreamFault
from tollbridge.protocols.json_peek import FieldError, RangeError, peek
from tollbridge.protocols.responses import ResponsesAsk, prepare, read_ask, read_reply
from tollbridge.protocols.usage import Usage


def ask(**fields):
    return read_ask(peek(json.dumps({"model": "m", "input": "hi", **fields}).encode()))


def test_a_plain_request():
    assert ask() == ResponsesAsk("m", False, None, False, False, False, False, None, ())


def test_what_the_gate_must_know():
    read = ask(
        stream=True,
        max_output_tokens=99,
        background=True,
        previous_response_id="resp_1",
        tools=[{"type": "function", "name": "f"}, {"type": "web_search_preview"}],
        input=[{"type": "additional_tools", "tools": [{"type": "image_generation"}]}],
    )
    hosted = ("web_search_preview", "image_generation")
    assert read == ResponsesAsk("m", True, 99, True, True, True, True, "resp_1", hosted)


def test_own_tools_are_not_hosted():
    read = ask(tools=[{"type": "custom"}, {"type": "namespace"}, {"type": "function"}])
    assert (read.has_tools, read.hosted) == (True, ())


@pytest.mark.parametrize(
    ("fields", "name", "kind"),
    [
        ({"model": ""}, "model", FieldError),
        ({"model": 3}, "model", FieldError),
        ({"input": None}, "input", FieldError),
        ({"input": {}}, "input", FieldError),
        ({"input": [ ]}, "input", FieldError),
        ({"input": ["tools", {"tools": 3}]}, "input", FieldError),
        ({"tools": {}}, "tools", FieldError),
        ({"tools": ["a"]}, "tools", FieldError),
        ({"max_output_tokens": 0}, "max_output_tokens", RangeError),
        ({"max_output_tokens": "9"}, "max_output_tokens", FieldError),
        ({"stream": "yes"}, "stream", FieldError),
        ({"background": 1}, "background", FieldError),
    ],
)  # fmt: skip
def test_malformed_fields_are_named(fields, name, kind):
    with pytest.raises(kind) as caught:
        ask(**fields)
    assert caught.value.name == name


@pytest.mark.parametrize("field", ["prompt", "previous_response_id", "conversation"])
def test_some_fields_stand_for_the_input(field):
    assert ask(input=None, **{field: "a"}).model == "m"


def prepared(body, **options):
    top = peek(body)
    return prepare(top, read_ask(top), **{"model": None, "output_limit": None, **options})


def test_only_what_must_change_changes():
    body = b'{ "model":"m", "input" : "h\\u0069", "max_output_tokens":500,"x":[1, 2] }'
    assert prepared(body) == body
    assert prepared(body, model="up", output_limit=600) == body.replace(b'"m"', b'"up"')
    assert prepared(body, output_limit=100) == body.replace(b"500", b"100")


def test_a_missing_limit_is_written():
    body = b'{"model":"m","input":"hi"}'
    assert json.loads(prepared(body, output_limit=70))["max_output_tokens"] == 70


@given(responses_samples.requests)
def test_any_request_is_read_and_survives(body):
    raw = json.dumps(body).encode()
    top = peek(raw)
    read = read_ask(top)
    assert read.limit == body.get("max_output_tokens")
    assert prepare(top, read, model="known", output_limit=read.limit) == raw


def reply(**fields):
    return read_reply(json.dumps({"model": "up", **fields}).encode())


MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "h\u00e9"}]}
FIGURES = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


def test_a_whole_answer():
    facts = reply(status="completed", output=[MESSAGE], usage=FIGURES, error=None)
    assert facts == ReplyFacts("up", Usage(input=3, output=2), True, True, False, 3, None)


def test_calls_thoughts_and_refusals_are_counted():
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "name": "g", "input": "abc"},
        {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]},
    ]
    facts = reply(status="incomplete", output=output)
    assert (facts.text_bytes, facts.finished, facts.empty, facts.usage_seen) == (
        11,
        True,
        False,
        False,
    )


def test_a_failed_answer_is_an_error_with_its_usage():
    facts = reply(
        status="failed", output=[], usage=FIGURES, error={"code": "server_error", "message": "x"}
    )
    assert facts.error == UpstreamFault("", "server_error", "x")
    assert (facts.finished, facts.empty, facts.usage) == (False, True, Usage(input=3, output=2))
    assert reply(status="cancelled", output=[]).error == UpstreamFault("", "cancelled", "")


def test_an_empty_message_is_nothing():
    assert reply(status="completed", output=[{"type": "message", "content": []}]).empty
    assert not reply(status="in_progress", output=[MESSAGE]).finished


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"output":3}', b'{"output":[3,{"content":3}]}', b"<"]
)
def test_nonsense_has_no_facts(body):
    assert read_reply(body).usage is None


def _only_messages(body):
    return all(item["type"] == "message" for item in body["output"])


def test_every_recorded_answer_and_request(corpus):
    seen = 0
    for record in recordings.load(corpus, "openai_responses"):
        if not record.file.startswith("responses--"):
            continue
        if isinstance(record.request, dict) and "model" in record.request:
            read_ask(peek(json.dumps(record.request).encode()))
        if isinstance(record.body, dict):
            facts = read_reply(json.dumps(record.body).encode())
            seen += 1
            assert facts.model == record.body["model"], record.file
            assert facts.finished and facts.error is None, record.file
            assert facts.empty == (not facts.text_bytes and _only_messages(record.body)), (
                record.file
            )
    assert seen > 200
