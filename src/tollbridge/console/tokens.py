"""Owns how counts of tokens are summed up in a line: what went in, what came out. Pure."""

from collections.abc import Mapping
from typing import Final

_IN: Final = (
    "input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_input", "image_input",
)  # fmt: skip
_OUT: Final = ("output", "audio_output", "image_output")


def tokens_in(counts: Mapping[str, int]) -> int:
    """Return how many tokens went in, those that were read from a cache included."""
    return sum(counts.get(name, 0) for name in _IN)


def tokens_out(counts: Mapping[str, int]) -> int:
    """Return how many tokens came out, those of reasoning included."""
    return sum(counts.get(name, 0) for name in _OUT)
