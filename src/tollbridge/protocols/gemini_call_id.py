"""Owns the ids of calls that Gemini did not name: older models give their calls none.

Derived from the answer, so that they are the same in every chunk and whenever the answer is read
again (protocols.md 5.6). Must not know parts.
"""

import hashlib
from typing import Final

_DIGEST_CHARS: Final = 24


def call_id(response_id: str, candidate: int, ordinal: int) -> str:
    """Return the id of a candidate's call, counted from 0."""
    of = f"{response_id}\0{candidate}\0{ordinal}".encode(errors="replace")
    return f"call_{hashlib.sha256(of).hexdigest()[:_DIGEST_CHARS]}"
