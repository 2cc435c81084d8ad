"""Owns who reads: the key of an API request, checked by the same rules as a metered call's.

A key that has nothing left to spend may read. Must not know what is read.
"""

from typing import Annotated

from fastapi import Depends, Request

from tollbridge.api.answers import headers_of, services_of
from tollbridge.core.clock import now_ms
from tollbridge.identity.keys import KeyRecord
from tollbridge.identity.presented import authenticate, check_key


async def caller(request: Request) -> KeyRecord:
    """Return the key that asks; ApiError when there is none or it must not be used."""
    scope = request.scope
    keys = services_of(request).keys
    key = await authenticate(headers_of(request), scope["query_string"], keys)
    client = scope.get("client")
    check_key(key, client[0] if client else "", now_ms())
    return key


Caller = Annotated[KeyRecord, Depends(caller)]
