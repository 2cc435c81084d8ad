"""Owns the test of one account: the smallest real call to it, made now, for an operator to see.

It goes the way of calls (native errand, own headers, token, HTTP client) but belongs to nobody: no
hold, no usage row, no metric. A success recovers the account in every process; a failure changes
nothing. What comes back is free of credentials and addresses.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.catalog.finding import Finding, ProbeRuns
from tollbridge.catalog.loader import load_snapshot
from tollbridge.catalog.snapshot import Account, Channel, Model, Snapshot
from tollbridge.core.clock import new_tid, now_ms
from tollbridge.core.errors import clean_upstream_message
from tollbridge.core.secrets import Secrets
from tollbridge.core.websocket import Socket
from tollbridge.protocols.answer import Identity
from tollbridge.relay.call import Call
from tollbridge.relay.dialects import Errand, Task
from tollbridge.relay.exchange import HeadFacts, Watcher
from tollbridge.relay.outbound import Outbound
from tollbridge.relay.overrides import override, own_lines
from tollbridge.relay.question import Question, question
from tollbridge.relay.routes import match
from tollbridge.relay.tokens import OAUTH, Token, Tokens
from tollbridge.relay.verdicts import Verdict, of_complaint, of_empty, of_failure, of_status
from tollbridge.storage import account_states
from tollbridge.storage.unit_of_work import writing
from tollbridge.upstreams.call import Reply
from tollbridge.upstreams.complaints import read_complaint
from tollbridge.upstreams.failures import UpstreamFailure
from tollbridge.upstreams.http1 import Http1Client
from tollbridge.upstreams.limits import Deadlines
from tollbridge.upstreams.platforms import PLATFORMS
from tollbridge.upstreams.resets import reset_s
from tollbridge.upstreams.target import Target

WAIT_S: Final = 15.0
_DEADLINES: Final = Deadlines(WAIT_S, WAIT_S, WAIT_S, WAIT_S)
_REPLY_MAX: Final = 1024 * 1024
_OK: Final = 200
_TOO_MANY: Final = 429
# Shorter values of own headers are no credentials, and words of every text.
_SECRET_MIN: Final = 8


class Probe:
    """Tests accounts, each by one call at a time. For one event loop."""

    def __init__(
        self, engine: AsyncEngine, secrets: Secrets, client: Http1Client, tokens: Tokens
    ) -> None:
        self._engine = engine
        self._secrets = secrets
        self._client = client
        self._tokens = tokens
        self._loop = asyncio.get_running_loop()
        self._running: set[int] = set()

    async def test(self, account_id: int, model: str | None = None) -> Finding | None:
        """Test an account, one that is out of use as well; None when there is none with a credential.

        ProbeRuns when a test of it runs, ValueError for a model that its channel does not sell,
        SecretsError and database errors as they come.
        """
        if account_id in self._running:
            raise ProbeRuns
        self._running.add(account_id)
        try:
            snapshot = await load_snapshot(self._engine, self._secrets, also=account_id)
            found = _find(snapshot, account_id)
            if found is None:
                return None
            channel, account = found
            finding = await self._ask(snapshot, channel, account, model)
            if finding.ok:
                async with writing(self._engine) as connection:
                    await account_states.recover(connection, account_id)
            return finding
        finally:
            self._running.discard(account_id)

    async def _ask(
        self, snapshot: Snapshot, channel: Channel, account: Account, model: str | None
    ) -> Finding:
        asked = question(snapshot, channel, account, model)
        sent = account.sent(asked.name) if asked.model else ""
        attempt = _Attempt(snapshot, account, asked)
        started = self._loop.time()
        token, reply = None, None
        try:
            if account.auth == OAUTH:
                token = await self._tokens.token(account)
            target = Target.parse(
                account.base_url, account.proxy or None, snapshot.site.allow_private_upstreams
            )
            reply = await self._client.fetch(
                target, attempt.head(token), attempt.body, _DEADLINES, _REPLY_MAX
            )
        except UpstreamFailure as failure:
            verdict: Verdict | None = of_failure(failure)
        else:
            verdict = attempt.judged(reply)
        if verdict is not None and account.auth == OAUTH:
            verdict = self._tokens.judged(account, token, verdict)
        took_ms = int((self._loop.time() - started) * 1000)
        status = reply.status if reply is not None else None
        facts = (status, took_ms, attempt.path, asked.name, sent)
        if verdict is None:
            return Finding("ok", *facts)
        said = _clean(read_complaint(reply.body).message, account, token) if reply else ""
        effect = verdict.effect
        if effect is None:
            return Finding(verdict.outcome, *facts, said=said)
        held = (effect.trouble.value, effect.scope.value, effect.for_s)
        return Finding(verdict.outcome, *facts, *held, said)


class _Attempt:
    """A question as one account's upstream gets it, and what its answer means."""

    def __init__(self, snapshot: Snapshot, account: Account, asked: Question) -> None:
        self._account = account
        self._snapshot = snapshot
        self._errand: Errand | None = None
        self.body, self.path = asked.body, asked.path
        if asked.model is not None:
            self._call = _call(snapshot, asked)
            self._errand = _errand(self._call, account, asked, asked.model)
            self.body, self.path = self._errand.body, self._errand.path.decode()

    def head(self, token: Token | None) -> bytes:
        """Return the head of the request."""
        outbound = Outbound()
        if self._errand is None:
            return _list_head(self._snapshot, self._account, self.path, token)
        if token is None:
            return outbound.head(self._call, self._account, self._errand)
        return outbound.token_head(self._call, self._account, self._errand, token)

    def judged(self, reply: Reply) -> Verdict | None:
        """Return what is wrong with an answer, None if nothing is."""
        headers = dict(reply.headers)
        if reply.status != _OK:
            complaint = read_complaint(reply.body)
            limit = reply.status == _TOO_MANY
            wait_s = reset_s(headers, complaint.retry_after_s, now_ms() / 1000) if limit else None
            return of_status(reply.status, complaint, headers.get(b"retry-after"), wait_s)
        if self._errand is None:
            return None if _is_list(reply.body) else of_empty()
        facts, _ = self._errand.read(reply.body, headers.get(b"content-type", b""))
        if facts.error is not None:
            return of_complaint(facts.error)
        told = facts.finished or (facts.usage is not None and facts.usage.output)
        return of_empty() if facts.empty and not told else None


