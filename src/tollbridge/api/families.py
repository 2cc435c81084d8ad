"""Owns which family of SDKs a request to the API comes from: its path says it, then its headers.

Only the lists of models at /v1 are asked for by clients of every family. Must not know what is
answered.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qs

from tollbridge.core.errors import Surface, surface_of

_SHARED = re.compile(r"/v1/models(?:/.*)?")


def family_of(path: str, headers: Mapping[bytes, bytes], query: bytes) -> Surface:
    """Return the surface whose grammar the answer has. `headers` have lower-case names.

    On the shared paths `anthropic-version`, or `x-api-key` without Authorization, is Anthropic's
    SDK; `x-goog-api-key` or `?key=` as the only credential is Google's.
    """
    surface = surface_of(path)
    if surface is not Surface.CHAT or not _SHARED.fullmatch(path):
        return surface
    if headers.get(b"anthropic-version"):
        return Surface.MESSAGES
    if headers.get(b"authorization"):
        return Surface.CHAT
    if headers.get(b"x-api-key"):
        return Surface.MESSAGES
    if headers.get(b"x-goog-api-key") or b"key" in parse_qs(query):
        return Surface.GEMINI
    return Surface.CHAT
