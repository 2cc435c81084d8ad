"""Owns where a call goes: the upstream's origin, the way through a proxy, and their parsing.

A target is the key of the connection pool. It must not open connections or resolve names.
"""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*")
_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_SOCKS_FIELD_MAX = 255


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that opens tunnels: `http` by CONNECT, `socks5` with names resolved by the proxy."""

    scheme: str
    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `http://user:pass@host:port` or `socks5://…`. Raises ValueError naming the fault."""
        parts = _split(url, "proxy URL")
        if parts.scheme not in ("http", "socks5", "socks5h"):
            raise ValueError("proxy URL: the scheme must be http or socks5")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError("proxy URL: a path or query makes no sense here")
        username, password = unquote(parts.username or ""), unquote(parts.password or "")
        if max(len(username.encode()), len(password.encode())) > _SOCKS_FIELD_MAX:
            raise ValueError("proxy URL: user name and password may have 255 bytes each")
        if any(character < " " for character in username + password) or ":" in username:
            raise ValueError("proxy URL: user name or password holds an impossible character")
        scheme = parts.scheme.removesuffix("h")
        return cls(scheme, _host(parts, "proxy URL"), _port(parts, "proxy URL"), username, password)


@dataclass(frozen=True, slots=True)
class Target:
    """An upstream's origin and the way to it. Two are equal when one connection can serve both."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None = None
    allow_private: bool = False
    prefix: str = field(default="", compare=False)
    """Path of the base URL without its last slash: "" or "/openai/v1"."""
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hash once: the pool looks targets up on every call."""
        key = (self.scheme, self.host, self.port, self.proxy, self.allow_private)
        object.__setattr__(self, "_hash", hash(key))

    def __hash__(self) -> int:
        """Return the hash that was computed at the start."""
        return self._hash

    @classmethod
    def parse(
        cls, base_url: str, proxy_url: str | None = None, allow_private: bool = False
    ) -> Self:
        """Read an account's base URL and proxy ("" or None: direct). Raises ValueError naming the fault."""
        parts = _split(base_url, "base URL")
        if parts.scheme not in ("http", "https"):
            raise ValueError("base URL: the scheme must be http or https")
        if parts.username is not None or parts.password is not None:
            raise ValueError("base URL: credentials do not belong here")
        if parts.query or parts.fragment:
            raise ValueError("base URL: a query or fragment makes no sense here")
        prefix = parts.path.rstrip("/")
        if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")):
            raise ValueError("base URL: the path holds a character or segment that is not allowed")
        return cls(
            scheme=parts.scheme,
            host=_host(parts, "base URL"),
            port=_port(parts, "base URL"),
            proxy=Proxy.parse(proxy_url) if proxy_url else None,
            allow_private=allow_private,
            prefix=prefix,
        )

    @property
    def tls(self) -> bool:
        """Whether the upstream is spoken to through TLS."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """What belongs into the host header: no port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def _split(url: str, what: str) -> SplitResult:
    # The standard parser drops tabs and line ends silently, so they are refused before.
    if any(character <= " " or character in "\\\x7f" for character in url):
        raise ValueError(f"{what}: it holds a space, a control character or a backslash")
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError(f"{what}: it cannot be read") from None


def _host(parts: SplitResult, what: str) -> str:
    host = parts.hostname or ""
    if ":" in host:
        try:
            return str(ip_address(host))
        except ValueError:
            raise ValueError(f"{what}: the IPv6 address cannot be read") from None
    try:
        host = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError(f"{what}: the host name cannot be read") from None
    if not _NAME.fullmatch(host) or len(host) > _SOCKS_FIELD_MAX - 2:
        raise ValueError(f"{what}: the host name is missing or holds an impossible character")
    return host


def _port(parts: SplitResult, what: str) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port is None:
        return _DEFAULT_PORTS[parts.scheme]
    if port == 0:
        raise ValueError(f"{what}: the port must be a number from 1 to 65535")
    return port
