"""Owns requests to a site that people sign in with: where they may go, how much is read of an answer.

The configuration names one host, which may be in a private network; what that site's own documents
name besides may not. Redirections are not followed, proxies of the environment are not asked. Must
not know what is asked; neither a URL's query nor an answer reaches a log or an exception.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError

from tollbridge.core.sign_in_providers import SignInProvider
from tollbridge.identity.external_identity import Fault, Journey, ProviderFailed
from tollbridge.upstreams.addresses import dialable

ANSWER_MAX: Final = 1 << 20
_PHASE_S: Final = 10.0
_ADDRESSES_MAX: Final = 4
# Nobody sends us a body that grows when it is unpacked.
_HEADERS: Final = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "tollbridge",
}


class Wire:
    """The way to one site. `home`: an address of the configuration; its host may be private."""

    def __init__(self, home: str) -> None:
        self._home = urlsplit(home).hostname or ""

    async def read(self, url: str, token: str = "") -> Any:
        """Return the JSON that a GET brings; ProviderFailed for anything but a 200 with JSON."""
        headers = {"authorization": f"Bearer {token}"} if token else None
        try:
            async with httpx2.AsyncClient(**self._options()) as client:
                answer = await client.get(url, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError):
            raise ProviderFailed(Fault.UNREACHABLE) from None
        if answer.status_code != httpx2.codes.OK:
            raise ProviderFailed(Fault.ANSWER)
        try:
            return answer.json()
        except ValueError:
            raise ProviderFailed(Fault.ANSWER) from None

    async def address(self, site: SignInProvider, endpoint: str, scope: str, way: Journey) -> str:
        """Return where the browser goes: the code flow with PKCE (S256), state and nonce."""
        async with self._client(site, way, scope=scope) as client:
            url, _ = client.create_authorization_url(
                endpoint, state=way.state, code_verifier=way.code_verifier, nonce=way.nonce
            )
        return str(url)

    async def exchange(
        self, site: SignInProvider, endpoint: str, way: Journey, code: str, *, auth: str
    ) -> Mapping[str, Any]:
        """Return the tokens for a code; `auth` is how the client shows who it is.

        ProviderFailed when the site refuses or what it says is no token.
        """
        try:
            async with self._client(site, way, token_endpoint_auth_method=auth) as client:
                tokens: Mapping[str, Any] = await client.fetch_token(
                    endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=way.code_verifier,
                )
        except OAuthError:
            raise ProviderFailed(Fault.DECLINED) from None
        except httpx2.HTTPStatusError:
            raise ProviderFailed(Fault.ANSWER) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError):
            raise ProviderFailed(Fault.UNREACHABLE) from None
        except (ValueError, TypeError):
            raise ProviderFailed(Fault.ANSWER) from None
        if not isinstance(tokens.get("access_token"), str):
            raise ProviderFailed(Fault.ANSWER)
        return tokens

    def _client(self, site: SignInProvider, way: Journey, **more: Any) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            site.client_id,
            site.client_secret or None,
            redirect_uri=way.redirect_uri,
            code_challenge_method="S256",
            **self._options(),
            **more,
        )

    def _options(self) -> dict[str, Any]:
        return {
            "transport": _Guarded(self._home),
            "headers": _HEADERS,
            "trust_env": False,
            "follow_redirects": False,
            "timeout": _PHASE_S,
        }


class _Guarded(httpx2.AsyncBaseTransport):
    """Judges what is dialled, and reads at most ANSWER_MAX bytes of an answer."""

    def __init__(self, home: str) -> None:
        self._home = home
        self._inner = httpx2.AsyncHTTPTransport(verify=_trusted(), trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the first address that takes it."""
        name = request.url.host
        for address in await self._addresses(request.url):
            dialled = httpx2.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": name},
            )
            try:
                answer = await self._inner.handle_async_request(dialled)
            except httpx2.ConnectError:
                continue
            return await _whole(answer)
        raise httpx2.ConnectError("no address takes a connection")

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()

    async def _addresses(self, url: httpx2.URL) -> list[str]:
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                url.host, port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError):
            raise httpx2.ConnectError("a name that cannot be resolved") from None
        texts = dict.fromkeys(str(entry[4][0]) for entry in found)
        private = url.host == self._home
        allowed = [text for text in texts if dialable(ip_address(text), allow_private=private)]
        if not allowed:
            raise httpx2.ConnectError("an address that is never dialled")
        return allowed[:_ADDRESSES_MAX]


async def _whole(answer: httpx2.Response) -> httpx2.Response:
    body = bytearray()
    try:
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise httpx2.ReadError("an answer that is packed")
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > ANSWER_MAX:
                raise httpx2.ReadError("an answer that is too long")
    finally:
        await answer.aclose()
    return httpx2.Response(answer.status_code, headers=_plain(answer.headers), content=bytes(body))


def _plain(headers: httpx2.Headers) -> dict[str, str]:
    return {"content-type": headers.get("content-type", "")}


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()
