"""Owns what models of each vendor can be told: efforts, thinking, sampling, instructions.

By the model's name, because vendors offer no other way to know (protocols.md 5.1 and 5.7); the
catalogue may say the efforts of a model itself. A model that no rule names gets its vendor's newest
habits. Must not know how a request is written.
"""

from typing import Literal

import msgspec

Thinks = Literal["never", "effort", "adaptive", "budget", "level", "token_budget"]


class Abilities(msgspec.Struct, frozen=True):
    """What one model can be told.

    `thinks` says how: not at all, by an effort (OpenAI), adaptively with an effort or by a budget
    (Anthropic), by a level or a budget of tokens (Gemini). `efforts` rise from left to right.
    `least_budget` and `most_budget` are tokens, 0 where there is no bound.
    """

    thinks: Thinks = "never"
    efforts: tuple[str, ...] = ()
    always_thinks: bool = False
    least_budget: int = 0
    most_budget: int = 0
    sampling: bool = True
    """Takes temperature, top_p and top_k."""
    both_samplings: bool = True
    """Takes temperature and top_p together."""
    system_anywhere: bool = True
    """Takes instructions in the middle of a conversation."""
    output_schema: bool = True
    """Can be bound to a JSON schema."""
    old_limit_field: bool = False
    """Knows only `max_tokens`, where others want `max_completion_tokens`."""


class Addressee(msgspec.Struct, frozen=True):
    """Whom a request is written to.

    `model` is the name to send; `max_output` the model's limit in tokens; `compatible` an upstream
    that speaks almost like its platform.
    """

    model: str
    abilities: Abilities
    max_output: int
    compatible: bool = False
