"""Owns the access tokens of signed-in accounts: one look-up while fresh, one refresh when not.

One process has one refresh of an account under way, and its callers share it; one of all processes
has the lease of it in the database, and the others read what comes of that. A token is replaced
before it expires, and while it is good it serves, whatever became of its replacement. A refresh that
fails in passing is not tried again by anybody for ten minutes; one that cannot be mended takes the
account out of use. No token ever reaches a log, an error or an alarm.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.catalog.sealed import SEALING_TURN
from tollbridge.catalog.snapshot import Account, Snapshot
from tollbridge.catalog.token_rows import DISABLED_BY_US, TokenRow, keep_token, read_token
from tollbridge.core.clock import new_id, now_ms
from tollbridge.core.secrets import Secrets, SecretsError
from tollbridge.core.telemetry import get_logger
from tollbridge.notify.kinds import Kind
from tollbridge.relay.verdicts import Verdict
from tollbridge.storage import account_tokens
from tollbridge.storage.engine import DATABASE_ERRORS
from tollbridge.storage.unit_of_work import reading, take_turns, working, writing
from tollbridge.upstreams.dial import trust
from tollbridge.upstreams.failures import NoToken
from tollbridge.upstreams.oauth import REFRESH_S, Grant, Granted, RefreshFailed, refresh

OAUTH: Final = "oauth"
"""What `Account.auth` says of an account that signs in."""

QUARANTINE_MS: Final = 600_000
"""How long nobody tries again after a refresh failed in passing (architecture.md, "Account health")."""

AHEAD_MS: Final = 300_000
"""How long before its end a token is replaced; of a short-lived one, in the last fifth of its life."""

_AHEAD_PART: Final = 5
# Longer than a refresh lasts and its result is tried to be stored.
_LEASE_MS: Final = 45_000
# A lease whose holder died ends before that.
_WAIT_S: Final = 60.0
_LOOK_FIRST_S, _LOOK_MOST_S = 0.02, 0.5
_STORE_PAUSES_S: Final = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
_STOP_S: Final = REFRESH_S + 5.0
# What a row says of a token that was fetched because an upstream refused the one before.
_REFUSED: Final = "refused"
_TROUBLE: tuple[type[Exception], ...] = (*DATABASE_ERRORS, SecretsError)
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as a call uses it; `version` tells it from those before and after."""

    value: str = field(repr=False)
    version: int


