"""Owns the table of calls by the vendors' official SDKs: `CALLS[surface][what]`.

Each is a plain function of (base_url, key, model, *, stream), so that it can be pointed at a vendor
and at a gateway alike, whatever stands behind it. Nothing in them steers the pretend vendor but the
request itself: "tool" in the question has it call one, "tools" all, "draw" makes an image, a schema
is kept, thinking is shown when it is asked for. Media calls are in `sdk_media`.
"""

from collections.abc import Callable

from tests.services import sdk_chat, sdk_gemini, sdk_messages, sdk_responses
from tests.services.sdk_received import Received

Ask = Callable[..., Received]

CALLS: dict[str, dict[str, Ask]] = {
    "chat": {
        "text": sdk_chat.chat_text,
        "tools": sdk_chat.chat_tools,
        "both_tools": sdk_chat.chat_both_tools,
        "tool_result": sdk_chat.chat_tool_result,
        "parsed": sdk_chat.chat_parsed,
        "sees": sdk_chat.chat_sees,
        "thinks": sdk_chat.chat_thinks,
    },
    "responses": {
        "text": sdk_responses.responses_text,
        "tools": sdk_responses.responses_tools,
        "both_tools": sdk_responses.responses_both_tools,
        "tool_result": sdk_responses.responses_tool_result,
        "parsed": sdk_responses.responses_parsed,
        "sees": sdk_responses.responses_sees,
        "thinks": sdk_responses.responses_thinks,
        "draws": sdk_responses.responses_draws,
    },
    "messages": {
        "text": sdk_messages.messages_text,
        "tools": sdk_messages.messages_tools,
        "both_tools": sdk_messages.messages_both_tools,
        "tool_result": sdk_messages.messages_tool_result,
        "parsed": sdk_messages.messages_parsed,
        "sees": sdk_messages.messages_sees,
        "thinks": sdk_messages.messages_thinks,
    },
    "gemini": {
        "text": sdk_gemini.gemini_text,
        "tools": sdk_gemini.gemini_tools,
        "both_tools": sdk_gemini.gemini_both_tools,
        "tool_result": sdk_gemini.gemini_tool_result,
        "parsed": sdk_gemini.gemini_parsed,
        "sees": sdk_gemini.gemini_sees,
        "thinks": sdk_gemini.gemini_thinks,
        "draws": sdk_gemini.gemini_draws,
    },
}
