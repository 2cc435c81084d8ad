"""Owns what models of each vendor can be told: efforts, thinking, sampling, instructions.

By the model's name, because vendors offer no other way to know (protocols.md 5.1 and 5.7); the
catalogue may say the efforts of a model itself. A model that no rule names gets its vendor's newest
habits. Must not know how a request is written.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec import structs

Thinks = Literal["never", "effort", "adaptive", "budget", "level", "token_budget"]


class Abilities(msgspec.Struct, frozen=True):
    """What one model can be told.

    `thinks` says how: not at all, by an effort (OpenAI), adaptively with an effort or by a budget
    (Anthropic), by a level or a budget of tokens (Gemini). `efforts` rise from left to right.
    `always_thinks`: it cannot be told not to. `least_budget` and `most_budget` are tokens, 0 where
    there is no bound; a budget of 0 turns thinking off unless it always thinks.
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


# The rising scale of efforts (protocols.md 5.7) and the tokens that stand for them in Google's and
# other gateways' mappings. `max` is more than any model takes: whoever sends it cuts it to the model.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_BUDGETS = (0, 512, 1_024, 8_192, 24_576, 32_768, 128_000)
_SUFFIX = re.compile(r"(.+)-(none|minimal|low|medium|high|xhigh|max)")


def nearest_effort(effort: str, abilities: Abilities) -> str | None:
    """Return the effort of the model that comes nearest; None when it has none or cannot be told.

    Of two equally near the lower. A wish to think never becomes `none`; where `none` is wished and
    the model has no such effort, it is the least one. A word off the scale that is not the
    model's own is None.
    """
    if effort in abilities.efforts:
        return effort
    if effort not in EFFORTS:
        return None
    wished = EFFORTS.index(effort)
    places = sorted(EFFORTS.index(one) for one in abilities.efforts if one in EFFORTS)
    places = [place for place in places if place]
    if not places:
        return None
    return EFFORTS[min(places, key=lambda place: abs(place - wished))]


def budget_of(effort: str) -> int:
    """Return the tokens of thought that stand for an effort; those of medium for an unknown word."""
    return _BUDGETS[EFFORTS.index(effort if effort in EFFORTS else "medium")]


def effort_of(budget: int) -> str:
    """Return the effort that a budget of tokens stands for; medium where the model decides (-1)."""
    if budget < 0:
        return "medium"
    return next(
        (one for one, most in zip(EFFORTS[:-2], _BUDGETS, strict=False) if budget <= most), "xhigh"
    )


def split_effort(name: str) -> tuple[str, str] | None:
    """Return (model, effort) of a name such as `gpt-5-high`, None for a name without such an end.

    Some models are really called so (`gpt-5.1-codex-max`): ask only for a name that nobody knows.
    """
    found = _SUFFIX.fullmatch(name)
    return (found[1], found[2]) if found else None


# ------------------------------------------------------------ OpenAI

_THREE = ("low", "medium", "high")
_FOUR = (*_THREE, "xhigh")


def _effort(*efforts: str) -> Abilities:
    """A model of OpenAI's that thinks: by an effort, without sampling."""
    return Abilities(
        thinks="effort", efforts=efforts, always_thinks="none" not in efforts, sampling=False
    )


_NEWEST_OPENAI = _effort("none", *_FOUR, "max")

# The first that fits counts. A name begins after a prefix's last sign: `openai/`, `openai.`, `ft:`.
_OPENAI = tuple(
    (re.compile(rf"[/.:@](?:{pattern})"), abilities)
    for pattern, abilities in (
        (r"gpt-5-chat", Abilities()),
        (r"gpt-5\.\d+-chat", _effort("medium")),
        (r"gpt-5-pro", _effort("high")),
        (r"gpt-5\.\d+-pro", _effort("medium", "high", "xhigh")),
        (r"gpt-5\.1-codex-max|gpt-5\.[2-9]-codex", _effort(*_FOUR)),
        (r"gpt-5(?:\.1)?-codex|codex-mini", _effort(*_THREE)),
        (r"gpt-5(?![.\d])", _effort("minimal", *_THREE)),
        (r"gpt-5\.1(?!\d)", _effort("none", *_THREE)),
        (r"gpt-5\.[2-5](?!\d)", _effort("none", *_FOUR)),
        (
            r"o1-(?:mini|preview)",
            Abilities(always_thinks=True, sampling=False, output_schema=False),
        ),
        (r"o\d-(?:\w+-)?deep-research", _effort("medium")),
        (r"o\d(?!\w)", _effort(*_THREE)),
        (r"gpt-4o-(?:mini-)?search", Abilities(sampling=False)),
        (r"chatgpt-4o|gpt-4o-2024-05-13|gpt-4(?![.\do])|gpt-3", Abilities(output_schema=False)),
        (r"gpt-4", Abilities()),
        (r"gpt-oss", Abilities(thinks="effort", efforts=_THREE, old_limit_field=True)),
    )
)


def _openai(name: str, compatible: bool) -> Abilities:
    for pattern, abilities in _OPENAI:
        if pattern.search(name):
            return abilities
    return _like_openai(name) if compatible else _NEWEST_OPENAI


