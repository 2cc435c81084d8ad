"""Owns who may go on from a stored response, and at which account: that which made it, for its user.

The vendor keeps responses for an account, and many customers share one. So nothing of what a vendor
keeps is reached but by the user whose call made it; to everybody else it does not exist.
"""

import re
from collections.abc import Callable
from typing import Final, cast

from tollbridge.catalog.snapshot import Account
from tollbridge.core.errors import ApiError, Kind, Surface
from tollbridge.protocols.json_peek import FieldError, PeekError, TopLevel, peek
from tollbridge.protocols.responses import ResponsesAsk
from tollbridge.protocols.token_counts import CountAsk
from tollbridge.relay.call import Call
from tollbridge.storage.bindings import Bindings

RESPONSE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
"""What can be a response's id: it becomes a segment of the upstream's path."""

_PREVIOUS: Final = "previous_response_id"
_DOMAIN: Final = "response"


class Bound:
    """Binds responses to their users and accounts."""

    def __init__(self, bindings: Bindings, mark: Callable[[str, str], bytes]) -> None:
        """`mark` turns a domain and a text into a keyed hash."""
        self._bindings = bindings
        self._mark = mark

    async def follow(self, call: Call) -> None:
        """Send a call that goes on from a response to the account that has it, and nowhere else.

        Raises ApiError invalid_request for a response that is unknown or not this user's.
        """
        if call.dialect.surface is not Surface.RESPONSES:
            return
        previous = cast("ResponsesAsk | CountAsk", call.ask).previous_response_id
        if previous is None:
            return
        account_id = await self.account_id(call.key.user_id, previous)
        elsewhere = call.only_account not in {None, account_id}
        if elsewhere or not any(account.id == account_id for account in call.channel.accounts):
            raise _previous_unknown(previous)
        call.only_account = account_id

    async def keep(self, call: Call, response_id: str) -> None:
        """Remember who has the response that a call has made, if its vendor keeps it."""
        account = call.account
        if account is not None and _is_kept(call, account) and RESPONSE_ID.fullmatch(response_id):
            await self._bindings.bind(self._of(call.key.user_id, response_id), account.id)

    async def keep_whole(self, call: Call, body: bytes) -> None:
        """Do so for the response in a whole answer."""
        account = call.account
        if account is None or not _is_kept(call, account):
            return
        try:
            top = peek(body)
            if top.raw("object") == b'"response"':
                await self.keep(call, top.text("id") or "")
        except (PeekError, FieldError):
            return

    async def account_id(self, user_id: int, response_id: str) -> int | None:
        """Return which account has a user's response; None where it is unknown, or another user's."""
        if RESPONSE_ID.fullmatch(response_id) is None:
            return None
        return await self._bindings.account(self._of(user_id, response_id))

    async def release(self, user_id: int, response_id: str) -> None:
        """Forget a response that is no more."""
        await self._bindings.release(self._of(user_id, response_id))

    def _of(self, user_id: int, response_id: str) -> bytes:
        return self._mark(_DOMAIN, f"{user_id}\0{response_id}")


def speaks_responses(account: Account) -> bool:
    """Say whether an account's upstream is OpenAI itself, the only one to keep responses."""
    return account.platform == "openai" and not account.compatible


def _is_kept(call: Call, account: Account) -> bool:
    if not isinstance(call.ask, ResponsesAsk) or not speaks_responses(account):
        return False
    return cast("TopLevel", call.source).raw("store") != b"false"


def _previous_unknown(previous: str) -> ApiError:
    named = f" with id '{previous}'" if RESPONSE_ID.fullmatch(previous) else ""
    return ApiError(
        Kind.INVALID_REQUEST,
        f"Previous response{named} not found.",
        code="previous_response_not_found",
        param=_PREVIOUS,
    )
