"""Owns which pages users and visitors have. A page is added by naming its file here."""

from typing import Final

from tollbridge.web.pages import parts_of

_FILES: Final = (
    "channels", "choices", "docs", "errors_page", "external", "faq", "keys", "legal", "overview",
    "profile", "profile_email", "profile_security", "profile_tokens", "prove", "receipt", "reset",
    "setup", "setup_channel", "setup_prices", "setup_test", "sign_in", "sign_up", "start", "status",
    "usage", "usage_csv", "verify", "wallet",
)  # fmt: skip

PARTS: Final = parts_of(__package__, _FILES)
