"""Proof that workers' sockets share one address, that nobody else does, and that all get calls."""

import contextlib
import socket

import pytest

from tollbridge.supervisor.listeners import bind, bind_again


def test_all_are_at_one_address_and_get_connections():
    with contextlib.ExitStack() as open_:
        listeners = [open_.enter_context(one) for one in bind("127.0.0.1", 0, 3)]
        assert len({one.getsockname() for one in listeners}) == 1
        for one in listeners:
            one.listen(1000)
            one.setblocking(False)
        for _ in range(300):
            open_.enter_context(socket.create_connection(listeners[0].getsockname()))
        for one in listeners:
            accepted, _ = one.accept()
            accepted.close()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("others", [1, 2])
def test_an_address_where_somebody_serves_is_refused(count: int, others: int):
    with contextlib.ExitStack() as open_:
        served = [open_.enter_context(one) for one in bind("127.0.0.1", 0, others)]
        served[0].listen()
        with pytest.raises(OSError, match="in use"):
            bind("127.0.0.1", served[0].getsockname()[1], count)


def test_a_closed_one_is_bound_again():
    first, second = bind("127.0.0.1", 0, 2)
    address = first.getsockname()
    second.close()
    again = bind_again(second, address)
    assert again.getsockname() == address
    again.listen()
    first.close()
    again.close()
