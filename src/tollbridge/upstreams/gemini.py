"""Owns what is particular to Gemini: its key header, which tokens do not go into."""

from collections.abc import Mapping


class _Gemini:
    def auth_lines(self, secret: str) -> bytes:
        return b"x-goog-api-key: " + secret.encode() + b"\r\n"

    def token_lines(self, token: str) -> bytes:
        return b"authorization: Bearer " + token.encode() + b"\r\n"

    def client_lines(
        self,
        _headers: Mapping[bytes, bytes],
        *,
        native: bool,  # noqa: ARG002
        signed_in: bool = False,  # noqa: ARG002
    ) -> bytes:
        return b""


GEMINI = _Gemini()
