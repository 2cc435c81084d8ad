"""Proof of which requests are metered calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.relay.dialects import task_for
from tollbridge.core.errors import Surface
from tollbridge.relay.chat_dialects import CHAT, COMPLETIONS
from tollbridge.relay.count_dialects import MESSAGES_COUNT, RESPONSES_COUNT, Counter
from tollbridge.relay.gemini_dialects import GeminiCall
from tollbridge.relay.messages_dialects import MESSAGES
from tollbridge.relay.responses_dialects import COMPACT, RESPONSES
from tollbridge.relay.routes import PATHS, is_relayed, match

CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}
GEMINI = [
    "/v1beta/models/gemini-2.5-pro:generateContent",
    "/v1/models/gemini-2.5-pro:streamGenerateContent",
    "/v1alpha/models/g:generateContent",
    "/gemini/v1beta/models/gemini-2.5-flash_x:generateContent",
    "/gemini/v1/models/9.9:streamGenerateContent",
    "/v1beta/models/" + "m" * 200 + ":generateContent",
]


def test_each_metered_path_speaks_its_dialect():
    speaks = {
        "/v1/chat/completions": CHAT,
        "/v1/completions": COMPLETIONS,
        "/v1/responses": RESPONSES,
        "/v1/responses/compact": COMPACT,
        "/v1/messages": MESSAGES,
        "/claude/v1/messages": MESSAGES,
        "/v1/messages/count_tokens": MESSAGES_COUNT,
        "/claude/v1/messages/count_tokens": MESSAGES_COUNT,
        "/v1/responses/input_tokens": RESPONSES_COUNT,
    }
    assert {path: match(path) for path in speaks} == speaks
    assert speaks.keys() <= PATHS
    assert all(match(path) is match(path) is not None for path in PATHS)


@pytest.mark.parametrize("path", GEMINI)
def test_a_gemini_path_says_version_model_and_way(path):
    dialect = match(path)
    assert isinstance(dialect, GeminiCall)
    assert dialect.surface is Surface.GEMINI
    assert match(path) is not dialect
    ask = task_for(dialect, CONTENTS, path=path).ask
    version = path.removeprefix("/gemini").split("/")[1]
    name, _, action = path.rpartition("/")[2].partition(":")
    assert (ask.model, ask.stream) == (name, action == "streamGenerateContent")
    query = "?alt=sse" if ask.stream else ""
    sent = dialect.upstream_path(ask, "other").decode()
    assert sent == f"/{version}/models/other:{action}{query}"


@pytest.mark.parametrize("family", ["/v1beta", "/v1", "/v1alpha", "/gemini/v1beta"])
def test_a_gemini_path_may_ask_for_a_count(family):
    dialect = match(f"{family}/models/gemini-2.5-pro:countTokens")
    assert isinstance(dialect, Counter)
    assert (dialect.surface, dialect.free) == (Surface.GEMINI, True)
    assert task_for(dialect, CONTENTS).ask.model == "gemini-2.5-pro"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1",
        "/v1/models",
        "/v1/chat/completions/",
        "/V1/chat/completions",
        "/v1/chat/completions?x=1",
        "/v1//chat/completions",
        "/chat/completions",
        "/claude/v1/chat/completions",
        "/claude/v1/responses",
        "/claude/messages",
        "/claude/v2/messages",
        "/openai/v1/chat/completions",
        "/v1/responses/resp_1",
        "/v1beta/models",
        "/v1beta/models/gemini",
        "/v1beta/models/gemini:generatecontent",
        "/v1beta/models/gemini:generateContent/",
        "/v1beta/models/gemini:generateContent\n",
        "/v2/models/gemini:generateContent",
        "/v1gamma/models/gemini:generateContent",
        "/gemini/models/gemini:generateContent",
        "/gemini/gemini/v1/models/gemini:generateContent",
        "/claude/v1beta/models/gemini:generateContent",
    ],
)
def test_no_other_path_is_metered(path):
    assert match(path) is None
    assert not is_relayed("POST", path)


# What could leave its segment of the upstream's path, or end it, is no model's name.
BAD_NAMES = [
    "", ".", "..", "../x", "..%2fx", "%2e%2e", "a%2Fb", "a/b", "a//b", "/a", "a\\b", "a?b", "a#b",
    "a b", "a\r\nx: y", "a\n", "a:b", "a;b", "a@b", ".hidden", "-x", "_x", "é", "a\x00", "m" * 201,
    "tunedModels/x", "a%", "a%0d%0a",
]  # fmt: skip


@pytest.mark.parametrize("family", ["/v1beta", "/v1", "/gemini/v1beta"])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_what_could_leave_its_segment_is_no_model(family, name):
    path = f"{family}/models/{name}:generateContent"
    assert match(path) is None
    assert not is_relayed("POST", path)


@given(st.text("aZ09._-%/:?#\\ \n", max_size=8))
def test_whatever_is_metered_goes_to_one_segment_of_the_upstream(name):
    dialect = match(f"/v1beta/models/{name}:generateContent")
    if dialect is not None:
        sent = dialect.upstream_path(None, name).decode("ascii")
        assert sent.count("/") == 3 and sent.isprintable()
        assert not set(sent) & set(" ?#%\\") and ".." not in sent.split("/")


@pytest.mark.parametrize("path", [*sorted(PATHS), GEMINI[0]])
def test_only_post_is_a_call(path):
    assert is_relayed("POST", path)
    assert not any(is_relayed(method, path) for method in ("GET", "HEAD", "OPTIONS", "post", "PUT"))
