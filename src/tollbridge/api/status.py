"""Owns GET /api/status: what third-party clients ask a site before they show its figures.

Their names and the meaning of their values, above all `quota_per_unit`: how many of the quota points
that such clients reckon in make a dollar. Public; nothing here is a secret, and nothing is a switch of
a console that this product does not have. Must not know of keys.
"""

from typing import Final

from fastapi import APIRouter, Request, Response

from tollbridge import __version__
from tollbridge.api.answers import answer, services_of

router = APIRouter()

QUOTA_PER_UNIT: Final = 500_000
"""Quota points in a dollar: a `model_ratio` of 1 is one of them a token."""

_OFF: Final = (
    *("email_verification", "github_oauth", "telegram_oauth", "wechat_login", "turnstile_check"),
    *("oidc_enabled", "linuxdo_oauth", "passkey_login", "checkin_enabled", "demo_site_enabled"),
    *("enable_drawing", "enable_task", "data_export_enabled", "self_use_mode_enabled"),
)
_BLANK: Final = (
    *("logo", "footer_html", "server_address", "top_up_link", "docs_link", "telegram_bot_name"),
)


@router.api_route("/api/status", methods=["GET", "HEAD"])
async def status(request: Request) -> Response:
    """Show the site."""
    services = services_of(request)
    return answer(
        {
            "success": True,
            "message": "",
            "data": {
                "system_name": "Tollbridge",
                "version": __version__,
                "setup": True,
                "quota_per_unit": QUOTA_PER_UNIT,
                "quota_display_type": "USD",
                "display_in_currency": True,
                "price": 1,
                "usd_exchange_rate": 1,
                "chats": [],
                "announcements": [],
                "faq": [],
                "api_info": [],
                "public_prices": services.public_prices,
                **dict.fromkeys(_OFF, False),
                **dict.fromkeys(_BLANK, ""),
            },
        }
    )
