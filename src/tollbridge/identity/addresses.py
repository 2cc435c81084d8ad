"""Owns which e-mail addresses are one person's, and which may sign up. Pure.

Many providers deliver a+b@c to a@c; Gmail also ignores dots and has a second name. An address is
always written to as it was typed: the folded form is for comparing, never for sending. Must not know
who has an account.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from tollbridge.identity.users import normalised_email

GMAIL: Final = "gmail.com"
GMAIL_DOMAINS: Final = (GMAIL, "googlemail.com")

Refusal = Literal["alias", "domain"]


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may sign up: domains in lower case, no allowed ones = all; and what aliases are."""

    allowed: Collection[str]
    blocked: Collection[str]
    aliases: str

    @property
    def folds(self) -> bool:
        """Whether an alias of an address never gets an account beside it."""
        return self.aliases != "allow"


def folded(email: str) -> str:
    """Return the form that all aliases of an address share; folding twice changes nothing."""
    local, domain = _parts(email)
    base = local.partition("+")[0] or local
    if domain in GMAIL_DOMAINS:
        return f"{base.replace('.', '') or base}@{GMAIL}"
    return f"{base}@{domain}"


def is_tagged(email: str) -> bool:
    """Tell whether an address is an alias by its form: something before a plus, and a tag after."""
    return _parts(email)[0].find("+") > 0


def refusal(email: str, rules: Rules) -> Refusal | None:
    """Return why an address may not sign up, None when it may. Whether it has an account is no reason.

    A blocked domain blocks those below it too; an allowed one allows itself alone.
    """
    domain = _parts(email)[1]
    if rules.allowed and domain not in rules.allowed:
        return "domain"
    if any(domain == blocked or domain.endswith(f".{blocked}") for blocked in rules.blocked):
        return "domain"
    return "alias" if rules.aliases == "refuse" and is_tagged(email) else None


def _parts(email: str) -> tuple[str, str]:
    local, _, domain = normalised_email(email).rpartition("@")
    return local, domain
