"""Owns how an Anthropic model is told how much to think, and what thinking forbids elsewhere.

Newer models think adaptively with an effort, older ones by a budget below `max_tokens`
(protocols.md 5.1, 5.7). Must not know how turns or tools are written.
"""

from typing import Final

import msgspec

from tollbridge.protocols.abilities import Abilities, budget_of, effort_of, nearest_effort
from tollbridge.protocols.conversation import (
    Call,
    Conversation,
    Json,
    Reasoning,
    Result,
    Thinking,
    Turn,
    Vendor,
    Wire,
)
from tollbridge.protocols.losses import Losses
from tollbridge.protocols.messages import BUDGET_LEAST


class Thoughts(msgspec.Struct, frozen=True):
    """What a request says of thinking; None where it says nothing. `active`: the model will think."""

    field: Json | None = None
    effort: str | None = None
    active: bool = False


_OFF: Final[Json] = {"type": "disabled"}


def thoughts(
    conversation: Conversation, turns: list[Turn], abilities: Abilities, limit: int, losses: Losses
) -> Thoughts:
    """Return what to say of thinking. `turns` are those that are sent, `limit` is `max_tokens`."""
    wish = conversation.thinking
    if conversation.wire is Wire.MESSAGES and not is_mere_wish(wish, abilities):
        return _own(wish, turns, abilities)
    if wish is None or (abilities.thinks != "adaptive" and _is_vague(wish)):
        return Thoughts(active=abilities.always_thinks)
    if wish.enabled is False or wish.effort == "none" or wish.budget == 0:
        return _none(abilities, losses)
    if abilities.thinks == "adaptive":
        return _adaptive(wish, abilities, losses)
    if abilities.thinks == "budget" and not unsigned(turns):
        return _budgeted(wish, abilities, limit, losses)
    losses.note("effort")
    return Thoughts()


def is_mere_wish(wish: Thinking | None, abilities: Abilities) -> bool:
    """Say whether a wish is not in this protocol's words, so that it has to be put into them.

    So are those that a model's name bears: to think without saying how, or an effort that the model
    has not.
    """
    if wish is None or wish.adaptive or wish.extra:
        return False
    if wish.enabled:
        return wish.budget is None
    return wish.enabled is None and wish.effort not in abilities.efforts


def unsigned(turns: list[Turn]) -> bool:
    """Say whether a running exchange of calls and results lacks the thoughts that began it.

    A model that thinks by a budget refuses such a history (protocols.md 5.7); what came before the
    user's last own words is not looked at.
    """
    for turn in reversed(turns):
        if turn.role == "user" and not any(isinstance(part, Result) for part in turn.parts):
            return False
        if turn.role == "assistant" and any(isinstance(part, Call) for part in turn.parts):
            first = turn.parts[0]
            if not (isinstance(first, Reasoning) and is_signed(first)):
                return True
    return False


def is_signed(part: Reasoning) -> bool:
    """Say whether these are thoughts that the vendor will know as its own."""
    return part.carrier is not None and part.carrier.vendor is Vendor.ANTHROPIC


def _own(wish: Thinking | None, turns: list[Turn], abilities: Abilities) -> Thoughts:
    """Say again what the client said, but for thinking that its history does not allow."""
    if wish is None:
        return Thoughts(active=abilities.always_thinks)
    if wish.enabled is None:
        return Thoughts(effort=wish.effort, active=abilities.always_thinks)
    if wish.enabled and wish.budget is not None and unsigned(turns):
        return Thoughts(_OFF, wish.effort)
    kind = "adaptive" if wish.adaptive else "enabled" if wish.enabled else "disabled"
    field: Json = {"type": kind}
    if wish.budget is not None:
        field["budget_tokens"] = wish.budget
    if wish.shown is not None:
        field["display"] = "summarized" if wish.shown else "omitted"
    return Thoughts({**field, **wish.extra}, wish.effort, active=bool(wish.enabled))


def _is_vague(wish: Thinking) -> bool:
    """Say whether a client only says how thoughts are to be shown, if there are any."""
    return wish.enabled is None and wish.effort is None and wish.budget is None


def _none(abilities: Abilities, losses: Losses) -> Thoughts:
    """Say that the model is not to think; one that cannot be told so thinks as little as it can."""
    if abilities.always_thinks:
        losses.note("effort")
        return Thoughts(effort=nearest_effort("low", abilities), active=True)
    # A model that thinks by a budget only does so when asked.
    return Thoughts(_OFF if abilities.thinks == "adaptive" else None)


def _adaptive(wish: Thinking, abilities: Abilities, losses: Losses) -> Thoughts:
    wished = wish.effort
    if wished is None and wish.budget is not None and wish.budget > 0:
        wished = effort_of(wish.budget)
    effort = None if wished is None else nearest_effort(wished, abilities)
    if effort != wished:
        losses.note("effort")
    return Thoughts({"type": "adaptive", **_display(wish)}, effort, active=True)


def _budgeted(wish: Thinking, abilities: Abilities, limit: int, losses: Losses) -> Thoughts:
    """Say how many tokens to think; a quarter of the limit is left for the answer."""
    budget = wish.budget
    if budget is None or budget < 0:
        budget = budget_of(wish.effort or "medium")
    most = limit - limit // 4 - 1
    if abilities.most_budget:
        most = min(most, abilities.most_budget)
    if most < BUDGET_LEAST:
        losses.note("effort")
        return Thoughts()
    tokens = min(max(budget, BUDGET_LEAST), most)
    if tokens != budget:
        losses.note("effort")
    # How thoughts are shown is not said: older models know no other way than theirs.
    return Thoughts({"type": "enabled", "budget_tokens": tokens}, active=True)


def _display(wish: Thinking) -> Json:
    if wish.shown is None:
        return {"display": "summarized"} if wish.summary else {}
    return {"display": "summarized" if wish.shown else "omitted"}
