"""Owns the parameters by which calls are asked for over the API, and what they ask for. Pure.

Lists add their pages to them. Must not know how calls are found, nor what is shown of them.
"""

from typing import Annotated, Any

from pydantic import Field

from tollbridge.api.admin.fields import GivenMoment, GivenUsd, Parameters, PlainText
from tollbridge.billing.usage_page import Asked

_NAME_MAX = 256
Name = Annotated[PlainText, Field(min_length=1, max_length=_NAME_MAX)]


class CallFilters(Parameters):
    """What anybody may ask of calls; all filters hold together."""

    model: Name | None = Field(None, description="As asked for.")
    status_class: int | None = Field(None, ge=1, le=5, description="The first digit of the status.")
    since: GivenMoment | None = Field(None, description="Begun then or later.")
    until: GivenMoment | None = Field(None, description="Begun before then.")

    def narrowed(self) -> dict[str, Any]:
        """Return fields of `storage.call_search.Narrowed`."""
        return {
            "model": self.model,
            "status_class": self.status_class,
            "from_ms": self.since,
            "until_ms": self.until,
        }


class UsageFilters(CallFilters):
    """What users ask of their own calls. Keys and channels go by their names of today."""

    key: Name | None = None
    channel: Name | None = None
    min_charge: GivenUsd | None = None

    def asked(self) -> Asked:
        """Return which calls these are."""
        charge = self.min_charge
        return Asked(key=self.key, channel=self.channel, min_charge=charge, **self.narrowed())
