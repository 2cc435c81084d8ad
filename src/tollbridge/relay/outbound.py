"""Owns the request as an account's upstream gets it: where it goes and its head.

The head of an account is built once a snapshot and path; the token of one that signs in is put in
each time. What is sent is the errand's business.
"""

from tollbridge.catalog.snapshot import Account
from tollbridge.core.errors import Surface
from tollbridge.relay.call import Call
from tollbridge.relay.dialects import Errand
from tollbridge.relay.overrides import own_lines
from tollbridge.relay.tokens import OAUTH, Token
from tollbridge.upstreams.platforms import PLATFORMS, Platform
from tollbridge.upstreams.target import Target

_FIXED_LINES = b"accept-encoding: identity\r\n"
# A path may have any model's name in it, where the catalogue has wildcards.
_HEADS_MAX = 1_000
_FORM = b"multipart/"


def _accept(call: Call) -> bytes:
    if call.dialect.surface is Surface.MEDIA:
        # Sounds, pictures, events or JSON: the body says which of them is meant.
        return b"*/*"
    return b"text/event-stream" if call.ask.stream else b"application/json"


class _Address:
    """Where an account is reached, with the fixed part of its request heads."""

    __slots__ = ("account", "auth", "heads", "platform", "target")

    def __init__(self, account: Account, *, allow_private: bool) -> None:
        self.account = account
        self.target = Target.parse(account.base_url, account.proxy or None, allow_private)
        self.platform: Platform = PLATFORMS[account.platform]
        self.auth = b"" if account.auth == OAUTH else self.platform.auth_lines(account.secret)
        self.heads: dict[tuple[bytes, bytes], bytes] = {}

    def head(self, path: bytes, content_type: bytes) -> bytes:
        blob = self.heads.get((path, content_type))
        if blob is None:
            target = self.target
            blob = b"".join(
                (
                    b"POST ", target.prefix.encode(), path, b" HTTP/1.1\r\nhost: ",
                    target.authority.encode(), b"\r\n",
                    self.auth,
                    b"content-type: ", content_type, b"\r\n", _FIXED_LINES,
                    own_lines(self.account),
                )
            )  # fmt: skip
            # A form's type bears a boundary of its own: it never comes again.
            if len(self.heads) < _HEADS_MAX and not content_type.startswith(_FORM):
                self.heads[path, content_type] = blob
        return blob


class Outbound:
    """Makes request heads for accounts; keeps what does not change between them."""

    def __init__(self) -> None:
        self._addresses: dict[int, _Address] = {}

    def target(self, call: Call, account: Account) -> Target:
        """Return where this account's calls go."""
        return self._address(call, account).target

    def head(self, call: Call, account: Account, errand: Errand) -> bytes:
        """Return the serialised request head of an errand, for an account with a secret."""
        address = self._address(call, account)
        return b"%b%baccept: %b\r\ncontent-length: %d\r\n\r\n" % (
            address.head(errand.path, errand.content_type),
            address.platform.client_lines(call.exchange.headers, native=errand.native),
            _accept(call),
            len(errand.body),
        )

    def token_head(self, call: Call, account: Account, errand: Errand, token: Token) -> bytes:
        """Return the same for an account that signs in."""
        address = self._address(call, account)
        platform = address.platform
        return b"%b%b%baccept: %b\r\ncontent-length: %d\r\n\r\n" % (
            address.head(errand.path, errand.content_type),
            platform.token_lines(token.value),
            platform.client_lines(call.exchange.headers, native=errand.native, signed_in=True),
            _accept(call),
            len(errand.body),
        )

    def plain_head(
        self, call: Call, account: Account, method: bytes, path: bytes, lines: bytes
    ) -> bytes:
        """Return the head of a request that passes as it is; `lines` are all its own header lines."""
        address = self._address(call, account)
        target = address.target
        return b"".join(
            (
                method, b" ", target.prefix.encode(), path, b" HTTP/1.1\r\nhost: ",
                target.authority.encode(), b"\r\n", address.platform.auth_lines(account.secret),
                _FIXED_LINES, own_lines(account), lines, b"\r\n",
            )
        )  # fmt: skip

    def _address(self, call: Call, account: Account) -> _Address:
        address = self._addresses.get(account.id)
        # A new snapshot brings new account objects, perhaps with another host or secret.
        if address is None or address.account is not account:
            address = _Address(account, allow_private=call.snapshot.site.allow_private_upstreams)
            self._addresses[account.id] = address
        return address
