"""Owns what makes an id_token good: signed by a key of its issuer, for us, for this journey, for now.

Only signatures by key pairs count: `none`, and HMACs with anything at all, are never taken, so that a
published key can be nobody's secret. Must not know where keys come from.
"""

from collections.abc import Mapping
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet

from tollbridge.identity.external_identity import Fault, ProviderFailed

ALGORITHMS: Final = tuple(
    f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)
)
_KINDS: Final = ("RSA", "EC")
_KEYS_MAX: Final = 64
_TOKEN_MAX: Final = 65_536
_LEEWAY_S: Final = 60
_DAMAGED: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError)


class UnknownKey(Exception):
    """The token names a key that is not among those that are known."""


def keys_in(document: Mapping[str, Any]) -> KeySet:
    """Return the keys in a JWKS that can sign; damaged ones and those of other kinds are passed over.

    ProviderFailed when it is no JWKS.
    """
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > _KEYS_MAX:
        raise ProviderFailed(Fault.ANSWER)
    keys = []
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("kty") not in _KINDS:
            continue
        if entry.get("use", "sig") != "sig":
            continue
        try:
            keys.append(JWKRegistry.import_key(entry))
        except _DAMAGED:
            continue
    return KeySet(keys)


def claims_of(
    token: Any,
    keys: KeySet,
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str,
    at_s: int,
) -> Mapping[str, Any]:
    """Return the claims of a good token; `at_s` is now, in seconds since 1970.

    UnknownKey when its key is not known, ProviderFailed for everything else that is wrong with it.
    """
    if not isinstance(token, str) or len(token) > _TOKEN_MAX:
        raise ProviderFailed(Fault.ANSWER)
    try:
        if jws.extract_compact(token.encode()).headers().get("alg") not in ALGORITHMS:
            raise ProviderFailed(Fault.TOKEN)
        read = jwt.decode(token, keys, algorithms=ALGORITHMS)
        claims = CodeIDToken(
            read.claims,
            read.header,
            {
                "iss": {"essential": True, "value": issuer},
                "aud": {"essential": True, "value": client_id},
            },
            {"nonce": nonce, "client_id": client_id, "access_token": access_token},
        )
        claims.validate(at_s, _LEEWAY_S)
    except InvalidKeyIdError:
        raise UnknownKey from None
    except _DAMAGED:
        raise ProviderFailed(Fault.TOKEN) from None
    return dict(claims)
