"""Owns signing in with GitHub, or an own server of it: OAuth with PKCE, then two questions to its API.

GitHub signs nothing, so the token it gives for the code is asked who it belongs to. Must not know of
browsers or users.
"""

from typing import Any, Final

from tollbridge.core.sign_in_providers import GITHUB, SignInProvider
from tollbridge.identity.external_identity import (
    Fault,
    Identity,
    Journey,
    ProviderFailed,
    as_object,
    identity_of,
)
from tollbridge.identity.external_wire import Wire

_API: Final = "https://api.github.com"
_SCOPES: Final = ("user:email",)


class GitHubProvider:
    """GitHub as a place to sign in."""

    def __init__(self, site: SignInProvider) -> None:
        self.site = site
        self._base = (site.issuer or GITHUB).rstrip("/")
        self._api = f"{self._base}/api/v3" if site.issuer else _API
        self._wire = Wire(self._base)

    async def address(self, way: Journey) -> str:
        """Return where the browser goes."""
        scope = " ".join(self.site.scopes or _SCOPES)
        endpoint = f"{self._base}/login/oauth/authorize"
        return await self._wire.address(self.site, endpoint, scope, way)

    async def identity(self, way: Journey, code: str, issuer: str) -> Identity:
        """Return who came back with a code, with the primary address; ProviderFailed otherwise.

        Its answers may name an issuer, which is no address that the configuration knows; each
        provider's answers come to a path of their own, which tells as much.
        """
        del issuer
        endpoint = f"{self._base}/login/oauth/access_token"
        tokens = await self._wire.exchange(
            self.site, endpoint, way, code, auth="client_secret_post"
        )
        token = tokens["access_token"]
        person = as_object(await self._wire.read(f"{self._api}/user", token))
        number = person.get("id")
        if isinstance(number, bool) or not isinstance(number, int):
            raise ProviderFailed(Fault.ANSWER)
        address, verified = _primary(await self._wire.read(f"{self._api}/user/emails", token))
        return identity_of(self.site.name, str(number), address, verified=verified)


def _primary(addresses: Any) -> tuple[Any, bool]:
    if not isinstance(addresses, list):
        raise ProviderFailed(Fault.ANSWER)
    for one in addresses:
        if isinstance(one, dict) and one.get("primary") is True:
            return one.get("email"), one.get("verified") is True
    return None, False
