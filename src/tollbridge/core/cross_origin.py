"""Owns what a page of another origin may see of the API: every answer, and the headers we add.

Any origin may call, with a key of its own and never with cookies: credentials are not allowed. Both
halves of the product say it on every answer under the API paths, in lines (relay, edge) or in
pairs. Pure: constants. Must not know which paths those are.
"""

from typing import Final

_EXPOSED: Final = (
    "x-request-id",
    "x-should-retry",
    "retry-after",
    "allow",
    "x-tollbridge-cost",
    "x-tollbridge-balance",
    "x-tollbridge-estimated",
    "x-tollbridge-max-output",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
)

ORIGIN_PAIR: Final = (b"access-control-allow-origin", b"*")
ANSWER_PAIRS: Final = (
    ORIGIN_PAIR,
    (b"access-control-expose-headers", ", ".join(_EXPOSED).encode()),
)
ANSWER_LINES: Final = b"".join(b"%b: %b\r\n" % pair for pair in ANSWER_PAIRS)
