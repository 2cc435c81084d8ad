"""Makes requests and events of the Responses protocol for property tests; knows no code under test."""

from hypothesis import strategies as st

from tollbridge.protocols import answer
from tollbridge.protocols.answer import Identity
from tollbridge.protocols.conversation import Carrier, Citation, Conversation, Image, Vendor, Wire

IDENTITY = Identity("0abc", 1_700_000_000, "known")
NOBODY = Conversation(wire=Wire.RESPONSES, model="known")

NAMES = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
TEXTS = st.text(min_size=1, max_size=8)
MAYBE_EXTRA = st.sampled_from([{}, {"prompt_cache_breakpoint": {"mode": "explicit"}}])
URL = "https://example.com/a"


def with_optional(**fields):
    return st.fixed_dictionaries({}, optional=fields)


def joined(*strategies):
    return st.tuples(*strategies).map(
        lambda parts: {k: v for part in parts for k, v in part.items()}
    )


input_text = joined(
    st.fixed_dictionaries({"type": st.just("input_text"), "text": TEXTS}), MAYBE_EXTRA
)
input_image = st.one_of(
    st.just({"type": "input_image", "detail": "low", "image_url": URL}),
    st.just({"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,aWk="}),
    st.just({"type": "input_image", "detail": "high", "file_id": "file-1"}),
)
input_file = st.sampled_from(
    [
        {"type": "input_file", "file_url": URL},
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": "data:application/pdf;base64,JVBERi0=",
        },
        {"type": "input_file", "file_id": "file-2"},
    ]
)
unknown = st.just({"type": "input_hologram", "depth": 3})
url_citation = {"type": "url_citation", "url": URL, "title": "A", "start_index": 0, "end_index": 1}
file_citation = {"type": "file_citation", "file_id": "file-1", "filename": "a", "index": 1}
output_text = st.fixed_dictionaries(
    {
        "type": st.just("output_text"),
        "text": TEXTS,
        "annotations": st.lists(st.sampled_from([url_citation, file_citation]), max_size=2),
    }
)
refusal = st.fixed_dictionaries({"type": st.just("refusal"), "refusal": TEXTS})
# Two parts are never folded into a string.
user_content = st.one_of(
    TEXTS, st.lists(st.one_of(input_text, input_image, input_file, unknown), min_size=2, max_size=3)
)
user_message = st.fixed_dictionaries({"role": st.just("user"), "content": user_content})
developer_message = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["developer", "system"]),
        "content": st.one_of(TEXTS, st.lists(input_text, min_size=2, max_size=3)),
    }
)
assistant_message = joined(
    st.fixed_dictionaries(
        {
            "id": st.just("msg_1"),
            "type": st.just("message"),
            "status": st.just("completed"),
            "role": st.just("assistant"),
            "content": st.lists(st.one_of(output_text, refusal), min_size=1, max_size=3),
        }
    ),
    with_optional(phase=st.just("commentary")),
)
function_call = joined(
    st.fixed_dictionaries(
        {
            "type": st.just("function_call"),
            "call_id": NAMES,
            "name": NAMES,
            "arguments": st.sampled_from(['{"a":1}', "", "{broken"]),
        }
    ),
    with_optional(id=st.just("fc_1"), status=st.just("completed"), namespace=NAMES),
)
custom_call = st.fixed_dictionaries(
    {"type": st.just("custom_tool_call"), "call_id": NAMES, "name": NAMES, "input": TEXTS}
)
result = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["function_call_output", "custom_tool_call_output"]),
        "call_id": NAMES,
        "output": st.one_of(
            st.just(""), TEXTS, st.lists(st.one_of(input_text, input_image), min_size=2, max_size=2)
        ),
    }
)
summary_texts = st.lists(
    st.fixed_dictionaries({"type": st.just("summary_text"), "text": TEXTS}), max_size=2
)
reasoning = joined(
    st.fixed_dictionaries({"type": st.just("reasoning"), "summary": summary_texts}),
    with_optional(
        id=st.just("rs_1"),
        encrypted_content=st.just("gAAAA"),
        content=st.just([{"type": "reasoning_text", "text": "hm"}]),
    ),
)
others = st.sampled_from(
    [
        {
            "type": "web_search_call",
            "id": "ws_1",
            "status": "completed",
            "action": {"type": "search"},
        },
        {"type": "item_reference", "id": "msg_9"},
        {"type": "tool_search_call", "call_id": "c", "arguments": {}, "execution": "client"},
        {"type": "tool_search_output", "call_id": "c", "tools": [], "execution": "client"},
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "aWk="},
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAA"},
    ]
)
additional = st.fixed_dictionaries(
    {
        "type": st.just("additional_tools"),
        "role": st.just("developer"),
        "tools": st.just([{"type": "custom", "name": "exec", "format": {"type": "text"}}]),
    }
)
items = st.lists(
    st.one_of(
        user_message,
        developer_message,
        assistant_message,
        function_call,
        custom_call,
        result,
        reasoning,
        others,
        additional,
    ),
    min_size=1,
    max_size=7,
)
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
CUSTOM = {"type": "custom", "name": "patch", "description": "d"}
tools = st.lists(
    st.sampled_from(
        [
            FUNCTION,
            CUSTOM,
            {"type": "namespace", "name": "crm", "description": "CRM", "tools": [FUNCTION, CUSTOM]},
            {"type": "web_search", "filters": {"allowed_domains": ["a.org"]}},
            {"type": "tool_search", "execution": "client"},
            {"type": "image_generation"},
        ]
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda tool: tool["type"],
)
choices = st.sampled_from(
    [
        "auto",
        "none",
        "required",
        {"type": "function", "name": "f"},
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
        {"type": "mcp", "server_label": "s"},
    ]
)
requests = joined(
    st.fixed_dictionaries({"model": st.just("known"), "input": items}),
    with_optional(
        instructions=TEXTS,
        tools=tools,
        tool_choice=choices,
        parallel_tool_calls=st.booleans(),
        max_output_tokens=st.integers(16, 9999),
        temperature=st.sampled_from([0, 0.5, 1]),
        top_p=st.sampled_from([0.1, 1]),
        reasoning=st.sampled_from([{"effort": "low"}, {"effort": "high", "summary": "auto"}, {}]),
        text=st.sampled_from(
            [
                {"verbosity": "low"},
                {"format": {"type": "json_object"}},
                {
                    "format": {
                        "type": "json_schema",
                        "name": "n",
                        "schema": {"type": "object"},
                        "strict": True,
                    },
                    "verbosity": "high",
                },
            ]
        ),
        stream=st.just(True),
        store=st.booleans(),
        include=st.just(["reasoning.encrypted_content", "message.output_text.logprobs"]),
        previous_response_id=st.just("resp_1"),
        conversation=st.just("conv_1"),
        prompt=st.just({"id": "pmpt_1"}),
        background=st.booleans(),
        truncation=st.just("auto"),
        metadata=st.just({"a": "b"}),
        service_tier=st.just("flex"),
        safety_identifier=TEXTS,
        prompt_cache_key=st.just("key"),
    ),
)

CARRIER = Carrier(Vendor.ANTHROPIC, "signature")
KEYS = st.integers(0, 2)
events = st.lists(
    st.one_of(
        st.just(answer.Start("up", "upstream-model")),
        st.builds(answer.TextDelta, st.text(max_size=4), fresh=st.booleans()),
        st.builds(answer.RefusalDelta, st.text(max_size=4)),
        st.builds(answer.ReasoningDelta, st.text(max_size=4), fresh=st.booleans()),
        st.builds(answer.ReasoningEnd, st.sampled_from([None, CARRIER]), redacted=st.booleans()),
        st.builds(
            answer.CallStart,
            KEYS,
            st.sampled_from(["", "call_9"]),
            NAMES,
            custom=st.booleans(),
            carrier=st.sampled_from([None, Carrier(Vendor.GEMINI, "thought")]),
        ),
        st.builds(answer.CallArguments, KEYS, st.text(max_size=4)),
        st.builds(answer.CallEnd, KEYS),
        st.just(answer.Cited(Citation(URL, "A"))),
        st.just(answer.Made(Image(data="aWk=", mime="image/webp"))),
    ),
    max_size=14,
)
