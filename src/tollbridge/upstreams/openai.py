"""Owns what is particular to OpenAI and its like: how it is told who calls, which headers pass."""

from collections.abc import Mapping


class _OpenAI:
    def auth_lines(self, secret: str) -> bytes:
        return b"authorization: Bearer " + secret.encode() + b"\r\n"

    def token_lines(self, token: str) -> bytes:
        return self.auth_lines(token)

    def client_lines(
        self,
        headers: Mapping[bytes, bytes],
        *,
        native: bool,
        signed_in: bool = False,  # noqa: ARG002
    ) -> bytes:
        beta = headers.get(b"openai-beta") if native else None
        return b"" if beta is None else b"openai-beta: " + beta + b"\r\n"


OPENAI = _OpenAI()
