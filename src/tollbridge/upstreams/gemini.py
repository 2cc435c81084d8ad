"""Owns what is particular to Gemini: its key header."""

from collections.abc import Mapping


class _Gemini:
    def auth_lines(self, secret: str) -> bytes:
        return b"x-goog-api-key: " + secret.encode() + b"\r\n"

    def client_lines(self, _headers: Mapping[bytes, bytes], *, native: bool) -> bytes:  # noqa: ARG002
        return b""


GEMINI = _Gemini()
