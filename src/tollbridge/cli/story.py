"""Owns how one call is told to an operator: in lines of text, and as JSON.

Amounts are exact dollars in the text and strings of nano-dollars in the JSON. Must not know how a
story is found, nor judge it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from tollbridge.billing.explain import JournalLine, OpenHold, Settled, Story
from tollbridge.billing.pricing import Line
from tollbridge.billing.receipts import Receipt
from tollbridge.core.money import format_usd

_FLAGS = {
    "estimated": "the provider told no usage: counted from the text",
    "client_disconnected": "the client left before the end",
    "partial": "the provider broke off after content had been sent",
    "balance_short": "the wallet could not pay for more, so the answer was ended early",
    "clamped": "the provider's usage did not add up and was put right",
    "model_mismatch": "the provider answered with another model than was asked for",
    "reclaimed": "its node died: posted at its last checkpoint",
    "reversed": "staff gave its charge back",
}
_STATES = {
    "complete": "answered to the end",
    "client_gone": "ended because the client left",
    "partial": "cut off by the provider after content",
    "limited": "ended early for lack of money",
    "refused": "refused before an answer began",
    "upstream_error": "failed at the provider before an answer began",
    "empty": "answered with nothing",
    "withheld": "answered, but the answer was withheld because it could not be recorded",
    "database_lost": "ended because the database was gone",
    "reclaimed": "interrupted by the death of its node",
}
_MONEY = frozenset({
    "amount", "covered", "charge", "list_cost", "own_cost", "loss", "held", "cost", "rate", "parts",
    "subtotal_parts", "given_back",
})  # fmt: skip


def as_json(story: Story) -> str:
    """Return a story as indented JSON."""
    # Only phrases are no builtins, and those are texts.
    told = msgspec.to_builtins(story, enc_hook=str)
    if story.hold and story.hold.bill:
        # It is stored, and so turned into builtins, without the names of its fields.
        told["hold"]["bill"] = msgspec.structs.asdict(story.hold.bill)
    text = msgspec.json.encode(_plain(told))
    return msgspec.json.format(text, indent=2).decode()


def _plain(value: Any, name: str = "") -> Any:
    """Money and ids travel as strings: not every reader of JSON keeps 64 bits of a number."""
    if isinstance(value, dict):
        return {key: _plain(one, key) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, name) for one in value]
    is_long = name in _MONEY or name in {"id", "purses"} or name.endswith("_id")
    return str(value) if is_long and isinstance(value, int) else value


def as_text(story: Story) -> Iterator[str]:
    """Return a story in lines: what stands, what was charged and why, the journal, the verdict."""
    yield f"call {story.tid}, begun {_moment(int(story.tid[:12], 16))}"
    if story.hold:
        yield from _hold_lines(story.hold)
    if story.settled:
        yield from _settled_lines(story.settled)
    yield "journal:" if story.lines else "journal: no lines"
    yield from map(_journal_line, story.lines)
    yield f"verdict: {story.verdict}"


def _hold_lines(hold: OpenHold) -> Iterator[str]:
    purses = ", ".join(map(str, hold.purses))
    yield f"hold: ${format_usd(hold.amount)} in purse {purses} since {_moment(hold.at_ms)}"
    yield f"  charged if its node dies now: ${format_usd(hold.covered)}"
    if hold.node is None or hold.beat_ms is None:
        yield f"  epoch {hold.epoch} of node {hold.node_id}, which is over"
    else:
        word = "declared dead" if hold.over else "alive"
        yield (
            f"  epoch {hold.epoch} of node {hold.node} ({hold.node_id}), {word},"
            f" last beat {_moment(hold.beat_ms)}"
        )
    if hold.bill:
        bill = hold.bill
        yield f"  {bill.model_asked} for user {bill.user_id}, key {bill.key_name} ({bill.key_id})"
        yield f"  counted so far: input {bill.input:,}, output {bill.output:,}"


def _settled_lines(settled: Settled) -> Iterator[str]:
    receipt = settled.receipt
    stream = "stream" if receipt.stream else "whole answer"
    yield f"{receipt.surface}, {stream}, status {receipt.status}: {_ending(receipt)}"
    yield f"  user {settled.user_id}, wallet {settled.wallet_id}, key {receipt.key_name} ({settled.key_id})"
    yield (
        f"  model {receipt.model_asked}, sent as {receipt.model_sent or '-'},"
        f" answered as {receipt.model_answered or '-'}"
    )
    yield (
        f"  channel {receipt.channel} ({settled.channel_id}), account"
        f" {_account(settled.account_id, settled.account)} on {settled.platform or '-'}"
    )
    first = "-" if receipt.first_token_ms is None else f"{receipt.first_token_ms:,} ms"
    yield f"  first token {first}, all {receipt.total_ms:,} ms, client {settled.client or '-'}"
    for flag in receipt.flags:
        yield f"  flag {flag}: {_FLAGS.get(flag, 'not known to this version')}"
    for number, attempt in enumerate(settled.attempts, 1):
        account = _account(attempt.account_id, attempt.account)
        yield f"  attempt {number}: account {account}: {attempt.outcome} after {attempt.took_ms:,} ms"
    yield "arithmetic:"
    yield from _arithmetic(receipt)
    yield (
        f"  held at most ${format_usd(settled.held)}, list price ${format_usd(receipt.list_cost)},"
        f" own cost ${format_usd(settled.own_cost)}, lost ${format_usd(settled.loss)}"
    )


def _ending(receipt: Receipt) -> str:
    words = _STATES.get(receipt.end_state, receipt.end_state)
    return f"{words} ({receipt.error})" if receipt.error else words


def _account(number: int | None, name: str | None) -> str:
    return "-" if number is None else f"{name or 'since removed'} ({number})"


def _arithmetic(receipt: Receipt) -> Iterator[str]:
    if receipt.lines:
        yield from map(_priced, receipt.lines)
        if receipt.tier_above is not None:
            yield f"  (the rates above {receipt.tier_above:,} input tokens)"
        yield f"  x {receipt.multiplier.text()}, rounded up: ${format_usd(receipt.cost)}"
    else:
        counts = ", ".join(f"{name} {count:,}" for name, count in receipt.counts.items())
        yield f"  counted: {counts or 'nothing'}"
    for adjustment in receipt.adjustments:
        sign = "-" if adjustment.amount < 0 else "+"
        yield f"  {sign} ${format_usd(abs(adjustment.amount))}: {adjustment.reason}"
    yield f"  = charge ${format_usd(receipt.charge)}"


def _priced(line: Line) -> str:
    unit = "a million" if line.unit == "per_million_tokens" else "each"
    cost = f"${format_usd(line.parts // 1_000_000)}" + (
        " and a bit" if line.parts % 1_000_000 else ""
    )
    return f"  {line.item}: {line.count:,} x ${format_usd(line.rate)} {unit} = {cost}"


def _journal_line(line: JournalLine) -> str:
    return (
        f"  {_moment(line.at_ms)} {line.kind} {line.debit} -> {line.credit}"
        f" ${format_usd(line.amount)} ({line.id})"
    )


def _moment(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d %H:%M:%S}.{at_ms % 1000:03d}Z"
