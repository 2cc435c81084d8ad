"""Proof that all metered surfaces keep the interface of a dialect, and all tries that of an errand."""

import inspect

import pytest

from tests.relay.calls import account
from tests.relay.dialects import task_for
from tollbridge.core.errors import Surface
from tollbridge.relay.dialects import Dialect, Errand, Framing, Wish
from tollbridge.relay.gemini_dialects import GeminiCall
from tollbridge.relay.routes import PATHS, match

DIALECTS = [match(path) for path in sorted(PATHS)] + [GeminiCall("v1beta", "g", stream=True)]
ACCOUNTS = [account(), account(platform="anthropic"), account(platform="gemini")]
CHAT = {"model": "gpt-test", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 9}


def fits(thing, interface):
    for name, function in vars(interface).items():
        if inspect.isfunction(function) and not name.startswith("_"):
            assert len(inspect.signature(getattr(thing, name)).parameters) == (
                len(inspect.signature(function).parameters) - 1
            ), name
    for name in interface.__annotations__:
        # A cost may have no place in an answer.
        assert getattr(thing, name) is not None or name == "cost_place", name


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: type(one).__name__)
def test_each_dialect_keeps_the_interface(dialect):
    fits(dialect, Dialect)
    assert Surface(dialect.surface_name) is dialect.surface


@pytest.mark.parametrize("to", ACCOUNTS, ids=lambda one: one.platform)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_each_errand_keeps_the_interface(path, to):
    dialect = match(path)
    fits(dialect.errand(task_for(dialect, CHAT), to), Errand)


def test_the_array_of_gemini_keeps_the_interface():
    call = GeminiCall("v1beta", "g", stream=True)
    task_for(call, {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]})
    fits(call.framing(), Framing)


def test_a_wish_without_more_is_one_text():
    wish = Wish(5)
    assert (wish.copies, wish.media_out, wish.searches, wish.counted) == (1, False, 0, None)
    assert wish.has_output and not wish.whole