class _Held:
    """What this process knows of an account's token. Times are milliseconds since 1970."""

    __slots__ = (
        "account", "ahead_ms", "expires_ms", "failure", "quarantined_until_ms", "refused",
        "seen_ms", "token",
    )  # fmt: skip

    def __init__(self, account: Account, row: TokenRow, at_ms: int) -> None:
        self.account = account
        self.token = Token(row.access, row.version)
        self.expires_ms = row.expires_ms if row.access else 0
        left_ms = max(self.expires_ms - at_ms, 0)
        self.ahead_ms = self.expires_ms - min(AHEAD_MS, left_ms // _AHEAD_PART)
        self.quarantined_until_ms = 0
        self.failure = row.failure
        self.seen_ms = at_ms
        self.refused = False

    def good(self, at_ms: int) -> bool:
        """Whether the token may be sent."""
        return at_ms < self.expires_ms and not self.refused


class Tokens:
    """The tokens of a process. For one event loop."""

    def __init__(
        self,
        engine: AsyncEngine,
        secrets: Secrets,
        snapshot: Callable[[], Snapshot],
        alarm: Callable[[Kind, str, str], None],
        *,
        clock: Callable[[], int] = now_ms,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        lease_ms: int = _LEASE_MS,
    ) -> None:
        """`clock` gives milliseconds since 1970; `alarm` tells operators without waiting."""
        self._engine = engine
        self._secrets = secrets
        self._snapshot = snapshot
        self._alarm = alarm
        self._clock = clock
        self._pause = pause
        self._lease_ms = lease_ms
        self._node = new_id()
        self._held: dict[int, _Held] = {}
        self._flights: dict[int, asyncio.Task[None]] = {}
        self._tls: ssl.SSLContext | None = None

    async def token(self, account: Account) -> Token:
        """Return a token that is good now; NoToken when there is none, with how long there will be none.

        Waits for a refresh only when there is no other way; one that comes too early is in the background.
        """
        held, now = self._held.get(account.id), self._clock()
        if (
            held is not None
            and held.account is account
            and now < held.ahead_ms
            and not held.refused
        ):
            return held.token
        held = self._known(account)
        if held is None or not held.good(now):
            if held is not None and held.quarantined_until_ms > now:
                raise self._none(held, now)
            await asyncio.shield(self._flight(account))
            held, now = self._known(account), self._clock()
            if held is None or not held.good(now):
                raise self._none(held, now)
        elif now >= held.ahead_ms and held.quarantined_until_ms <= now:
            self._flight(account)
        return held.token

    def refused(self, account: Account, token: Token) -> bool:
        """An upstream did not accept a token: let it be replaced, once.

        False when it had just been fetched for this very reason: then the token is not to blame.
        """
        held, now = self._held.get(account.id), self._clock()
        if held is None or held.token.version != token.version:
            return True
        if held.failure == _REFUSED and now - held.seen_ms < QUARANTINE_MS:
            return False
        held.refused = True
        if held.quarantined_until_ms <= now:
            self._flight(account)
        return True

    def judged(self, account: Account, token: Token | None, verdict: Verdict) -> Verdict:
        """Return a verdict that holds nothing against the account where its token is to blame.

        The token is replaced then; the call goes on elsewhere.
        """
        if verdict.unproven and token is not None and self.refused(account, token):
            return replace(verdict, effect=None)
        return verdict

    async def close(self) -> None:
        """Let what is under way end, so that a rotated token is stored; for some seconds at most."""
        flights = set(self._flights.values())
        if flights:
            _, late = await asyncio.wait(flights, timeout=_STOP_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _known(self, account: Account) -> _Held | None:
        """Return what is known of the account as it is now; nothing after an operator changed it."""
        held = self._held.get(account.id)
        if held is None or held.account is account:
            return held
        if held.account == account:
            # A new snapshot, in which this account is as before.
            held.account = account
            return held
        return None

    def _none(self, held: _Held | None, now: int) -> NoToken:
        return NoToken(max(held.quarantined_until_ms - now, 0) / 1000 if held is not None else 0.0)

    def _flight(self, account: Account) -> asyncio.Task[None]:
        """Return the refresh of the account that is under way, begun now if there is none."""
        task = self._flights.get(account.id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._renew(account), name="oauth")
            self._flights[account.id] = task
            task.add_done_callback(lambda _: self._flights.pop(account.id, None))
        return task

    async def _renew(self, account: Account) -> None:
        """Come to know a token that need not be replaced, or why there is none; raises nothing."""
        try:
            await self._agree(account)
        except _TROUBLE as error:
            _log.warning(
                "oauth token unknown", account=self._name(account), error=type(error).__name__
            )

    async def _agree(self, account: Account) -> None:
        """Read the row until it has what is needed, and refresh when it is ours to do."""
        look_s, waited_s = _LOOK_FIRST_S, 0.0
        while waited_s < _WAIT_S:
            async with reading(self._engine) as connection:
                row = await read_token(connection, self._secrets, account.id)
            if row is None:
                self._held.pop(account.id, None)
                return
            held, now = self._adopt(account, row), self._clock()
            if (held.good(now) and now < held.ahead_ms) or held.quarantined_until_ms > now:
                return
            if not row.refresh:
                await self._dead(account, row, "no_refresh_token")
                return
            if not row.held and await self._lease(row):
                await self._refresh(account, row, was_refused=held.refused)
                return
            await self._pause(look_s)
            waited_s += look_s
            look_s = min(look_s * 2, _LOOK_MOST_S)
        _log.warning("oauth token awaited in vain", account=self._name(account))

    def _adopt(self, account: Account, row: TokenRow) -> _Held:
        """Know what a row says; of a token known before only what may have changed."""
        held = self._known(account)
        if held is None or held.token.version != row.version:
            held = self._held[account.id] = _Held(account, row, self._clock())
        until_ms = row.quarantined_until_ms
        # Void when an operator said since that the account is well.
        held.quarantined_until_ms = (
            until_ms if account.recovered_ms <= until_ms - QUARANTINE_MS else 0
        )
        held.failure = row.failure
        return held

    async def _lease(self, row: TokenRow) -> bool:
        async with working(self._engine) as connection:
            return await account_tokens.lease(
                connection,
                row.account_id,
                row.version,
                holder=self._node,
                for_ms=self._lease_ms,
                # As it was read: one that came since is respected.
                at_ms=max(self._clock(), row.quarantined_until_ms),
            )

    async def _refresh(self, account: Account, row: TokenRow, *, was_refused: bool) -> None:
        if self._tls is None:
            self._tls = trust()
        grant = Grant(
            token_url=row.token_url,
            client_id=row.client_id,
            client_secret=row.client_secret,
            scope=row.scope,
            style=row.style,
            refresh=row.refresh,
            proxy=account.proxy,
            allow_private=self._snapshot().site.allow_private_upstreams,
        )
        try:
            granted = await refresh(grant, self._tls)
        except RefreshFailed as failed:
            if failed.dead:
                await self._dead(account, row, failed.word)
            else:
                await self._quarantine(account, row, failed.word)
            return
        await self._keep(account, row, granted, _REFUSED if was_refused else "")

    async def _keep(self, account: Account, row: TokenRow, granted: Granted, failure: str) -> None:
        """Store what came, trying again while the database is away: it may be there only once."""
        expires_ms = self._clock() + granted.lifetime_s * 1000
        for pause_s in (*_STORE_PAUSES_S, None):
            try:
                async with working(self._engine) as connection:
                    # Sealed within the turn, so that no key is dropped in between.
                    await take_turns(connection, SEALING_TURN)
                    stored = await keep_token(
                        connection,
                        self._secrets,
                        row,
                        access=granted.access,
                        refresh=granted.refresh,
                        expires_ms=expires_ms,
                        failure=failure,
                    )
                break
            except _TROUBLE:
                if pause_s is None:
                    # Good for this process at least; what it was rotated into is lost.
                    kept = replace(row, access=granted.access, expires_ms=expires_ms)
                    self._held[account.id] = _Held(account, kept, self._clock())
                    raise
                await self._pause(pause_s)
        if not stored:
            _log.info("oauth token came too late", account=self._name(account))
        await self._read_again(account)

    async def _quarantine(self, account: Account, row: TokenRow, word: str) -> None:
        until_ms = self._clock() + QUARANTINE_MS
        async with working(self._engine) as connection:
            ours = await account_tokens.quarantine(
                connection, row.account_id, row.version, until_ms=until_ms, failure=word
            )
        if ours:
            self._tell(account, word, f"quarantined for ten minutes: {word}")
        await self._read_again(account)

    async def _dead(self, account: Account, row: TokenRow, word: str) -> None:
        async with writing(self._engine) as connection:
            ours = await account_tokens.disable(
                connection,
                row.account_id,
                row.version,
                failure=word,
                reason=f"{DISABLED_BY_US}{word}",
            )
            if not ours:
                await connection.rollback()
        if not ours:
            await self._read_again(account)
            return
        self._tell(account, word, f"disabled, somebody has to sign in again: {word}")
        held = self._adopt(account, row)
        # Until the snapshot without it comes.
        held.refused = True
        held.quarantined_until_ms = self._clock() + QUARANTINE_MS

    async def _read_again(self, account: Account) -> None:
        async with reading(self._engine) as connection:
            row = await read_token(connection, self._secrets, account.id)
        if row is not None:
            self._adopt(account, row)

    def _tell(self, account: Account, word: str, detail: str) -> None:
        name = self._name(account)
        _log.warning("oauth refresh failed", account=name, reason=word)
        self._alarm(Kind.ACCOUNT_DISABLED, name, f"sign-in {detail}")

    def _name(self, account: Account) -> str:
        channel = self._snapshot().channels.get(account.channel_id)
        return f"{channel.name if channel is not None else account.channel_id}/{account.name}"
