"""Owns the places to which accounts of the matrix lead: those where no pretend vendor can be.

Real listeners on loopback that speak no HTTP, wrong TLS or other bytes than they should, and proxies
that are down or locked. Must not know what follows from it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.faults.matrix import FAULTS, Fault, Place, Raw
from tests.services.ports import free_port
from tests.upstreams.certificates import Authority
from tests.upstreams.hostile import Peer, Script, echoing, serving
from tests.upstreams.proxies import connect_proxy, socks_proxy


class Way(NamedTuple):
    """How an account is reached: its base URL and its proxy, "" for none."""

    base_url: str
    proxy: str = ""


Places = dict[str, Way]
"""Ways by the names of faults; where a fault has none, its account leads to the pretend vendor."""


def _raw(fault: Raw) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.write(fault.said)
        if not fault.closes:
            await peer.until_gone()

    return script


def way_of(fault: Fault, places: Places, vendor: str, user: str) -> Way:
    """Return how the account with a fault is reached; `vendor` is the pretend vendor's address.

    A fault of a proxy leaves the address as it is. Accounts that share a proxy share its fate, so
    each `user` has one of its own.
    """
    name = fault.make.name if isinstance(fault.make, Place) else fault.name
    way = places.get(name, Way(vendor))
    return way if way.base_url else Way(vendor, way.proxy.format(user=user))


def trusted(folder: Path) -> str:
    """Return the file of the authority that a gateway is to trust."""
    return str(folder / "known" / "authority.pem")


@asynccontextmanager
async def opened(folder: Path, vendor: str) -> AsyncIterator[Places]:
    """Yield all places, open until the end of the block; `folder` takes the certificates.

    The one with another name is vouched for by `trusted(folder)`.
    """
    async with AsyncExitStack() as stack:

        async def at(script: Script, authority: Authority | None = None, name: str = "") -> str:
            tls = authority.server(name) if authority is not None else None
            server = await stack.enter_async_context(serving(script, tls))
            return f"127.0.0.1:{server.port}"

        for name in ("unknown", "known"):
            (folder / name).mkdir()
        unknown, known = Authority(folder / "unknown"), Authority(folder / "known")
        http = await at(connect_proxy([], "user", "right"))
        socks = await at(socks_proxy([], "user", "right"))
        places = {
            "deaf": Way(f"http://127.0.0.1:{free_port()}"),
            "nameless": Way("http://nothing.invalid"),
            "unknown authority": Way(f"https://{await at(echoing, unknown, '127.0.0.1')}"),
            "other name": Way(f"https://{await at(echoing, known, 'other.test')}"),
            "no tls": Way(vendor.replace("http://", "https://")),
            "http proxy down": Way("", f"http://{{user}}@127.0.0.1:{free_port()}"),
            "socks proxy down": Way("", f"socks5://{{user}}@127.0.0.1:{free_port()}"),
            "http proxy locked": Way("", f"http://{{user}}:wrong@{http}"),
            "socks proxy locked": Way("", f"socks5://{{user}}:wrong@{socks}"),
        }
        for fault in FAULTS:
            if isinstance(fault.make, Raw):
                places[fault.name] = Way(f"http://{await at(_raw(fault.make))}")
        yield places
