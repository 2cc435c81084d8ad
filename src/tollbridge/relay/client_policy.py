"""Owns which programs a channel's `client_policy` lets in. Pure: headers in, a verdict out.

This is price segmentation, not security: a program says of itself what it is, and whoever copies
these headers gets in. It keeps a tariff that is meant for one program from being used by accident.

Claude Code says `claude-cli/1.2.3` first in its user agent, names itself in x-app and bears the
vendor's version and betas; for counting tokens the user agent is enough. Codex is known by its user
agent or by its originator header.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_CLAUDE_AGENT: Final = re.compile(rb"claude-cli/[0-9]+\.[0-9]+\.[0-9]+", re.IGNORECASE)
_CLAUDE_HEADERS: Final = (b"x-app", b"anthropic-beta", b"anthropic-version")
_CODEX: Final = rb"codex[_-](?:cli_rs|exec|vscode|sdk_ts|tui)"
_CODEX_AGENT: Final = re.compile(_CODEX + rb"/[0-9]")
_CODEX_ORIGINATOR: Final = re.compile(_CODEX)


def admits(policy: str, headers: Mapping[bytes, bytes], *, counting: bool = False) -> bool:
    """Say whether a channel's policy lets a client in; `counting`: the call only counts tokens.

    `headers` have lower-case names. A policy that is not known lets nobody in.
    """
    if policy == "any":
        return True
    judge = _JUDGES.get(policy)
    return judge is not None and judge(headers, counting)


def _is_claude_code(headers: Mapping[bytes, bytes], counting: bool) -> bool:
    if _CLAUDE_AGENT.match(headers.get(b"user-agent", b"")) is None:
        return False
    return counting or all(headers.get(name, b"").strip() for name in _CLAUDE_HEADERS)


def _is_codex(headers: Mapping[bytes, bytes], _counting: bool) -> bool:
    if _CODEX_AGENT.match(headers.get(b"user-agent", b"")) is not None:
        return True
    return _CODEX_ORIGINATOR.fullmatch(headers.get(b"originator", b"").strip()) is not None


_JUDGES: Final = MappingProxyType({"claude-code": _is_claude_code, "codex": _is_codex})
