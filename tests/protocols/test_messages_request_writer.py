"""The twin of protocols/messages_request_writer.py."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import messages_oracle as oracle
from tollbridge.protocols.abilities import Abilities, Addressee
from tollbridge.protocols.conversation import (
    Conversation,
    Format,
    Function,
    Text,
    Thinking,
    ToolChoice,
    Turn,
    Wire,
)
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.messages_request_reader import read_request
from tollbridge.protocols.messages_request_writer import write_request
from tollbridge.protocols.tool_names import ToolNames

NEW = Abilities(thinks="adaptive", efforts=("low", "medium", "high", "xhigh", "max"))
ANY = Addressee(model="up", abilities=NEW, max_output=0)
HI = Turn(role="user", parts=[Text(text="hi")])
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def write(conversation, to=ANY):
    losses, names = Losses(), ToolNames(conversation, 128)
    return write_request(conversation, to, names, losses), dict(losses.counts)


def wrote(abilities=None, max_output=0, **fields):
    wire = fields.pop("wire", Wire.CHAT)
    conversation = Conversation(wire=wire, model="m", turns=[HI], **fields)
    return write(conversation, Addressee("up", abilities or Abilities(), max_output))


def lost(**fields):
    return set(wrote(**fields)[1])


def test_the_least_request():
    assert wrote() == (
        {
            "model": "up",
            "max_tokens": 4096,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        },
        {},
    )


@pytest.mark.parametrize(
    ("wished", "most", "limit"), [(None, 8000, 8000), (9000, 8000, 8000), (7, 8000, 7), (7, 0, 7)]
)
def test_the_limit_of_the_output(wished, most, limit):
    assert wrote(max_output=most)[0]["max_tokens"] == (most or 4096)
    conversation = Conversation(wire=Wire.CHAT, model="m", turns=[HI], max_output=wished)
    assert write(conversation, Addressee("up", Abilities(), most))[0]["max_tokens"] == limit


def test_sampling_within_the_vendors_range():
    body, lost_ = wrote(temperature=1.5, top_p=0.5, top_k=4, stop=["a", " \n", ""])
    assert (body["temperature"], body["top_p"], body["top_k"]) == (1, 0.5, 4)
    assert body["stop_sequences"] == ["a"] and lost_ == {"temperature": 1}
    assert "stop_sequences" not in wrote(stop=["\n"])[0]


def test_only_one_of_temperature_and_top_p():
    one = Abilities(both_samplings=False)
    body, lost_ = wrote(one, temperature=0.5, top_p=0.5)
    assert "top_p" not in body and lost_ == {"top_p": 1}
    assert wrote(one, top_p=0.5)[0]["top_p"] == 0.5


def test_no_sampling_where_the_model_takes_none():
    body, lost_ = wrote(Abilities(sampling=False), temperature=0.5, top_p=0.5, top_k=4)
    assert {"temperature", "top_p", "top_k"}.isdisjoint(body)
    assert set(lost_) == {"temperature", "top_p", "top_k"}
    # What says what the model does anyway is no loss.
    assert wrote(Abilities(sampling=False), temperature=1, top_p=1)[1] == {}


def test_who_thinks_takes_less_of_the_sampling():
    body, lost_ = wrote(
        Abilities(thinks="adaptive", efforts=("low",)),
        thinking=Thinking(effort="low"), temperature=0.2, top_p=0.96, top_k=4,
    )  # fmt: skip
    assert body["thinking"] == {"type": "adaptive"}
    assert body["output_config"] == {"effort": "low"}
    assert body["top_p"] == 0.96 and "temperature" not in body and "top_k" not in body
    assert set(lost_) == {"temperature", "top_k"}


def test_an_effort_in_the_models_name_is_reconciled_with_the_clients_own_request():
    conversation = read_request({
        "model": "up", "max_tokens": 8000, "temperature": 0.5, "container": "c",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": "n", "input_schema": {}}], "tool_choice": {"type": "any"},
    })  # fmt: skip
    conversation.thinking = Thinking(effort="low", enabled=True)
    body, lost_ = write(conversation)
    assert body["thinking"] == {"type": "adaptive"} and body["container"] == "c"
    assert body["output_config"] == {"effort": "low"}
    assert body["tool_choice"] == {"type": "auto"} and "temperature" not in body
    assert set(lost_) == {"tool_choice", "temperature"}


def test_system_tools_and_choice():
    body, _ = wrote(
        system=[Text(text="a", cache={"type": "ephemeral"}), Text(text=" ")],
        tools=[Function(name="n", schema=SCHEMA)],
        choice=ToolChoice(mode="required"),
        parallel=False,
        stream=True,
    )
    assert body["system"] == [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]
    assert body["tools"] == [{"name": "n", "input_schema": SCHEMA}]
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert body["stream"] is True


def test_forms_of_the_answer():
    form = Format(kind="schema", schema=SCHEMA)
    body, _ = wrote(format=form)
    bound = body["output_config"]["format"]
    assert bound["type"] == "json_schema" and bound["schema"]["additionalProperties"] is False
    assert "system" not in body and "tools" not in body
    body, _ = wrote(Abilities(output_schema=False), format=form)
    assert body["tool_choice"]["type"] == "tool" and "output_config" not in body
    tools = [Function(name="n")]
    body, _ = wrote(Abilities(output_schema=False), format=form, tools=tools)
    assert body["tools"][1]["name"] in body["system"][0]["text"]
    body, _ = wrote(format=Format(kind="json"))
    assert "JSON" in body["system"][0]["text"]


def test_at_most_four_marks_for_the_cache_over_all():
    mark = {"type": "ephemeral"}
    body, _ = wrote(
        system=[Text(text=str(n), cache=mark) for n in range(3)],
        tools=[Function(name="n", cache=mark), Function(name="o", cache=mark)],
    )
    assert ["cache_control" in one for one in (*body["tools"], *body["system"])] == [
        False, True, True, True, True,
    ]  # fmt: skip


def test_the_user_is_not_named_and_tiers_are_mapped():
    body, lost_ = wrote(end_user="bob", tier="default")
    assert body["metadata"] == {"user_id": hashlib.sha256(b"bob").hexdigest()}
    assert body["service_tier"] == "standard_only" and not lost_
    body, lost_ = wrote(tier="flex")
    assert "service_tier" not in body and lost_ == {"tier": 1}


def test_what_is_advisory_is_noted():
    assert lost(seed=1) == {"seed"}
    assert lost(presence_penalty=0, frequency_penalty=0.5) == {"penalties"}
    assert lost(logprobs=0) == {"logprobs"}
    assert lost(modalities=["text"]) == set()
    extra = {
        "store": False, "metadata": {"a": "b"}, "truncation": "disabled", "background": False,
        "logit_bias": {"1": 2}, "generationConfig": {"mediaResolution": "LOW"},
        "text": {"verbosity": "low"},
    }  # fmt: skip
    assert lost(extra=extra) == {"metadata", "logit_bias", "image_detail", "verbosity"}
    shown = {"toolConfig": {"includeServerSideToolInvocations": True}}
    assert lost(extra=shown) == {"include"}


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"copies": 2}, "n"),
        ({"copies": 2, "wire": Wire.GEMINI}, "generationConfig.candidateCount"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        (
            {"modalities": ["image"], "wire": Wire.GEMINI},
            "generationConfig.responseModalities",
        ),
        ({"extra": {"previous_response_id": "r"}}, "previous_response_id"),
        ({"extra": {"background": True}}, "background"),
        (
            {"extra": {"generationConfig": {"speechConfig": {"a": 1}}}},
            "generationConfig.speechConfig",
        ),
    ],
)
def test_what_would_change_the_answer_is_refused(fields, name):
    with pytest.raises(Untranslatable) as raised:
        wrote(**fields)
    assert raised.value.name == name and raised.value.reason


# ------------------------------------------------------------ there and back

WORDS = st.text('ab é"', min_size=1, max_size=5)
NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,9}", fullmatch=True)
CACHE = st.just({"type": "ephemeral", "ttl": "1h"})
VALUES = st.none() | st.booleans() | st.integers(-9, 9) | WORDS
OBJECTS = st.dictionaries(WORDS, VALUES, max_size=2)


def block(kind, optional=None, **fields):
    needed = {"type": st.just(kind), **fields}
    return st.fixed_dictionaries(needed, optional={"cache_control": CACHE, **(optional or {})})


def sources(**kinds):
    return st.one_of([
        st.fixed_dictionaries({"type": st.just(kind), **dict.fromkeys(fields, WORDS)})
        for kind, fields in kinds.items()
    ])  # fmt: skip


CITATIONS = st.lists(
    st.fixed_dictionaries({"type": st.just("page_location"), "cited_text": WORDS}), min_size=1
)
TEXT = block("text", text=WORDS, optional={"citations": CITATIONS})
IMAGE = block(
    "image", source=sources(base64=("media_type", "data"), url=("url",), file=("file_id",))
)
DOCUMENT = block(
    "document",
    source=sources(base64=("media_type", "data"), url=("url",), file=("file_id",), content=("x",)),
    optional={"title": WORDS, "context": WORDS},
)
RESULT = block(
    "tool_result", tool_use_id=NAMES, content=st.lists(TEXT | IMAGE | DOCUMENT, min_size=1),
    optional={"is_error": st.just(True)},
)  # fmt: skip
CALL = block("tool_use", id=NAMES, name=NAMES, input=OBJECTS, optional={"caller": OBJECTS})
THOUGHTS = st.fixed_dictionaries(
    {"type": st.just("thinking"), "thinking": st.text(max_size=3), "signature": WORDS}
) | st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": WORDS})
STRANGE = st.fixed_dictionaries({"type": st.just("search_result"), "title": WORDS})
TURN = st.fixed_dictionaries({
    "role": st.just("user"),
    "content": st.lists(TEXT | IMAGE | DOCUMENT | RESULT | STRANGE, min_size=1, max_size=3),
}) | st.fixed_dictionaries({
    "role": st.just("assistant"),
    "content": st.lists(TEXT | CALL | THOUGHTS, min_size=1, max_size=3),
})  # fmt: skip
TOOLS = st.fixed_dictionaries(
    {"name": NAMES, "input_schema": OBJECTS},
    optional={"description": WORDS, "strict": st.booleans(), "cache_control": CACHE, "new": WORDS},
) | st.fixed_dictionaries(
    {"type": st.sampled_from(["web_search_20260318", "bash_20250124"])},
    optional={"max_uses": st.integers(1, 9), "name": NAMES},
)
BODY = st.fixed_dictionaries(
    {
        "model": st.just("up"),
        "max_tokens": st.integers(0, 99),
        "messages": st.lists(TURN, min_size=1, max_size=3),
    },
    optional={
        "system": st.lists(TEXT, min_size=1, max_size=2),
        "tools": st.lists(TOOLS, min_size=1, max_size=3),
        "temperature": st.sampled_from([0, 0.5, 1]),
        "top_p": st.just(0.5),
        "top_k": st.just(3),
        "stop_sequences": st.lists(WORDS, min_size=1, max_size=2),
        "stream": st.just(True),
        "service_tier": st.just("auto"),
        "metadata": st.just({"user_id": "u", "more": 1}),
        "thinking": st.sampled_from([
            {"type": "disabled"},
            {"type": "adaptive", "display": "omitted"},
            {"type": "new", "x": 1},
        ]),
        "output_config": st.sampled_from([
            {"effort": "max"},
            {"format": {"type": "json_schema", "schema": SCHEMA}, "task_budget": {"total": 1}},
        ]),
        "container": WORDS,
        "mcp_servers": st.just([{"url": "u"}]),
        "cache_control": CACHE,
    },
)  # fmt: skip


@given(BODY)
def test_reading_and_writing_loses_nothing(body):
    made, lost_ = write(read_request(body))
    assert made == body
    assert not lost_


@given(st.sampled_from([
    {"type": "auto"}, {"type": "any", "disable_parallel_tool_use": False}, {"type": "none"},
    {"type": "tool", "name": "n", "disable_parallel_tool_use": True}, {"type": "new", "x": 1},
]))  # fmt: skip
def test_choices_lose_nothing(choice):
    body = {
        "model": "up", "max_tokens": 9, "tools": [{"name": "n", "input_schema": {}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
        "tool_choice": choice,
    }  # fmt: skip
    assert write(read_request(body))[0] == body


def canonical(value):
    """Write a request in the long form: texts as blocks, nulls and defaults left out."""
    body = {name: one for name, one in value.items() if one is not None and one is not False}
    if isinstance(body.get("system"), str):
        body["system"] = [{"type": "text", "text": body["system"]}]
    body["messages"] = [
        {**turn, "content": content_of(turn["content"])} for turn in body["messages"]
    ]
    if "tools" in body:
        body["tools"] = [
            {
                name: one
                for name, one in tool.items()
                if (name, one) not in [("type", "custom"), ("description", "")]
            }
            for tool in body["tools"]
        ]
    if "output_format" in body:
        config = {"format": body.pop("output_format"), **body.get("output_config", {})}
        body["output_config"] = config
    return {name: one for name, one in body.items() if one not in ({}, [])}


def content_of(content):
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    made = []
    for one in content:
        block_ = {name: value for name, value in one.items() if value is not None}
        if block_.get("is_error") is False:
            del block_["is_error"]
        if block_["type"] == "tool_result" and "content" in block_:
            block_["content"] = content_of(block_["content"])
        made.append(block_)
    return made


def is_refused(body):
    """Say whether a recorded request has thoughts that nobody signed."""
    return '"signature": ""' in json.dumps(body)


def test_recorded_requests_are_the_same_again(corpus):
    seen = 0
    for one in oracle.recorded(corpus, streams=True) + oracle.recorded(corpus, streams=False):
        if not isinstance(one.request, dict) or is_refused(one.request):
            continue
        body = {"model": "up", **one.request}
        made, _ = write(read_request(body), Addressee(body["model"], NEW, 0))
        assert canonical(made) == canonical(body), one.file
        seen += 1
    assert seen > 200
