"""Owns the request as an account's upstream gets it: where it goes, its head and its body.

The head of an account is built once a snapshot; the body once for each kind of account. The
client's bytes stay as they are but for the fields that must change (architecture.md, "One
request").
"""

from tollbridge.catalog.snapshot import Account
from tollbridge.relay.call import Call
from tollbridge.upstreams.target import Target

# What a client may tell the upstream besides the body; everything else stays here.
_PASSED_HEADERS = (b"openai-beta",)
_FIXED_LINES = (
    b"\r\ncontent-type: application/json\r\naccept-encoding: identity\r\nuser-agent: tollbridge\r\n"
)


class _Address:
    """Where an account is reached, with the fixed part of its request heads."""

    __slots__ = ("account", "heads", "target")

    def __init__(self, account: Account, *, allow_private: bool) -> None:
        self.account = account
        self.target = Target.parse(account.base_url, account.proxy or None, allow_private)
        self.heads: dict[bytes, bytes] = {}

    def head(self, path: bytes) -> bytes:
        blob = self.heads.get(path)
        if blob is None:
            target = self.target
            blob = self.heads[path] = b"".join(
                (
                    b"POST ", target.prefix.encode(), path, b" HTTP/1.1\r\nhost: ",
                    target.authority.encode(), b"\r\nauthorization: Bearer ",
                    self.account.secret.encode(),
                    _FIXED_LINES,
                )
            )  # fmt: skip
        return blob


class Outbound:
    """Makes requests for accounts; keeps what does not change between them."""

    def __init__(self) -> None:
        self._addresses: dict[int, _Address] = {}

    def target(self, call: Call, account: Account) -> Target:
        """Return where this account's calls go."""
        return self._address(call, account).target

    def head(self, call: Call, account: Account, body: bytes) -> bytes:
        """Return the serialised request head for a body of this call."""
        blob = self._address(call, account).head(call.dialect.upstream_path)
        headers = call.exchange.headers
        for name in _PASSED_HEADERS:
            if name in headers:
                blob += name + b": " + headers[name] + b"\r\n"
        accept = b"text/event-stream" if call.ask.stream else b"application/json"
        return b"%baccept: %b\r\ncontent-length: %d\r\n\r\n" % (blob, accept, len(body))

    def body(self, call: Call, account: Account) -> bytes:
        """Return the request body for this account, spliced at most once for each kind."""
        body = call.bodies.get(account.compatible)
        if body is None:
            body = call.bodies[account.compatible] = call.dialect.prepare(
                call.top, call.ask, account, call.output_limit
            )
        return body

    def _address(self, call: Call, account: Account) -> _Address:
        address = self._addresses.get(account.id)
        # A new snapshot brings new account objects, perhaps with another host or secret.
        if address is None or address.account is not account:
            address = _Address(account, allow_private=call.snapshot.site.allow_private_upstreams)
            self._addresses[account.id] = address
        return address
