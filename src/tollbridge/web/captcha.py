"""Owns the question whether a visitor is a person, asked of a service that the operator has named.

The service is any that takes a POST of secret, response and remoteip and answers JSON with `success`.
Without one there is no question; one that does not answer lets nobody in. Must not know what is
behind the question. Neither secret nor the service's words reach a log or an exception.
"""

import asyncio
import json
import ssl
from functools import lru_cache
from typing import Any, Final

import httpx2

from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import get_logger
from tollbridge.web.forms import N_, Form

FIELDS: Final = (
    "captcha-response",
    "cf-turnstile-response",
    "h-captcha-response",
    "g-recaptcha-response",
)
"""What widgets call the field with their answer."""
UNPROVED: Final = N_("Please show that you are a person, then send the form again.")
UNREACHABLE: Final = N_("The check for persons cannot be reached. Please try again later.")

_DEADLINE_S: Final = 10.0
_RESPONSE_MAX: Final = 8_192
_ANSWER_MAX: Final = 65_536
_log = get_logger(__name__)


class Captcha:
    """The service. Make it once: it reads the system's trusted certificates."""

    def __init__(self, verify_url: str, secret: str, *, deadline_s: float = _DEADLINE_S) -> None:
        self._url = verify_url
        self._secret = secret
        self._deadline_s = deadline_s
        self._tls = ssl.create_default_context()

    async def fault(self, form: Form, address: str) -> str | None:
        """Return why a form must not be taken, as a msgid; None when a person has sent it."""
        response = next(filter(None, map(form.raw, FIELDS)), "")
        if not response or len(response) > _RESPONSE_MAX:
            return UNPROVED
        fields = {"secret": self._secret, "response": response, "remoteip": address}
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await self._asked(fields)
        except (TimeoutError, httpx2.HTTPError, OSError, ValueError, RecursionError):
            _log.warning("captcha_unreachable")
            return UNREACHABLE
        return None if answer.get("success") is True else UNPROVED

    async def _asked(self, fields: dict[str, str]) -> dict[str, Any]:
        """Return the service's answer; ValueError when it is none that can be read."""
        async with (
            httpx2.AsyncClient(
                verify=self._tls, trust_env=False, timeout=self._deadline_s
            ) as client,
            client.stream("POST", self._url, data=fields) as answer,
        ):
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > _ANSWER_MAX:
                    raise ValueError("a long answer")
        if answer.status_code != 200:
            raise ValueError("no answer")
        found = json.loads(body)
        if not isinstance(found, dict):
            raise ValueError("no object")  # noqa: TRY004 -- a fault of what was read
        return found


def captcha_of(settings: Settings) -> Captcha | None:
    """Return the service that the settings name, None when they name none."""
    if not settings.captcha_verify_url:
        return None
    return _made(settings.captcha_verify_url, settings.captcha_secret)


@lru_cache(maxsize=4)
def _made(verify_url: str, secret: str) -> Captcha:
    return Captcha(verify_url, secret)
