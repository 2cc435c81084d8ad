"""Owns what lines of a wallet are called on pages, by their kind and reference.

The same for users and operators. Must not know whose wallet it is.
"""

from typing import Final

from tollbridge.billing.credit_kinds import kind_of
from tollbridge.core.language import N_

KIND_TEXTS: Final = {
    "grant": N_("Credit"),
    "adjustment": N_("Adjustment"),
    "order": N_("Payment"),
    "bonus": N_("Bonus"),
    "rebate": N_("Rebate"),
    "code": N_("Redeemed code"),
    "reversal": N_("Charge given back"),
    "expiry": N_("Credit expired"),
    "refund": N_("Refund"),
    "chargeback": N_("Chargeback"),
    "correction": N_("Correction"),
    "charges": N_("Calls of the day"),
}


def text_of(kind: str, ref: str) -> str:
    """Return a msgid for a line or a lot; a kind of a later version says its own name."""
    found = kind_of(kind, ref)
    return KIND_TEXTS.get(found, found)
