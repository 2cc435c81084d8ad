"""Owns how a carrier stands in Gemini's `thoughtSignature`, and which one stands for none.

The field is bytes in base64, and Google's SDKs decode it; so another vendor's sealed carrier is put
there in base64 once more (protocols.md 5.7). Must not know parts or conversations.
"""

from base64 import b64encode, urlsafe_b64decode
from binascii import Error as Base64Error
from typing import Final

import msgspec

from tollbridge.protocols.carriers import opened, sealed
from tollbridge.protocols.conversation import Carrier, Vendor

NO_SIGNATURE: Final = b64encode(b"skip_thought_signature_validator").decode()
"""What Gemini 3 takes for a call of another vendor's model, which it did not sign."""

_REDACTED: Final = "redacted"
# Three bytes are four characters of base64, whatever follows.
_SEALED_START: Final = b64encode(sealed(Carrier(Vendor.GEMINI, ""))[:3].encode()).decode()


def signature_of(carrier: Carrier, *, redacted: bool = False) -> str:
    """Return the thoughtSignature that stands for a carrier; Gemini's own is its payload."""
    if carrier.vendor is Vendor.GEMINI:
        return carrier.payload
    if redacted and carrier.item_id is None:
        carrier = msgspec.structs.replace(carrier, item_id=_REDACTED)
    return b64encode(sealed(carrier).encode()).decode()


def carrier_of(signature: str) -> tuple[Carrier, bool]:
    """Return the carrier behind a thoughtSignature, and whether it is of redacted reasoning."""
    if signature.startswith(_SEALED_START):
        try:
            # Some SDKs write the other alphabet, and leave the padding out.
            text = signature.translate(_URL_SAFE).rstrip("=")
            inner = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        except (Base64Error, ValueError):
            return Carrier(Vendor.GEMINI, signature), False
        carrier = opened(inner)
        if carrier is not None:
            if carrier.vendor is Vendor.ANTHROPIC and carrier.item_id == _REDACTED:
                return msgspec.structs.replace(carrier, item_id=None), True
            return carrier, False
    return Carrier(Vendor.GEMINI, signature), False


_URL_SAFE: Final = str.maketrans("+/", "-_")
