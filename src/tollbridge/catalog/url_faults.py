"""Owns what can be wrong with an upstream's address, as phrases. Pure.

The sentences are `upstreams.target`'s; here they are marked, because that layer knows no readers.
"""

from typing import Final

from tollbridge.core.language import N_
from tollbridge.core.phrase import Phrase, phrase

FAULTS: Final = frozenset(
    {
        N_("the scheme must be http or socks5"),
        N_("a path or query makes no sense here"),
        N_("user name and password may have 255 bytes each"),
        N_("user name or password holds an impossible character"),
        N_("the scheme must be http or https"),
        N_("credentials do not belong here"),
        N_("a query or fragment makes no sense here"),
        N_("the path holds a character or segment that is not allowed"),
        N_("it holds a space, a control character or a backslash"),
        N_("it cannot be read"),
        N_("the IPv6 address cannot be read"),
        N_("the host name cannot be read"),
        N_("the host name is missing or holds an impossible character"),
        N_("the port must be a number from 1 to 65535"),
    }
)
_NAMES: Final = {"base URL": N_("base URL"), "proxy URL": N_("proxy URL")}


def url_fault(error: ValueError, name: str = "") -> Phrase:
    """Return what `Target.parse` or `Proxy.parse` found wrong; `name` says it of another field."""
    what, _, fault = str(error).partition(": ")
    named = Phrase(what) if what in _NAMES else what
    said = Phrase(fault) if fault in FAULTS else fault
    return phrase("%(name)s: %(fault)s", name=name or named, fault=said)
