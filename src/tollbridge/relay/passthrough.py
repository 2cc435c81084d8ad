"""Owns the dialect of endpoints that pass through as they are: what of a request goes on, and its price.

Such an endpoint is sold by the call, under a name of its own (protocols/endpoints.py), and only to
those who name the account: what it makes lies there and nowhere else. Pure: values in, values out.
"""

import re
from typing import Any, Final, NamedTuple, cast
from urllib.parse import unquote_plus

from tollbridge.catalog.prices import Price
from tollbridge.catalog.snapshot import Account, Model
from tollbridge.core.errors import ApiError, Kind, Surface
from tollbridge.protocols.blobs import BlobScan
from tollbridge.protocols.cost_splice import Place
from tollbridge.protocols.endpoints import Endpoint, find
from tollbridge.protocols.media_request import Refused, Source
from tollbridge.protocols.usage import Usage
from tollbridge.relay.call import Call
from tollbridge.relay.dialects import Dialect, Errand, Task, Wish
from tollbridge.relay.exchange import Exchange
from tollbridge.upstreams.anthropic import ANTHROPIC
from tollbridge.upstreams.platforms import PLATFORMS

ONE_CALL: Final = Usage(request=1)
"""What such a call uses of what is sold."""

_QUERY_MAX: Final = 4_096
_QUERY: Final = re.compile(rb"(?:[A-Za-z0-9._~:=&,+*/@!$'()\[\]-]|%(?!0|1|7[Ff])[0-9A-Fa-f]{2})*")
# Google takes them all, and system parameters with a dollar in front as well.
_CREDENTIALS: Final = frozenset({"key", "api_key", "apikey", "access_token", "oauth_token"})
_VALUE: Final = re.compile(rb"[ -~]{1,500}")
_PASSED: Final = (b"content-type", b"content-encoding")
_BODILESS: Final = frozenset({"GET", "DELETE"})
_SPOKEN: Final = {
    "openai": Surface.CHAT,
    "anthropic": Surface.MESSAGES,
    "gemini": Surface.GEMINI,
}
_PIN_WANTED: Final = (
    "This endpoint is passed on as it is to one account: name it, as channel/account, behind your key"
    " after a # or in the header X-Tollbridge-Channel."
)


class PassAsk(NamedTuple):
    """What is asked for. `model` is the name that it is sold by, perhaps a wildcard; `endpoint` its own."""

    model: str
    endpoint: str
    stream: bool = False


class PassThrough:
    """One request to an endpoint that nobody here understands."""

    free = False
    images = False
    cost_place: Place | None = None
    heartbeat = b""

    def __init__(self, vendor: str, endpoint: Endpoint) -> None:
        self.surface = _SPOKEN[vendor]
        self.surface_name = self.surface.value
        self._vendor = vendor
        self._endpoint = endpoint

    def read(self, exchange: Exchange) -> tuple[Source, PassAsk]:
        """Read a request; Refused for a query that cannot pass. Its body is nobody's business."""
        passing_query(exchange.query)
        # Nothing that asks for a source has one to ask for here.
        return cast("Source", None), PassAsk(self._endpoint.name, self._endpoint.name)

    def request(self, exchange: Exchange, account: Account) -> tuple[bytes, bytes, bytes]:
        """Return what goes to an account: method, path with query, and header lines."""
        query = passing_query(exchange.query)
        path = self._endpoint.path.encode("ascii") + (b"?" + query if query else b"")
        return exchange.method.encode("ascii"), path, _lines(exchange, account)

    def wish(self, _ask: PassAsk) -> Wish:
        """Say what it may cost: a call, nothing else."""
        return Wish(None, whole=True, has_output=False)

    def check(self, _ask: PassAsk, _model: Model) -> None:
        """There are no limits but those of every call."""

    def makes_images(self, _ask: PassAsk) -> bool:
        """Say whether images are made: not for money."""
        return False

    def visible(self, _source: Any, _ask: PassAsk) -> bool:
        """Say whether what is billed can be seen as it comes."""
        return False

    def blobs(self, _exchange: Exchange, _ask: PassAsk) -> BlobScan:
        """Return nothing: no content is sold."""
        return BlobScan()

    def serves(self, account: Account) -> bool:
        """Only the vendor whose endpoint it is has it, and for those alone who have a secret of it."""
        return account.platform == self._vendor and account.auth == "secret"

    def sliced(self, _account: Account) -> bool:
        """All is held from the beginning."""
        return False

    def errand(self, _task: Task, _account: Account) -> Errand:
        """Never called: such a request is no errand, it goes as `request` says."""
        raise NotImplementedError

    def estimate(self, _ask: PassAsk, _input_tokens: int, _text_bytes: int) -> Usage:
        """Return one call."""
        return ONE_CALL

    def settled(self, _ask: PassAsk, _usage: Usage, _price: Price) -> Usage:
        """Return one call, also at a price of nothing."""
        return ONE_CALL

    def framing(self) -> None:
        """Answers travel as they come."""


