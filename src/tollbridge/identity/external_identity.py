"""Owns the values of signing in with another site: a journey there, who comes back, what went wrong.

Must not know any protocol. Nothing here ever has a provider's own words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

_SUBJECT_MAX: Final = 255
_EMAIL_MAX: Final = 254


class Fault(StrEnum):
    """Why a journey ended without an identity."""

    UNREACHABLE = "unreachable"
    """No answer, or none in time."""
    ANSWER = "answer"
    """An answer that nobody can use."""
    DECLINED = "declined"
    """The site, or the person there, said no."""
    TOKEN = "token"  # noqa: S105 -- a word for a fault
    """What the site signed is not for us, not for now, or not by it."""
    ISSUER = "issuer"
    """The answer comes from another site than the one that was asked."""


class ProviderFailed(Exception):
    """There is no identity. `fault` says why, in words of our own."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Journey:
    """One visit to another site: what ties its end to its beginning, and where it ends."""

    state: str
    nonce: str
    code_verifier: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is at another site. `email` is "" when the site told none.

    `verified`: the site says that the address is the person's.
    """

    provider: str
    subject: str
    email: str
    verified: bool

    @property
    def domain(self) -> str:
        """The address's domain, lower case."""
        return self.email.rpartition("@")[2].lower()


def identity_of(provider: str, subject: Any, email: Any, *, verified: bool) -> Identity:
    """Return the identity in a site's answer; ProviderFailed for a subject that is none.

    An address that is none counts as not told.
    """
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_MAX:
        raise ProviderFailed(Fault.ANSWER)
    if not subject.isascii() or not subject.isprintable():
        raise ProviderFailed(Fault.ANSWER)
    address = email.strip() if isinstance(email, str) else ""
    plausible = address.count("@") == 1 and len(address) <= _EMAIL_MAX and address.isprintable()
    if not plausible:
        return Identity(provider, subject, "", verified=False)
    return Identity(provider, subject, address, verified)


def is_true(claim: Any) -> bool:
    """Tell whether a claim says yes; some sites write it as a text."""
    return claim is True or claim == "true"


def as_object(answer: Any) -> Mapping[str, Any]:
    """Return an answer that must be a JSON object; ProviderFailed when it is none."""
    if not isinstance(answer, dict):
        raise ProviderFailed(Fault.ANSWER)
    return answer
