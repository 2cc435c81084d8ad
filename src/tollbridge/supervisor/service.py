"""Owns telling the system's service manager how the process is: the datagrams of sd_notify(3)."""

import contextlib
import os
import socket


def tell_service(state: str) -> None:
    """Send `READY=1`, `STOPPING=1` and the like; nothing happens when nobody asked for it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
    ):
        sender.sendto(state.encode(), address)
