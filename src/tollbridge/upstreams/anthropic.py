"""Owns what is particular to Anthropic: its key header, its version, and which betas pass.

A beta can change what a call costs or what the vendor keeps, so only known ones pass. Of those on
the list, `context-1m` is priced by the model's tiers and `extended-cache-ttl` by its own bucket;
betas that multiply the price (faster modes) are not on it.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

_VERSION: Final = b"2023-06-01"
_VERSIONS = re.compile(rb"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_DATED = re.compile(r"([a-z0-9-]+?)-20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_BETAS: Final = frozenset(
    {
        "adaptive-thinking",
        "advanced-tool-use",
        "claude-code",
        "compact",
        "computer-use",
        "context-1m",
        "context-management",
        "dev-full-thinking",
        "effort",
        "extended-cache-ttl",
        "fine-grained-tool-streaming",
        "interleaved-thinking",
        "max-tokens-3-5-sonnet",
        "mcp-client",
        "output-128k",
        "pdfs",
        "prompt-caching",
        "prompt-caching-scope",
        "redact-thinking",
        "search-results",
        "structured-outputs",
        "token-counting",
        "token-efficient-tools",
        "tool-examples",
        "tool-search-tool",
        "web-fetch",
    }
)
# Without it a token is not taken for a credential.
_SIGNED_IN: Final = ("oauth-2025-04-20",)
# In a message these would reach what lies at an account that many share.
_KEEPING: Final = _BETAS | {"files-api", "message-batches"}


class _Anthropic:
    def auth_lines(self, secret: str) -> bytes:
        return b"x-api-key: " + secret.encode() + b"\r\n"

    def token_lines(self, token: str) -> bytes:
        return b"authorization: Bearer " + token.encode() + b"\r\n"

    def client_lines(
        self, headers: Mapping[bytes, bytes], *, native: bool, signed_in: bool = False
    ) -> bytes:
        return _lines(headers if native else {}, _BETAS, _SIGNED_IN if signed_in else ())

    def keeping_lines(self, headers: Mapping[bytes, bytes]) -> bytes:
        """Return the lines that pass to endpoints about what the vendor keeps: files and batches."""
        return _lines(headers, _KEEPING)


def passing(header: bytes, known: Collection[str] = _BETAS) -> list[str]:
    """Return the betas of a header that may pass, in their order."""
    names = [name.strip() for name in header.decode("latin-1").split(",")]
    return [name for name in names if (dated := _DATED.fullmatch(name)) and dated[1] in known]


def _lines(
    headers: Mapping[bytes, bytes], known: Collection[str], ours: tuple[str, ...] = ()
) -> bytes:
    version = headers.get(b"anthropic-version", b"")
    if _VERSIONS.fullmatch(version) is None:
        version = _VERSION
    lines = b"anthropic-version: " + version + b"\r\n"
    betas = [*ours, *passing(headers.get(b"anthropic-beta", b""), known)]
    return lines + b"anthropic-beta: " + ",".join(betas).encode() + b"\r\n" if betas else lines


ANTHROPIC = _Anthropic()
