"""Owns the canonical usage of one call: disjoint token buckets and counted items.

Every protocol's adapter normalises into it (money.md, protocols.md 4.3). Must not know prices.
"""

import msgspec

TOKEN_BUCKETS: tuple[str, ...] = (
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "audio_input",
    "audio_output",
    "image_input",
    "image_output",
)
"""The priced token buckets. They are disjoint; `reasoning` is inside `output` and only shown."""


class ImageCount(msgspec.Struct, frozen=True, gc=False):
    """How many images of one size and quality a call made."""

    size: str
    quality: str
    count: int


class Usage(msgspec.Struct, frozen=True):
    """What one call used: tokens by bucket and counted items, all integers >= 0.

    `clamped` says that the provider's figures did not add up or were negative and were corrected,
    `interim` that only the input is known so far, as some providers tell it when a stream begins.
    `tier` is the service tier as the answer names it, "" for the usual one.
    """

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    image_input: int = 0
    image_output: int = 0
    request: int = 0
    web_search: int = 0
    second: int = 0
    character: int = 0
    images: tuple[ImageCount, ...] = ()
    clamped: bool = False
    interim: bool = False
    tier: str = ""

    def tokens_in(self) -> int:
        """Return the tokens of all input buckets, cached ones too: what a price tier is chosen by."""
        return (
            self.input
            + self.cache_read
            + self.cache_write_5m
            + self.cache_write_1h
            + self.audio_input
            + self.image_input
        )
