"""Owns docs/faults.md: the table of faults as a page for operators.

`python -m tests.faults.faults_page --write` writes it anew; a test fails while it is out of date, so
the page cannot say what the suites do not prove.
"""

import sys
from pathlib import Path

from tests.faults.matrix import BREAKER_CALLS, BREAKER_S, COUNTED, HEARD, PARTS, Fault, Held
from tollbridge.relay.effects import Scope, Trouble

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
_HEAD = f"""\
# When an upstream fails

Every fault in this table is made to happen in the tests, on every surface, streamed and not: with
one account, and with a healthy one besides. What stands here is what they check.

How to read a row:

- **client, alone**: status and code (in OpenAI's words) that a client hears when no other account
  could answer, in the error profile `strict`. Each surface has its own shape of it, and none names
  the account, its address or what the vendor said.
- **elsewhere**: whether the next account is asked before the client hears anything. Up to
  `max_attempts` accounts are; what each of them did is in the call's attempt list, under the word
  of the last column.
- **account**: what is held against the account, and for how long.
  - *counted*: a single failure parks nobody. With {BREAKER_CALLS} calls in a minute and half of them failed, the
    account rests for {BREAKER_S:.0f} seconds; then one call goes ahead to see, and each time that this
    fails the rest doubles, up to 5 minutes.
  - *this model*: the account goes on with its other models.
  - *even alone*: the account is left out even when it is the only one; clients then hear 503
    `no_available_account` with the time to come back. What is not so marked never parks the last
    account that could take a call.
  - *out* and *without the model* raise the alarm `account_disabled`.
- A call that fails costs nothing. Once a client has seen content, nobody else is asked: the stream
  ends as broken, and the input and what was streamed are charged.

Nothing has to be done for an account to come back: its time does it, and so does a changed
credential, address or proxy. A credential that is refused again is out for twice as long as before,
up to 6 hours; the first call that is answered forgets that. No wait is longer than 6 hours, whatever
a vendor says.

What to do at night:

- **many accounts, `connect_failed`, `dns_failed` or `tls_failed`**: it is this side or the network.
- **`proxy_failed`**: the proxy is down or its password is wrong. All accounts behind it wait
  together, none of them is at fault.
- **`account_refused`**: if the account is *out*, look at its credential (401), its bill (402) or its
  rights (403) at the vendor. If it is only counted, look at its base URL (404, 405), or at what
  stands between here and the vendor (403).
- **`status_429`**: the account's limits are too small for what is sent; give it limits of its own
  here, or add accounts.
- **`status_400`** with a refusal to the client: it is the client's; the message says what is wrong.
"""
_ROWS = """
## {title}

| what happens | client, alone | elsewhere | account | charge | attempt list |
| --- | --- | --- | --- | --- | --- |
"""
_NAMES = {
    Trouble.RATE_LIMITED: "waits",
    Trouble.OVERLOADED: "waits",
    Trouble.QUARANTINED: "out",
    Trouble.MODEL_BLOCKED: "without the model",
    Trouble.PROXY_DOWN: "waits with all behind the proxy",
}


def written() -> str:
    """Return the whole page."""
    text = _HEAD
    for title, faults in PARTS.items():
        text += _ROWS.format(title=title) + "".join(_row(fault) for fault in faults)
    return text


def _row(fault: Fault) -> str:
    cells = (
        fault.what,
        _client(fault),
        "yes" if fault.elsewhere else "no",
        _account(fault.held),
        "nothing" if fault.heard else "input and what was streamed",
        " or ".join(f"`{word}`" for word in fault.outcomes) or "none",
    )
    return f"| {' | '.join(cells)} |\n"


def _client(fault: Fault) -> str:
    if fault.heard is None:
        return "the stream ends as broken"
    words = HEARD[fault.heard]
    return f"{words.status} " + (f"`{words.code}`" if words.code else "in the vendor's words")


def _account(held: Held | None) -> str:
    if held is None:
        return "nothing"
    if held == COUNTED or held.for_s is None:
        return "counted"
    parts = [f"{_NAMES[held.trouble]} {_span(held.for_s)}"]
    if held.scope is Scope.MODEL and held.trouble is not Trouble.MODEL_BLOCKED:
        parts.append("this model")
    if held.lasting:
        parts.append("even alone")
    return ", ".join(parts)


def _span(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:.0f} hours"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def _main() -> None:
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m tests.faults.faults_page --write")
    PAGE.write_text(written(), encoding="utf-8")


if __name__ == "__main__":
    _main()
