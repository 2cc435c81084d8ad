"""Owns which pages operators have. A page is added by naming its file here."""

from typing import Final

from tollbridge.web.pages import parts_of

_FILES: Final = (
    "account_page", "accounts", "announcements", "audit", "channels", "checklist", "codes",
    "invites", "ledger", "models", "overview", "prices", "request", "requests", "settings", "user",
    "users",
)  # fmt: skip

PARTS: Final = parts_of(__package__, _FILES)
