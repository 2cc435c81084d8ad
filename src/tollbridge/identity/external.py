"""Owns signing in with another site: which sites there are, a journey to one of them, and its deadline.

What ties a journey's end to its beginning is made of its state by keyed hashes and stored nowhere.
Must not know of browsers, users or what an identity may do here.
"""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final, Protocol

from tollbridge.core.secrets import Secrets
from tollbridge.core.sign_in_providers import SignInProvider
from tollbridge.identity.external_identity import Fault, Identity, Journey, ProviderFailed
from tollbridge.identity.github import GitHubProvider
from tollbridge.identity.openid import OpenIdProvider

DEADLINE_S: Final = 15.0
"""How long a browser waits for another site, all requests to it together."""
_CODE_MAX: Final = 4_096


class _Provider(Protocol):
    @property
    def site(self) -> SignInProvider: ...
    async def address(self, way: Journey) -> str: ...
    async def identity(self, way: Journey, code: str, issuer: str) -> Identity: ...


class Providers:
    """The sites of the settings, by name. Make it once: providers remember documents and keys."""

    def __init__(self, sites: Iterable[SignInProvider], *, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._by_name: dict[str, _Provider] = {
            site.name: GitHubProvider(site) if site.kind == "github" else OpenIdProvider(site)
            for site in sites
        }

    @property
    def names(self) -> frozenset[str]:
        """The names of all sites."""
        return frozenset(self._by_name)

    def site(self, name: str) -> SignInProvider | None:
        """Return what the settings say of a site; None when they say nothing."""
        provider = self._by_name.get(name)
        return provider.site if provider else None

    async def address(self, name: str, way: Journey) -> str:
        """Return where the browser goes to sign in; ProviderFailed when there is no way."""
        async with _within(self._deadline_s):
            return await self._by_name[name].address(way)

    async def identity(self, name: str, way: Journey, answer: Mapping[str, str]) -> Identity:
        """Return who came back with an answer (`code`, `error`, `iss`); ProviderFailed when nobody."""
        code = answer.get("code", "")
        if answer.get("error"):
            raise ProviderFailed(Fault.DECLINED)
        if not code or len(code) > _CODE_MAX or not code.isascii():
            raise ProviderFailed(Fault.ANSWER)
        async with _within(self._deadline_s):
            return await self._by_name[name].identity(way, code, answer.get("iss", ""))


@asynccontextmanager
async def _within(deadline_s: float) -> AsyncIterator[None]:
    """Bound all requests of one step together."""
    try:
        async with asyncio.timeout(deadline_s):
            yield
    except TimeoutError:
        raise ProviderFailed(Fault.UNREACHABLE) from None


def journey(secrets: Secrets, state: str, redirect_uri: str) -> Journey:
    """Return the journey that a state stands for: the same at its beginning and at its end."""
    return Journey(
        state=state,
        nonce=_derived(secrets, "external nonce", state),
        code_verifier=_derived(secrets, "external code verifier", state),
        redirect_uri=redirect_uri,
    )


def _derived(secrets: Secrets, domain: str, state: str) -> str:
    return urlsafe_b64encode(secrets.mark(domain, state)).decode().rstrip("=")