def is_passed(method: str, path: str) -> bool:
    """Whether a request passes through as it is."""
    return find(method, path) is not None


def dialect_of(exchange: Exchange) -> Dialect | None:
    """Return the dialect of a request for which `is_passed` holds, else None."""
    endpoint = find(exchange.method, exchange.path)
    if endpoint is None:
        return None
    return cast("Dialect", PassThrough(_vendor(endpoint.vendors, exchange), endpoint))


def _vendor(vendors: tuple[str, ...], exchange: Exchange) -> str:
    """Return whose endpoint is meant where several have one: that whose SDK sends such headers."""
    headers = exchange.headers
    if len(vendors) > 1:
        if "anthropic" in vendors and b"anthropic-version" in headers:
            return "anthropic"
        named = b"x-goog-api-key" in headers or b"key=" in exchange.query
        if "gemini" in vendors and named and b"authorization" not in headers:
            return "gemini"
    return vendors[0]


def admit(call: Call) -> None:
    """Insist on an account and find the name that the endpoint is sold by.

    Raises ApiError pin_forbidden where the key could not name one, else invalid_request.
    """
    key = call.key
    if call.only_account is None:
        if not (key.may_pin or key.user_role == "admin"):
            raise ApiError(Kind.PIN_FORBIDDEN, facts={"key_last6": key.last6})
        raise ApiError(Kind.INVALID_REQUEST, _PIN_WANTED, code="account_pin_required")
    ask = cast("PassAsk", call.ask)
    sold = call.snapshot.model(ask.endpoint)
    if sold is not None:
        call.ask = ask._replace(model=sold.name)


def passing_query(query: bytes) -> bytes:
    """Return a query byte for byte without its credentials; Refused for what cannot pass."""
    if len(query) > _QUERY_MAX or _QUERY.fullmatch(query) is None:
        raise Refused(
            "invalid_query",
            "query",
            "The query has characters that cannot be passed on, or too many.",
        )
    if not query:
        return query
    return b"&".join(pair for pair in query.split(b"&") if not _is_credential(pair))


def _is_credential(pair: bytes) -> bool:
    name = unquote_plus(pair.partition(b"=")[0].decode("ascii"), "latin-1")
    return name.strip().lower().lstrip("$") in _CREDENTIALS


def _lines(exchange: Exchange, account: Account) -> bytes:
    headers = exchange.headers
    if account.platform == "anthropic":
        lines = ANTHROPIC.keeping_lines(headers)
    else:
        lines = PLATFORMS[account.platform].client_lines(headers, native=True)
    for name in _PASSED:
        value = headers.get(name, b"")
        if _VALUE.fullmatch(value):
            lines += b"%b: %b\r\n" % (name, value)
    if exchange.body or exchange.method not in _BODILESS:
        lines += b"content-length: %d\r\n" % len(exchange.body)
    return lines + b"accept: */*\r\n"
