"""Owns one POST to a URL of the configuration: its deadline, and where it may go.

The operator named the URL, so private networks are allowed; link-local and metadata addresses never
are. What is judged is what is dialled. Must not know what is posted; neither URL nor password nor
the receiver's words reach a log or an exception.
"""

import asyncio
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import unquote

import httpx2

from tollbridge.upstreams.addresses import dialable

_ADDRESSES_MAX = 4


class PostFailed(Exception):
    """There is no answer; the text says what became of the receiver, as in "cannot be reached"."""


class Receiver:
    """A place that takes posts. Make it once: it reads the system's trusted certificates."""

    def __init__(self, url: str, *, deadline_s: float) -> None:
        """Take the URL, which may have user and password; ValueError when it is none to post to."""
        try:
            named = httpx2.URL(url)
        except httpx2.InvalidURL:
            named = httpx2.URL("")
        if named.scheme not in {"http", "https"} or not named.host:
            raise ValueError("must be an http:// or https:// URL")
        self._headers = {"host": named.netloc.decode("ascii"), "user-agent": "tollbridge"}
        if named.userinfo:
            user, _, password = named.userinfo.partition(b":")
            pair = f"{unquote(user.decode())}:{unquote(password.decode())}"
            self._headers["authorization"] = "Basic " + b64encode(pair.encode()).decode()
        # The client logs the URLs that it dials.
        self._url = named.copy_with(userinfo=b"")
        self._deadline_s = deadline_s
        self._tls = ssl.create_default_context()

    async def post(
        self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str]]:
        """Return status and head of the answer, whose body is not read; redirections are not followed.

        `query` is added to what the URL has. PostFailed without an answer within the deadline.
        """
        url = self._url.copy_merge_params(query) if query else self._url
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._answer(url, {**self._headers, **headers}, body)
        except TimeoutError:
            raise PostFailed("did not answer in time") from None

    async def _answer(
        self, url: httpx2.URL, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str]]:
        addresses = await self._addresses()
        # Proxies of the environment would resolve the name once more, and elsewhere.
        transport = httpx2.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        async with httpx2.AsyncClient(
            transport=transport, trust_env=False, timeout=self._deadline_s
        ) as client:
            for address in addresses:
                request = client.build_request(
                    "POST",
                    url.copy_with(host=address),
                    headers=headers,
                    content=body,
                    extensions={"sni_hostname": url.host},
                )
                try:
                    answer = await client.send(request, stream=True)
                except httpx2.ConnectError:
                    continue
                except (httpx2.HTTPError, OSError):
                    raise PostFailed("broke off before its answer") from None
                await answer.aclose()
                return answer.status_code, answer.headers
        raise PostFailed("cannot be reached")

    async def _addresses(self) -> list[str]:
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                self._url.host, port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError):
            raise PostFailed("has a name that cannot be resolved") from None
        texts = dict.fromkeys(str(entry[4][0]) for entry in found)
        allowed = [text for text in texts if dialable(ip_address(text), allow_private=True)]
        if not allowed:
            raise PostFailed("has an address that is never dialled")
        return allowed[:_ADDRESSES_MAX]
