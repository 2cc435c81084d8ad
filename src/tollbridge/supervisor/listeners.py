"""Owns the sockets that workers listen on: one a worker, all at one address.

The kernel spreads connections over them evenly; a single shared socket gives a burst to whoever
wakes first (measured in decision 0020). The parent keeps each open, so that what waits in a dead
worker's queue waits for its successor.
"""

import contextlib
import socket
import sys

# Elsewhere the option spreads nothing.
_SPREADS = sys.platform == "linux"


def bind(host: str, port: int, count: int = 1) -> list[socket.socket]:
    """Return `count` sockets bound to one address, which do not listen yet; OSError when taken."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with contextlib.ExitStack() as undo:
        first = undo.enter_context(socket.socket(family, kind, protocol))
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(address)
        if count == 1 or not _SPREADS:
            undo.pop_all()
            return [first, *(first.dup() for _ in range(count - 1))]
        # The first was alone at the address, so nobody else serves there; a socket that shares
        # could not have told.
        address = first.getsockname()
        first.close()
        sockets = []
        for _ in range(count):
            sockets.append(undo.enter_context(socket.socket(family, kind, protocol)))
            _share(sockets[-1], address)
        undo.pop_all()
        return sockets


def bind_again(closed: socket.socket, address: object) -> socket.socket:
    """Return a socket like one of `bind` that was closed since, at its address; OSError."""
    fresh = socket.socket(closed.family, closed.type, closed.proto)
    try:
        _share(fresh, address)
    except OSError:
        fresh.close()
        raise
    return fresh


def _share(listener: socket.socket, address: object) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if _SPREADS:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)  # type: ignore[arg-type]
