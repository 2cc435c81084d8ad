"""Proof of which requests are metered calls."""

import pytest

from tollbridge.relay.chat_dialects import CHAT, COMPLETIONS
from tollbridge.relay.routes import PATHS, is_relayed, match


def test_each_metered_path_speaks_its_dialect():
    assert {path: match(path) for path in PATHS} == {
        "/v1/chat/completions": CHAT,
        "/v1/completions": COMPLETIONS,
    }


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
    ],
)
def test_no_other_path_is_metered(path):
    assert match(path) is None
    assert not is_relayed("POST", path)


@pytest.mark.parametrize("path", sorted(PATHS))
def test_only_post_is_a_call(path):
    assert is_relayed("POST", path)
    assert not any(is_relayed(method, path) for method in ("GET", "HEAD", "OPTIONS", "post", "PUT"))
