"""Ports are chosen, and commands that fail say why."""

import socket

import pytest

from tollbridge.demo.child import ChildFailed, choose_port, run_command


def test_a_free_port_is_taken_as_wished_and_a_taken_one_is_replaced() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        assert choose_port(port) not in {0, port}
    assert choose_port(port) == port


async def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(ChildFailed, match="No such command"):
        await run_command("no-such-command")
