"""Owns signing in with any OpenID Connect provider: discovery, the code flow, who comes back.

Must not know of browsers or users.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from joserfc.jwk import KeySet

from tollbridge.core.clock import monotonic_ms, now_ms
from tollbridge.core.sign_in_providers import SignInProvider
from tollbridge.identity.external_identity import (
    Fault,
    Identity,
    Journey,
    ProviderFailed,
    as_object,
    identity_of,
    is_true,
)
from tollbridge.identity.external_wire import Wire
from tollbridge.identity.id_token import UnknownKey, claims_of, keys_in

_DISCOVERY: Final = "/.well-known/openid-configuration"
_SCOPES: Final = ("openid", "email")
_FRESH_MS: Final = 3_600_000
_URL_MAX: Final = 2_000
_PLAIN: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What a provider's discovery document says. `auth` is how a client with a secret shows it."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    auth: str
    names_itself: bool
    read_ms: int


class OpenIdProvider:
    """One provider. Keeps its document and its keys for an hour."""

    def __init__(self, site: SignInProvider) -> None:
        self.site = site
        self._wire = Wire(site.issuer)
        self._endpoints: Endpoints | None = None
        self._keys: KeySet | None = None

    async def address(self, way: Journey) -> str:
        """Return where the browser goes; ProviderFailed when the provider cannot be read."""
        endpoints = await self._discovered()
        scopes = dict.fromkeys(("openid", *(self.site.scopes or _SCOPES)))
        return await self._wire.address(self.site, endpoints.authorization, " ".join(scopes), way)

    async def identity(self, way: Journey, code: str, issuer: str) -> Identity:
        """Return who came back with a code; `issuer` is what the answer names itself, "" for nothing.

        ProviderFailed when that is not beyond doubt.
        """
        endpoints = await self._discovered()
        if (issuer or endpoints.names_itself) and issuer != self.site.issuer:
            raise ProviderFailed(Fault.ISSUER)
        auth = endpoints.auth if self.site.client_secret else "none"
        tokens = await self._wire.exchange(self.site, endpoints.token, way, code, auth=auth)
        claims = await self._claims(endpoints, tokens, way)
        if "email" not in claims and endpoints.userinfo:
            claims = await self._told(endpoints, tokens, claims)
        verified = is_true(claims.get("email_verified"))
        return identity_of(self.site.name, claims["sub"], claims.get("email"), verified=verified)

    async def _discovered(self) -> Endpoints:
        known = self._endpoints
        if known is None or monotonic_ms() - known.read_ms > _FRESH_MS:
            url = self.site.issuer.rstrip("/") + _DISCOVERY
            known = _endpoints(self.site.issuer, as_object(await self._wire.read(url)))
            self._endpoints, self._keys = known, None
        return known

    async def _claims(
        self, endpoints: Endpoints, tokens: Mapping[str, Any], way: Journey
    ) -> Mapping[str, Any]:
        """Return the claims; keys are read anew, once, when the token names one that is not known."""
        if self._keys is not None:
            try:
                return self._checked(self._keys, tokens, way)
            except UnknownKey:
                pass
        self._keys = keys_in(as_object(await self._wire.read(endpoints.keys)))
        try:
            return self._checked(self._keys, tokens, way)
        except UnknownKey:
            raise ProviderFailed(Fault.TOKEN) from None

    def _checked(self, keys: KeySet, tokens: Mapping[str, Any], way: Journey) -> Mapping[str, Any]:
        return claims_of(
            tokens.get("id_token"),
            keys,
            issuer=self.site.issuer,
            client_id=self.site.client_id,
            nonce=way.nonce,
            access_token=tokens["access_token"],
            at_s=now_ms() // 1000,
        )

    async def _told(
        self, endpoints: Endpoints, tokens: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        told = as_object(await self._wire.read(endpoints.userinfo, tokens["access_token"]))
        if told.get("sub") != claims["sub"]:
            # What was answered is about somebody else.
            raise ProviderFailed(Fault.TOKEN)
        return {
            **claims,
            "email": told.get("email"),
            "email_verified": told.get("email_verified"),
        }


def _endpoints(issuer: str, document: Mapping[str, Any]) -> Endpoints:
    if document.get("issuer") != issuer:
        raise ProviderFailed(Fault.ISSUER)
    offered = document.get("token_endpoint_auth_methods_supported")
    in_body = isinstance(offered, list) and "client_secret_post" in offered
    return Endpoints(
        authorization=_url(issuer, document.get("authorization_endpoint")),
        token=_url(issuer, document.get("token_endpoint")),
        keys=_url(issuer, document.get("jwks_uri")),
        userinfo=_url(issuer, document["userinfo_endpoint"])
        if "userinfo_endpoint" in document
        else "",
        # In the body there is one way to write a secret with odd characters.
        auth="client_secret_post" if in_body else "client_secret_basic",
        names_itself=is_true(document.get("authorization_response_iss_parameter_supported")),
        read_ms=monotonic_ms(),
    )


def _url(issuer: str, url: Any) -> str:
    """Return an endpoint; by plain http only where the configuration names such a place itself."""
    if not isinstance(url, str) or len(url) > _URL_MAX or not _PLAIN.fullmatch(url):
        raise ProviderFailed(Fault.ANSWER)
    try:
        there, home = urlsplit(url), urlsplit(issuer)
    except ValueError:
        raise ProviderFailed(Fault.ANSWER) from None
    plain = there.scheme == home.scheme == "http" and there.hostname == home.hostname
    if not there.hostname or "@" in there.netloc or not (there.scheme == "https" or plain):
        raise ProviderFailed(Fault.ANSWER)
    return url
