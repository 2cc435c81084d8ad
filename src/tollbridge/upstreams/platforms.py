"""Owns the platforms: for each family of vendors, how it is asked.

Their errors differ so little that one reader serves all (`complaints`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from tollbridge.upstreams import anthropic, gemini, openai


class Platform(Protocol):
    """One family of vendors. Header lines are complete, each ended by CRLF."""

    def auth_lines(self, secret: str) -> bytes:
        """Return the lines that say who calls with a key."""

    def token_lines(self, token: str) -> bytes:
        """Return the lines that say who calls with the access token of an account that signed in."""

    def client_lines(
        self, headers: Mapping[bytes, bytes], *, native: bool, signed_in: bool = False
    ) -> bytes:
        """Return the lines that pass from the client, and what the platform wants in every call.

        `native` says that the client speaks the platform's protocol, `signed_in` that the account
        is known by a token.
        """


PLATFORMS: Mapping[str, Platform] = MappingProxyType(
    {"openai": openai.OPENAI, "anthropic": anthropic.ANTHROPIC, "gemini": gemini.GEMINI}
)
