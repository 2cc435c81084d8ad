"""Owns what stands around every gateway that is measured: vendor, nginx, load generator, cores.

nginx and the gateways share one core; all that only serves the measuring is on the other.
"""

import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench import nginx
from bench.gateway import VENDOR_SECRET, Gateway
from bench.lanes import Lane
from bench.processes import Child, two_cores
from bench.rounds import Side

_CONTROL_S = 10
_ROOT = Path(__file__).resolve().parent.parent
_PYTHON = (sys.executable, "-m")


@dataclass(frozen=True, slots=True)
class Stage:
    """The running processes; `measured` and `other` are cores, None where there is one only."""

    folder: Path
    vendor: Child
    upstream_url: str
    nginx: Child
    nginx_port: int
    loader: Child
    measured: int | None
    other: int | None

    @contextmanager
    def gateway(
        self, name: str, database: str | None = None, workers: int = 1
    ) -> Iterator[Gateway]:
        """Run a gateway on the measured core."""
        found = Gateway(
            name, self.folder, self.upstream_url, self.measured, database=database, workers=workers
        )
        try:
            yield found
        finally:
            found.child.stop()

    def straight(self, lane: Lane) -> Side:
        """Return the vendor itself as a target."""
        port = int(self.upstream_url.rpartition(":")[2])
        return Side("vendor", port, lane.surface.request(lane.body, VENDOR_SECRET), self.vendor)

    def yardstick(self, lane: Lane) -> Side:
        """Return nginx as a target."""
        request = lane.surface.request(lane.body, VENDOR_SECRET)
        return Side("nginx", self.nginx_port, request, self.nginx)

    @contextmanager
    def scripted(self, script: Mapping[str, object]) -> Iterator[None]:
        """Let the vendor answer by a script, whatever the requests say."""
        self._tell(script)
        try:
            yield
        finally:
            self._tell({})

    def _tell(self, script: Mapping[str, object]) -> None:
        body = msgspec.json.encode({"secret": VENDOR_SECRET, "script": script})
        url = f"{self.upstream_url}/_fake/account"
        # An opener of its own, because a proxy of the environment has no business here.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, body, timeout=_CONTROL_S) as reply:
            reply.read()


def side(gateway: Gateway, lane: Lane, database: Child | None = None) -> Side:
    """Return a gateway as a target, with the server that its database is on."""
    request = lane.surface.request(lane.body, gateway.secrets[lane.platform])
    return Side(gateway.name, gateway.port, request, gateway.child, database)


@contextmanager
def set_up(folder: Path) -> Iterator[Stage]:
    """Start all but the gateways, in a folder that is thrown away; ChildFailed, NginxMissing."""
    measured, other = two_cores()
    if measured is None:
        print("one core only: nothing is pinned, expect noise")
    with ExitStack() as stack:
        command = (*_PYTHON, "tollbridge.demo.fake_upstream")
        vendor = Child("vendor", command, folder, other, talks=True)
        stack.callback(vendor.stop)
        url = vendor.line().decode().strip()
        yardstick, port = nginx.start(folder, int(url.rpartition(":")[2]), measured)
        stack.callback(yardstick.stop)
        # The load generator is part of this folder, which only the project's root can import.
        command = (*_PYTHON, "bench.load")
        loader = Child("load", command, _ROOT, other, talks=True, log=folder)
        stack.callback(loader.stop)
        yield Stage(folder, vendor, url, yardstick, port, loader, measured, other)
