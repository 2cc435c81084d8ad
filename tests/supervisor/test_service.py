"""Proof that the service manager is told when it asks, and that silence or trouble costs nothing."""

import socket
from pathlib import Path

import pytest

from tollbridge.supervisor.service import tell_service


def test_a_state_is_one_datagram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        tell_service("READY=1")
        assert told.recv(100) == b"READY=1"


def test_nobody_asked_or_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    tell_service("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    tell_service("READY=1")