def _like_openai(name: str) -> Abilities:
    """Other vendors' models in OpenAI's protocol: an effort only where it is known to be taken."""
    for mark, table in (("claude-", _anthropic), ("gemini-", _gemini)):
        if mark in name:
            found = table(name, True)
            thinks = found.thinks != "never"
            return Abilities(
                thinks="effort" if thinks else "never",
                efforts=_THREE if thinks else (),
                always_thinks=found.always_thinks,
                sampling=found.sampling,
                both_samplings=found.both_samplings,
                old_limit_field=True,
            )
    return Abilities(output_schema="deepseek" not in name, old_limit_field=True)


# ------------------------------------------------------------ Anthropic

_CLAUDE = re.compile(r"[/.:@]claude-([a-z0-9.-]+)")
_VERSION = re.compile(r"(?<![\dv])(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_NEWEST_ANTHROPIC = Abilities(
    thinks="adaptive", efforts=(*_FOUR, "max"), sampling=False, both_samplings=False
)
_ALWAYS_ON = structs.replace(_NEWEST_ANTHROPIC, always_thinks=True)
_BEFORE_4_8 = structs.replace(_NEWEST_ANTHROPIC, system_anywhere=False)
_BEFORE_4_7 = structs.replace(_BEFORE_4_8, efforts=(*_THREE, "max"), sampling=True)
_BEFORE_4_6 = structs.replace(_BEFORE_4_7, thinks="budget", efforts=(), least_budget=1_024)
_BEFORE_4_5 = structs.replace(_BEFORE_4_6, output_schema=False)
_BEFORE_4 = structs.replace(_BEFORE_4_5, both_samplings=True)
_BEFORE_3_7 = structs.replace(_BEFORE_4, thinks="never", least_budget=0)
_BY_VERSION = (
    ((3, 7), _BEFORE_3_7),
    ((4, 0), _BEFORE_4),
    ((4, 5), _BEFORE_4_5),
    ((4, 6), _BEFORE_4_6),
    ((4, 7), _BEFORE_4_7),
    ((4, 8), _BEFORE_4_8),
)


def _anthropic(name: str, compatible: bool) -> Abilities:
    found = _CLAUDE.search(name)
    if found is None:
        # Other vendors' models in this protocol know its older half.
        return _BEFORE_4 if compatible else _NEWEST_ANTHROPIC
    if found[1].startswith(("fable", "mythos")):
        return _ALWAYS_ON
    numbers = _VERSION.search(found[1])
    if numbers is None:
        return _NEWEST_ANTHROPIC
    version = (int(numbers[1]), int(numbers[2] or 0))
    return next((one for before, one in _BY_VERSION if version < before), _NEWEST_ANTHROPIC)


# ------------------------------------------------------------ Gemini

_GEMINI = re.compile(r"[/.:@]gemini-(?:(\d{1,2})(?:\.(\d{1,2}))?-)?([a-z0-9.-]+)")
_MEDIA = ("image", "tts", "audio", "live", "embedding")
_SILENT_GEMINI = Abilities(system_anywhere=False)
_LEVELS = Abilities(
    thinks="level", efforts=("minimal", *_THREE), always_thinks=True, system_anywhere=False
)
_PRO_LEVELS = structs.replace(_LEVELS, efforts=_THREE)
_PRO_3_LEVELS = structs.replace(_LEVELS, efforts=("low", "high"))
_FLASH_BUDGET = Abilities(thinks="token_budget", most_budget=24_576, system_anywhere=False)
_LITE_BUDGET = structs.replace(_FLASH_BUDGET, least_budget=512)
_PRO_BUDGET = structs.replace(
    _FLASH_BUDGET, least_budget=128, most_budget=32_768, always_thinks=True
)


def _gemini(name: str, compatible: bool) -> Abilities:
    found = _GEMINI.search(name)
    if found is None:
        return _SILENT_GEMINI if compatible or "/gemma" in name else _LEVELS
    kind = found[3]
    version = (int(found[1]), int(found[2] or 0)) if found[1] else None
    if any(mark in kind for mark in _MEDIA) or (version and version < (2, 5)):
        return _SILENT_GEMINI
    pro = kind.startswith("pro")
    if version and version < (3, 0):
        return _PRO_BUDGET if pro else _LITE_BUDGET if "lite" in kind else _FLASH_BUDGET
    if not pro:
        return _LEVELS
    return _PRO_3_LEVELS if version == (3, 0) else _PRO_LEVELS


_TABLES: Mapping[str, Callable[[str, bool], Abilities]] = MappingProxyType(
    {"openai": _openai, "anthropic": _anthropic, "gemini": _gemini}
)
_WITH_EFFORTS: Mapping[str, Thinks] = MappingProxyType(
    {"openai": "effort", "anthropic": "adaptive", "gemini": "level"}
)


def abilities_of(
    platform: str, model: str, *, compatible: bool = False, efforts: tuple[str, ...] | None = None
) -> Abilities:
    """Return what a model can be told, by the platform whose protocol it is asked in and its name.

    The name may be dated and have prefixes (`openai/`, `us.anthropic.`, `models/`, `ft:`).
    `efforts` are those that the catalogue names; an empty tuple: it cannot be told any.
    """
    found = _TABLES[platform](f"/{model.lower()}", compatible)
    if efforts is None:
        return found
    thinks = found.thinks
    if efforts and thinks not in _WITH_EFFORTS.values():
        thinks = _WITH_EFFORTS[platform]
    elif not efforts and thinks in _WITH_EFFORTS.values():
        thinks = "never"
    return structs.replace(found, efforts=efforts, thinks=thinks)
