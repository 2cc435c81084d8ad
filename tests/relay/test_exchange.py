"""Proof that both implementations of the exchange, the edge's and the tests', keep its interface."""

import inspect

import pytest

from tests.relay.visitor import Visitor
from tollbridge.edge.connection_exchange import ConnectionExchange
from tollbridge.relay.exchange import Exchange, Watcher
from tollbridge.relay.leash import Leash
from tollbridge.relay.stream import StreamPump


def methods_of(interface):
    return {
        name: inspect.signature(function)
        for name, function in vars(interface).items()
        if inspect.isfunction(function) and not name.startswith("_")
    }


@pytest.mark.parametrize("implementation", [ConnectionExchange, Visitor])
def test_an_exchange_takes_what_the_relay_gives(implementation):
    for name, signature in methods_of(Exchange).items():
        own = inspect.signature(getattr(implementation, name))
        assert list(own.parameters) == list(signature.parameters), name
        assert [one.default for one in own.parameters.values()] == [
            one.default for one in signature.parameters.values()
        ], name


@pytest.mark.parametrize("implementation", [StreamPump, Leash])
def test_a_watcher_hears_all_that_the_edge_tells(implementation):
    wanted = methods_of(Watcher)
    assert set(wanted) == {"client_gone", "client_slow", "client_ready"}
    for name, signature in wanted.items():
        own = inspect.signature(getattr(implementation, name))
        assert list(own.parameters) == list(signature.parameters)


def test_the_tests_client_notices_an_answer_given_twice():
    visitor = Visitor()
    visitor.reply(200, b"", b"one")
    with pytest.raises(AssertionError):
        visitor.start(200, b"")
    stream = Visitor()
    with pytest.raises(AssertionError):
        stream.write(b"before the head")
    stream.start(200, b"", b"a")
    stream.finish(b"b")
    with pytest.raises(AssertionError):
        stream.write(b"after the end")
    assert stream.sent == b"ab"
