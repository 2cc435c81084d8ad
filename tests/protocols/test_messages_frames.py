"""The twin of protocols/messages_frames.py."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import messages_oracle as oracle
from tollbridge.protocols import messages_frames as frames
from tollbridge.protocols.usage import Usage


def test_a_message_of_all_frames_is_one_to_the_vendors_client():
    sent = b"".join([
        frames.message_start("msg_1", "claude", {"input_tokens": 3, "output_tokens": 0}),
        frames.block_start(0, frames.EMPTY_TEXT),
        frames.block_delta(0, {"type": "text_delta", "text": "hé"}),
        frames.block_stop(0),
        frames.message_end("stop_sequence", "END", Usage(input=4, cache_read=5, output=6)),
    ])  # fmt: skip
    events = oracle.events(sent)
    for event in events:
        oracle.strict_event(event)
    oracle.check_grammar(events)
    message = oracle.accumulated(events)
    assert message.content[0].text == "hé"
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")
    assert oracle.figures(message.usage) == (4, 6, 5, 0, 0, 0)


def test_an_end_without_figures_still_has_the_field_that_clients_need():
    oracle.strict_event(oracle.events(frames.message_end("end_turn", None, None))[0])


def test_only_what_the_model_wrote_is_counted():
    result = {
        "type": "web_search_tool_result",
        "tool_use_id": "s",
        "content": [{"type": "web_search_result", "text": "found", "title": "t"}],
    }
    citation = {"type": "web_search_result_location", "cited_text": "quoted", "url": "u"}
    sent = b"".join([
        frames.block_start(0, result),
        frames.block_start(1, {"type": "text", "text": "ab"}),
        frames.block_delta(1, {"type": "text_delta", "text": "cd"}),
        frames.block_delta(1, {"type": "citations_delta", "citation": citation}),
        frames.block_delta(2, {"type": "thinking_delta", "thinking": "efg"}),
        frames.block_delta(2, {"type": "signature_delta", "signature": "sig"}),
        frames.block_delta(3, {"type": "input_json_delta", "partial_json": '{"text":"x"}'}),
    ])  # fmt: skip
    assert frames.produced_bytes(sent) == 2 + 2 + 3 + 12


@given(st.lists(st.text()))
def test_bytes_are_those_of_the_text_however_it_is_escaped(texts):
    size = sum(len(text.encode(errors="replace")) for text in texts)
    for ascii_only in (True, False):
        sent = b"".join(
            b'data: {"type": "content_block_delta", "delta": {"text": '
            + json.dumps(text, ensure_ascii=ascii_only).encode()
            + b', "type": "text_delta"}}\n\n'
            for text in texts
        )
        assert frames.produced_bytes(sent) == size
