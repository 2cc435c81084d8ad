"""Owns how another site to sign in with is named in the settings: its fields, bounds and defaults.

Must not know how anybody signs in there.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_settings import NoDecode

GITHUB: Final = "https://github.com"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_MOST: Final = 16

_Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]


class SignInProvider(BaseModel):
    """A site to sign in with. `name` is part of our paths and of the ids of people: never change it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    kind: Literal["oidc", "github"]
    title: str = Field("", max_length=64)
    """What people call it; empty: the name."""
    issuer: str = Field("", max_length=500)
    """Of OpenID Connect, as the site itself writes it; of GitHub only an own server's address."""
    client_id: _Word
    client_secret: str = Field("", max_length=1000, repr=False)
    """Empty: the site knows us as a public client, which PKCE alone protects."""
    scopes: tuple[_Word, ...] = Field((), max_length=32)
    """Empty: what is needed, which is the e-mail address."""
    allowed_domains: tuple[_Word, ...] = Field((), max_length=1000)
    """Domains of verified addresses that may come in; empty: all."""

    @property
    def shown(self) -> str:
        """What people call it."""
        return self.title or self.name

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.kind == "github" and not self.client_secret:
            raise ValueError("client_secret: GitHub needs one")
        if self.kind == "github" and not self.issuer:
            return self
        parts = urlsplit(self.issuer)
        own_machine = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if not parts.hostname or not (parts.scheme == "https" or own_machine):
            raise ValueError("issuer: must be like https://login.example.com")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("issuer: must have neither user, query nor fragment")
        return self


def _read(given: Any) -> Any:
    """Return what a variable says, which is JSON; what a file says is read already."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        raise ValueError("must be JSON: a list of objects") from None


def _distinct(providers: Sequence[SignInProvider]) -> Sequence[SignInProvider]:
    names = [provider.name for provider in providers]
    if len(set(names)) < len(names):
        raise ValueError("each needs a name of its own")
    return providers


SignInProviders = Annotated[
    tuple[SignInProvider, ...],
    Field(max_length=_MOST),
    NoDecode,
    BeforeValidator(_read),
    AfterValidator(_distinct),
]
