"""Owns the ports of servers that tests start. Must not know what listens there, if anything does.

They lie below those that Debian's kernel hands out (from 32768 on): between the look and the `bind`,
or while nobody is to listen, no outgoing connection and no `bind` to port 0 can take one.
"""

import itertools
import os
import random
import socket

_FIRST = 10_000
_RANGES = 5
_EACH = 4_000
_TURN = itertools.count(random.randrange(_EACH))


def free_port() -> int:
    """Return a loopback port at which nobody listens.

    A process is given each of its ports once before any comes again, and parallel workers have
    ranges of their own. OSError when all are taken.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    lowest = _FIRST + worker % _RANGES * _EACH
    for turn in itertools.islice(_TURN, _EACH):
        port = lowest + turn % _EACH
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")
