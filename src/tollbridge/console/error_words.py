"""Owns what errors mean, in our words: one text for each kind, one line for each status. Pure data.

What to do about a kind stands in the catalogue itself (core/errors). Must not know the page.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tollbridge.core.errors import Advice, Kind
from tollbridge.web.forms import N_

MEANINGS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.KEY_MISSING: N_("The request came without a key, or with an empty one."),
        Kind.KEY_INVALID: N_("There is no such key: mistyped, cut off, deleted or replaced."),
        Kind.KEY_EXPIRED: N_("The last day of the key is over."),
        Kind.KEY_DISABLED: N_("The key was switched off by its owner or by an operator."),
        Kind.USER_SUSPENDED: N_("An operator has closed the account for the time being."),
        Kind.ROLE_FORBIDDEN: N_("The call needs a right that the account does not have."),
        Kind.IP_DENIED: N_("The key has a list of addresses, and this one is not on it."),
        Kind.VERIFICATION_REQUIRED: N_("The channel is for accounts that are tied to Telegram."),
        Kind.CLIENT_NOT_ALLOWED: N_("The channel's price is meant for one client, another called."),
        Kind.CHANNEL_DISABLED: N_("The operator has switched off the channel of the key."),
        Kind.SURFACE_NOT_ALLOWED: N_(
            "The channel speaks another protocol than the endpoint that was called."
        ),
        Kind.PIN_FORBIDDEN: N_("The call names a channel, which only keys with that right may do."),
        Kind.PIN_BAD_ID: N_("The call names a channel or account that there is not."),
        Kind.BALANCE_INSUFFICIENT: N_(
            "The balance, less what running calls reserve, is below the most that this call can cost."
        ),
        Kind.KEY_LIMIT_REACHED: N_(
            "All that may ever be spent with this key is spent or reserved."
        ),
        Kind.BUDGET_REACHED: N_("What may be spent in this day, week or month is used up."),
        Kind.MODEL_UNKNOWN: N_("No channel that the key can use sells a model of this exact name."),
        Kind.MODEL_NOT_ALLOWED: N_("The key has a list of models, and this one is not on it."),
        Kind.IMAGES_NOT_ENABLED: N_("The channel of the key makes no images."),
        Kind.MODEL_UNPRICED: N_("The model has no price, and nothing is given away by mistake."),
        Kind.NO_ACCOUNT: N_(
            "All accounts of the channel are resting or busy, or none has this model at the moment."
        ),
        Kind.RATE_LIMITED: N_(
            "More calls or tokens a minute, or calls at once, than the key, its user or the channel may"
            " have."
        ),
        Kind.PROVIDER_RATE_LIMITED: N_("The provider takes no more calls of this model right now."),
        Kind.UPSTREAM_FAILED: N_("The provider failed, and so did the tries with other accounts."),
        Kind.UPSTREAM_TIMEOUT: N_(
            "The provider did not begin to answer in the time that is allowed."
        ),
        Kind.UPSTREAM_BAD_REQUEST: N_(
            "The provider does not take the request as it is; its own words are passed on."
        ),
        Kind.INVALID_REQUEST: N_(
            "A field is missing, unknown, or has a value that cannot be used."
        ),
        Kind.CONTEXT_TOO_LONG: N_(
            "Messages, files and tools together exceed what the model takes."
        ),
        Kind.BODY_TOO_LARGE: N_("The request has more bytes than are taken at once."),
        Kind.NOT_FOUND: N_("There is no endpoint at this address, or not a thing of this id."),
        Kind.METHOD_NOT_ALLOWED: N_("The address is right, the method is not."),
        Kind.STREAM_BROKEN: N_(
            "The provider stopped in the middle of an answer. What had come until then was passed on."
        ),
        Kind.DRAINING: N_("The process that was asked is ending; another one takes over."),
        Kind.DATABASE_DOWN: N_("The books cannot be reached, and no call is taken without them."),
        Kind.INTERNAL: N_("Something went wrong on our side that should not."),
    }
)

GLANCE: Final[Mapping[int, Advice]] = MappingProxyType(
    {
        400: Advice(
            N_("The request cannot be used"),
            N_("A field or value that the model does not take"),
            N_("Mend the field that the message names"),
        ),
        401: Advice(
            N_("The key was not accepted"),
            N_("A wrong, incomplete or expired key"),
            N_("Copy the key again, whole and without spaces"),
        ),
        402: Advice(
            N_("Not enough money"),
            N_("The balance, a key's limit or a budget does not cover the call"),
            N_("Add credit, raise the limit, or ask for less output"),
        ),
        403: Advice(
            N_("Not permitted"),
            N_("A key that is disabled or restricted, or a channel for others"),
            N_("Look at the key's state and restrictions in the console"),
        ),
        404: Advice(
            N_("Not found"),
            N_("A wrong base URL, a missing or doubled /v1, or a model name that is not exact"),
            N_("Compare the base URL and the list of models"),
        ),
        405: Advice(
            N_("Wrong method"),
            N_("GET where POST is meant, or the other way round"),
            N_("Send generating calls as POST"),
        ),
        413: Advice(
            N_("Too large"),
            N_("Large attachments"),
            N_("Send fewer or smaller ones"),
        ),
        429: Advice(
            N_("Too many calls"),
            N_("A limit of calls or tokens a minute, or of calls at once"),
            N_("Wait as long as Retry-After says, then send fewer at once"),
        ),
        500: Advice(
            N_("Failure on our side"),
            N_("A fault that should not be"),
            N_("Try once more; then tell support the tid"),
        ),
        502: Advice(
            N_("The provider failed"),
            N_("A failure that trying other accounts did not mend"),
            N_("Try again with growing pauses, and look at the status page"),
        ),
        503: Advice(
            N_("Nobody can answer right now"),
            N_("Accounts that rest, a restart, or a model name that is not exact"),
            N_("Check the model's name, then try again and look at the status page"),
        ),
        504: Advice(
            N_("No answer in time"),
            N_("A long prompt, or a model that thinks for long"),
            N_("Shorten the prompt, stream, or use a faster model"),
        ),
    }
)
"""By status, for profiles that have no words of their own."""