class _Nobody:
    """The exchange of a question that no client asks; nothing is ever sent to it."""

    method = "POST"
    query = b""
    peer = ""
    gone = True

    def __init__(self, path: str, body: bytes) -> None:
        self.path = path
        self.body = body
        self.headers: Mapping[bytes, bytes] = {}
        self.facts = HeadFacts()
        self.watcher: Watcher | None = None
        self.task: asyncio.Task[None] | None = None

    def reply(self, status: int, headers: bytes, body: bytes) -> None:
        """Nobody hears it."""

    def start(self, status: int, headers: bytes, first: bytes = b"") -> None:
        """Nobody hears it."""

    def write(self, data: bytes) -> None:
        """Nobody hears it."""

    def finish(self, data: bytes = b"") -> None:
        """Nobody hears it."""

    def abort(self) -> None:
        """Nobody is there."""

    def switch(self, head: bytes, socket: Socket) -> None:
        """Nobody hears it."""


def _call(snapshot: Snapshot, asked: Question) -> Call:
    dialect = match(asked.path)
    # A model's name may be none that a path can have.
    if dialect is None:
        raise ValueError("the name of this model cannot be asked for")
    call = Call(_Nobody(asked.path, asked.body), new_tid(), dialect, 0.0)
    call.snapshot = snapshot
    call.source, call.ask = dialect.read(call.exchange)
    call.wish = dialect.wish(call.ask)
    return call


def _errand(call: Call, account: Account, asked: Question, model: Model) -> Errand:
    sent = account.sent(asked.name)
    identity = Identity(call.tid, call.at_ms // 1000, asked.name, sent != asked.name)
    task = Task(call.source, call.ask, None, identity, sent, model, None)
    return override(call.dialect.errand(task, account), call, account)


def _find(snapshot: Snapshot, account_id: int) -> tuple[Channel, Account] | None:
    for channel in snapshot.channels.values():
        for account in channel.accounts:
            if account.id == account_id:
                return channel, account
    return None


def _list_head(snapshot: Snapshot, account: Account, path: str, token: Token | None) -> bytes:
    target = Target.parse(
        account.base_url, account.proxy or None, snapshot.site.allow_private_upstreams
    )
    platform = PLATFORMS[account.platform]
    plain = token is None
    auth = (
        platform.auth_lines(account.secret) if token is None else platform.token_lines(token.value)
    )
    line = f"GET {target.prefix}{path} HTTP/1.1\r\nhost: {target.authority}\r\n"
    return b"".join(
        (
            line.encode(), auth, platform.client_lines({}, native=True, signed_in=not plain),
            b"accept-encoding: identity\r\n", own_lines(account), b"accept: application/json\r\n\r\n",
        )
    )  # fmt: skip


def _is_list(body: bytes) -> bool:
    """Say whether an answer is a list of models, in any vendor's shape."""
    try:
        read = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return any(isinstance(read.get(name), list) for name in ("data", "models"))


def _clean(message: str, account: Account, token: Token | None) -> str:
    """Return an upstream's words without what nobody is to read, not even an operator."""
    hidden = [account.secret, token.value if token else "", *account.headers.values()]
    for secret in hidden:
        if len(secret) >= _SECRET_MIN:
            message = message.replace(secret, "…")
    return clean_upstream_message(message)
