"""Paths have a surface even when they are wrong, and wrong ones name the right one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.errors import Surface, is_api_path, right_path, surface_of

RIGHT = {
    "/v1/chat/completions": Surface.CHAT,
    "/v1/completions": Surface.CHAT,
    "/v1/models": Surface.CHAT,
    "/v1/models/gpt-5.4": Surface.CHAT,
    "/v1/receipts/0193a5b0c0de7abc8def0123456789ab": Surface.CHAT,
    "/v1/dashboard/billing/subscription": Surface.CHAT,
    "/v1/responses": Surface.RESPONSES,
    "/v1/responses/resp_1/cancel": Surface.RESPONSES,
    "/v1/messages": Surface.MESSAGES,
    "/v1/messages/count_tokens": Surface.MESSAGES,
    "/claude/v1/messages": Surface.MESSAGES,
    "/claude/v1/models": Surface.MESSAGES,
    "/v1/images/generations": Surface.MEDIA,
    "/v1/images/edits": Surface.MEDIA,
    "/v1/audio/speech": Surface.MEDIA,
    "/v1/embeddings": Surface.MEDIA,
    "/v1/moderations": Surface.MEDIA,
    "/v1beta/models": Surface.GEMINI,
    "/v1beta/models/gemini-3-pro:generateContent": Surface.GEMINI,
    "/gemini/v1beta/models/gemini-3-pro:streamGenerateContent": Surface.GEMINI,
    "/gemini/v1/models": Surface.GEMINI,
    "/gemini/v1alpha/models/gemini-3-pro": Surface.GEMINI,
    "/v1alpha/models": Surface.GEMINI,
    "/v1/models/gemini-3-pro:generateContent": Surface.GEMINI,
    "/v1/models/gemini-3-pro:batchEmbedContents": Surface.GEMINI,
    "/v1/models/ft:gpt-4o:us::1": Surface.CHAT,
    "/v1/realtime": Surface.MEDIA,
    "/v1/responses/compact": Surface.RESPONSES,
    "/claude/v1/models/claude-opus-4-6": Surface.MESSAGES,
    "/dashboard/billing/usage": Surface.CHAT,
}
WRONG = {
    "/v1/v1/chat/completions": "/v1/chat/completions",
    "/v1/v1/messages": "/v1/messages",
    "/chat/completions": "/v1/chat/completions",
    "/messages": "/v1/messages",
    "/responses": "/v1/responses",
    "/embeddings": "/v1/embeddings",
    "/v1/chat/completion": "/v1/chat/completions",
    "/v1/chat": "/v1/chat/completions",
    "/v1/message": "/v1/messages",
    "/v1/image/generations": "/v1/images/generations",
    "/v1/chat/completions/": "/v1/chat/completions",
    "//v1//chat/completions": "/v1/chat/completions",
    "/V1/Chat/Completions": "/v1/chat/completions",
    "/api/v1/chat/completions": "/v1/chat/completions",
    "/openai/v1/chat/completions": "/v1/chat/completions",
    "/v1/chat/completions/chat/completions": "/v1/chat/completions",
    "/v1/chat/completions/v1/messages": "/v1/messages",
    "/v1/messages/v1/messages": "/v1/messages",
    "/claude/messages": "/claude/v1/messages",
    "/claude/v1/v1/messages": "/claude/v1/messages",
    "/v1/models/": "/v1/models",
    "/v1/v1/models/gpt-5.4": "/v1/models/gpt-5.4",
    "/v1/v1/models/gemini-3:generateContent": "/v1/models/gemini-3:generateContent",
    "/models/gemini-3:generateContent": "/v1beta/models/gemini-3:generateContent",
    "/v1beta/v1beta/models/Gem:countTokens": "/v1beta/models/Gem:countTokens",
    "/gemini/models/Gem:generateContent": "/gemini/v1beta/models/Gem:generateContent",
    "/v1beta/openai/chat/completions": "/v1/chat/completions",
    "/v1beta/openai/models": "/v1/models",
    "/v1beta/models/": "/v1beta/models",
    "/v1beta/v1alpha/models/Gem": "/v1alpha/models/Gem",
    "/gemini/models": "/gemini/v1beta/models",
    "/gemini/v1/model/Gem": "/gemini/v1/models/Gem",
    "/gemini/v1beta/chat/completions": "/v1/chat/completions",
    "/gemini/v1beta/v1/messages": "/v1/messages",
    "/gemini/v1/balance": "/v1/balance",
    "/claude/models": "/claude/v1/models",
    "/claude/v1/v1/models/Opus": "/claude/v1/models/Opus",
    "/claude/v1/chat/completions": "/v1/chat/completions",
    "/claude/v1/dashboard/billing/usage": "/v1/dashboard/billing/usage",
    "/realtime": "/v1/realtime",
    "/responses/compact": "/v1/responses/compact",
    "/v1/v1/responses/input_tokens": "/v1/responses/input_tokens",
}
BEYOND = ["/v1", "/v1/", "/v1/nothing", "/v1/files", "/v1beta/files", "/claude", "/gemini/v1"]
PAGES = [
    "",
    "/",
    "/status",
    "/docs/v1",
    "/images",
    "/models",
    "/dashboard/billing",
    "/dashboard/billing/usages",
    "/message",
    "/console/images",
    "/api/models",
    "/api/v1/models",
    "/api/v1/keys",
    "/healthz",
]


@pytest.mark.parametrize("path", RIGHT)
def test_right_paths(path):
    assert surface_of(path) is RIGHT[path]
    assert is_api_path(path)
    assert right_path(path) is None


@pytest.mark.parametrize("path", WRONG)
def test_wrong_paths_name_the_right_one_and_speak_its_surface(path):
    right = WRONG[path]
    assert right_path(path) == right
    assert is_api_path(path)
    assert surface_of(path) is surface_of(right)
    assert right_path(right) is None


@pytest.mark.parametrize("path", BEYOND)
def test_other_paths_of_the_families_are_api_without_a_guess(path):
    assert is_api_path(path)
    assert right_path(path) is None


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_not_api(path):
    assert not is_api_path(path)
    assert right_path(path) is None


def test_queries_and_prefixes_of_words_do_not_count():
    assert right_path("/v1/messages?key=sk-1") is None
    assert right_path("/messages?key=sk-1") == "/v1/messages"
    assert surface_of("/v1/messagesboard") is Surface.CHAT
    assert not is_api_path("/v1x/messages")
    assert surface_of("/gemini/x") is Surface.GEMINI
    assert surface_of("/v1beta/openai/files") is Surface.CHAT
    assert is_api_path("/dashboard/billing/usage?start_date=x")
    assert surface_of("/claude/v1/nothing") is Surface.MESSAGES


def test_only_plain_ids_come_back():
    assert right_path("/v1/v1/models/<script>") is None
    assert right_path("/v1/models/%2e%2e:generateContent") is None
    assert right_path("/v1" * 300 + "/messages") is None


PARTS = [
    "v1",
    "v1beta",
    "api",
    "claude",
    "gemini",
    "chat",
    "completions",
    "messages",
    "models",
    "responses",
    "images",
    "generations",
    "",
    "x:generateContent",
    "a b",
    "ü",
]


@given(st.lists(st.sampled_from(PARTS), max_size=8))
def test_a_guess_is_always_right_itself(parts):
    path = "/" + "/".join(parts)
    guess = right_path(path)
    surface_of(path)
    if guess is not None:
        assert guess != path
        assert right_path(guess) is None
        assert guess.isascii() and " " not in guess


@given(st.text(max_size=80))
def test_any_text_is_a_path(path):
    assert isinstance(surface_of(path), Surface)
    is_api_path(path)
