"""Owns one post to the operators' webhook: its signature, its deadline, where it may go.

The URL comes from the configuration file, so private networks are allowed; link-local and metadata
addresses never are. What is judged is what is dialled. Must not know what an event means; neither
URL, secret nor the receiver's words reach a log or an exception.
"""

import asyncio
import hmac
import socket
import ssl
from ipaddress import ip_address
from typing import Self

import httpx2

from tollbridge.core.clock import now_ms
from tollbridge.core.settings import Settings, SettingsError
from tollbridge.upstreams.addresses import dialable

_DEADLINE_S = 20.0
_ADDRESSES_MAX = 4


class WebhookFailed(Exception):
    """The receiver has not taken the event; the text has a status at most."""


class Webhook:
    """The receiver of a site's events. Make it once: it reads the system's trusted certificates."""

    def __init__(self, url: str, secret: str, *, deadline_s: float = _DEADLINE_S) -> None:
        """Take the URL and the secret that signs; without a secret nothing is signed.

        SettingsError when the URL is none of http or https with a host.
        """
        try:
            self._url = httpx2.URL(url)
        except httpx2.InvalidURL:
            self._url = httpx2.URL("")
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise SettingsError("alert_webhook_url: must be an http:// or https:// URL")
        self._secret = secret.encode()
        self._deadline_s = deadline_s
        self._tls = ssl.create_default_context()

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Return the webhook that the settings name, if they name one."""
        if not settings.alert_webhook_url:
            return None
        return cls(settings.alert_webhook_url, settings.alert_webhook_secret)

    async def post(self, event: str, message_id: str, body: bytes) -> None:
        """Post one event; only a 2xx takes it, a redirection is not followed.

        `message_id` stays the same at every try, so that the receiver can drop doubles.
        WebhookFailed when it was not taken within the deadline.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                status = await self._status(self._headers(event, message_id, body), body)
        except TimeoutError:
            raise WebhookFailed("the webhook did not answer in time") from None
        if not 200 <= status < 300:
            raise WebhookFailed(f"the webhook answered {status}")

    def _headers(self, event: str, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = str(now_ms() // 1000)
        headers = {
            "host": self._url.netloc.decode("ascii"),
            "content-type": "application/json",
            "user-agent": "tollbridge",
            "x-tollbridge-event": event,
            "x-tollbridge-id": message_id,
            "x-tollbridge-timestamp": timestamp,
        }
        if self._secret:
            headers["x-tollbridge-signature"] = "v1=" + signature(self._secret, timestamp, body)
        return headers

    async def _status(self, headers: dict[str, str], body: bytes) -> int:
        """Return what the first address that can be reached answers; its body is not read."""
        addresses = await self._addresses()
        # Proxies of the environment would resolve the name once more, and elsewhere.
        transport = httpx2.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        async with httpx2.AsyncClient(
            transport=transport, trust_env=False, timeout=self._deadline_s
        ) as client:
            for address in addresses:
                request = client.build_request(
                    "POST",
                    self._url.copy_with(host=address),
                    headers=headers,
                    content=body,
                    extensions={"sni_hostname": self._url.host},
                )
                try:
                    answer = await client.send(request, stream=True)
                except httpx2.ConnectError:
                    continue
                except (httpx2.HTTPError, OSError):
                    raise WebhookFailed("the webhook broke off before its answer") from None
                await answer.aclose()
                return answer.status_code
        raise WebhookFailed("the webhook cannot be reached")

    async def _addresses(self) -> list[str]:
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                self._url.host, port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError):
            raise WebhookFailed("the webhook's name cannot be resolved") from None
        texts = dict.fromkeys(str(entry[4][0]) for entry in found)
        allowed = [text for text in texts if dialable(ip_address(text), allow_private=True)]
        if not allowed:
            raise WebhookFailed("the webhook's address is one that is never dialled")
        return allowed[:_ADDRESSES_MAX]


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return what `x-tollbridge-signature` carries after "v1=": hex HMAC-SHA256 of "timestamp.body"."""
    return hmac.digest(secret, timestamp.encode() + b"." + body, "sha256").hex()
