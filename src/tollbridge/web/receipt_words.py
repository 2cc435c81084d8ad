"""Owns the words of receipts on pages: names of counted items, of factors, and how a call ended.

The same for users and operators. Must not know whose receipt it is.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from tollbridge.billing.receipt_fields import parts_text
from tollbridge.core.language import N_
from tollbridge.core.outcomes import Ended, ended

ITEMS: Final = {
    "input": N_("Input tokens"),
    "cache_read": N_("Tokens read from the cache"),
    "cache_write_5m": N_("Tokens written to the cache (5 min)"),
    "cache_write_1h": N_("Tokens written to the cache (1 h)"),
    "output": N_("Output tokens"),
    "audio_input": N_("Audio tokens in"),
    "audio_output": N_("Audio tokens out"),
    "image_input": N_("Image tokens in"),
    "image_output": N_("Image tokens out"),
    "request": N_("Requests"),
    "web_search": N_("Web searches"),
    "second": N_("Seconds"),
    "character": N_("Characters"),
}
FACTORS: Final = {"channel": N_("channel"), "group": N_("group"), "peak": N_("peak hours")}
ENDED: Final = {
    Ended.ANSWERED: N_("Answered"),
    Ended.CLIENT: N_("Client"),
    Ended.FAILED: N_("Failed"),
}
"""What a call that ended so is called: on its badge, and in the filter that finds it."""

END_STATES: Final = {
    "complete": N_("complete"),
    "limited": N_("ended for lack of money"),
    "partial": N_("partial"),
    "client_gone": N_("client gone"),
    "upstream_error": N_("provider failed"),
    "refused": N_("refused"),
    "empty": N_("empty"),
    "withheld": N_("withheld"),
    "database_lost": N_("not recorded"),
    "reclaimed": N_("reclaimed"),
}
"""What the receipt adds to it: the state that the row of the call has."""

_TONES: Final = {Ended.ANSWERED: "good", Ended.CLIENT: "warn", Ended.FAILED: "bad"}
ENDS: Final = {tone: ENDED[how] for how, tone in _TONES.items()}
"""The same by the tone of the badge."""


def tone_of(end_state: str, error: str | None) -> str:
    """Return how a call ended, as the tone of its badge."""
    return _TONES[ended(end_state, error)]


def parts_usd(parts: int) -> str:
    """Return millionths of nano-dollars as exact dollars; amounts of lines are below zero never."""
    return f"${parts_text(parts)}"


RECEIPT_WORDS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "items": ITEMS,
        "factor_names": FACTORS,
        "parts": parts_usd,
        "tone_of": tone_of,
        "end_states": END_STATES,
    }
)
"""What `templates/receipt_sum.html` needs besides the receipt."""
