"""Owns how one vendor's opaque value travels through another protocol, and is known again.

A signature or encrypted reasoning that a client's protocol has only a foreign place for is put there
in an envelope with a tag. What comes back without our tag belongs to nobody we know and is
dropped (protocols.md 5.7). An envelope is not a secret: vendors check their own values.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

import msgspec

from tollbridge.protocols.conversation import Carrier, Vendor

_TAG = "tbr1."


def sealed(carrier: Carrier) -> str:
    """Return the text that stands for a carrier in another vendor's field."""
    fields = (carrier.vendor.value, carrier.payload, carrier.item_id)
    return _TAG + urlsafe_b64encode(msgspec.json.encode(fields)).decode().rstrip("=")


def opened(text: str) -> Carrier | None:
    """Return the carrier behind such a text, None for any other text."""
    if not text.startswith(_TAG):
        return None
    inner = text[len(_TAG) :]
    try:
        raw = urlsafe_b64decode(inner + "=" * (-len(inner) % 4))
        vendor, payload, item_id = msgspec.json.decode(raw, type=tuple[Vendor, str, str | None])
    except (Base64Error, ValueError, msgspec.DecodeError):
        return None
    return Carrier(vendor, payload, item_id)


def native(text: str, vendor: Vendor, item_id: str | None = None) -> Carrier:
    """Return what stands in a vendor's own field: an envelope of ours, else the vendor's own value."""
    return opened(text) or Carrier(vendor, text, item_id)
