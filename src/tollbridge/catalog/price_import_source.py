"""Owns where list prices come from: the genai-prices package, as it was installed; no network.

A model is found by its exact name alone: the source's own name of it, or another that the source
lists letter by letter. What the source would take for a model by how it begins is none here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from genai_prices.data import providers
from genai_prices.types import ClauseEquals, ClauseOr, MatchLogic, ModelInfo, Provider

from tollbridge.core.phrase import phrase

SOURCE: Final = "genai-prices"

MAKERS: Final = (
    *("anthropic", "cohere", "deepseek", "google", "meta", "minimax", "mistral", "moonshotai"),
    *("openai", "perplexity", "voyageai", "x-ai", "zai"),
)
"""Who is asked when nobody is named: those that make models, each at its own price."""


class NoCounterpart(Exception):
    """The source has no such model, or more than one of that name."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A model of ours, and the exact name of the source's model whose price it is to have."""

    name: str
    source: str

    @classmethod
    def of_text(cls, text: str) -> "Wish":
        """Return the wish of NAME or NAME=SOURCE-NAME; ValueError when it is neither."""
        name, equals, source = text.partition("=")
        if not name or (equals and not source) or name.endswith("*"):
            raise ValueError("a model is named NAME or NAME=SOURCE-NAME, without wildcards")
        return cls(name, source or name)


def read_source() -> Sequence[Provider]:
    """Return all that the installed package knows."""
    return providers


def chosen(source: Sequence[Provider], names: Sequence[str]) -> tuple[Provider, ...]:
    """Return the named providers, the makers without any; ValueError for a name that is none."""
    known = {one.id: one for one in source}
    for name in names:
        if name not in known:
            raise ValueError(f"{SOURCE} has no provider {name}: {', '.join(sorted(known))}")
    return tuple(known[name] for name in names or MAKERS if name in known)


def counterpart(sellers: Sequence[Provider], name: str) -> tuple[Provider, ModelInfo]:
    """Return the one model of this exact name, and who sells it. Raises NoCounterpart."""
    found = [
        (provider, model)
        for provider in sellers
        if (model := _of_provider(provider, name)) is not None
    ]
    if not found:
        raise NoCounterpart(phrase("%(source)s has no model of exactly this name", source=SOURCE))
    if len(found) > 1:
        # One maker's models are also sold by another: the source says whose a name is.
        found = [one for one in found if _is_made_by(one[0], name)] or found
    if len(found) > 1:
        names = reduce(_and, [provider.id for provider, _ in found])
        raise NoCounterpart(phrase("sold by %(names)s: name one with --provider", names=names))
    return found[0]


def _and(one: str, other: str) -> str:
    return phrase("%(one)s and %(other)s", one=one, other=other)


def _is_made_by(seller: Provider, name: str) -> bool:
    return seller.model_match is not None and seller.model_match.is_match(name)


def _of_provider(provider: Provider, name: str) -> ModelInfo | None:
    """Return the model that has this name, before one that has it besides its own."""
    own = next((model for model in provider.models if model.id == name and _is_name(model)), None)
    also = (model for model in provider.models if name in _names(model.match))
    return own or next(also, None)


def _is_name(model: ModelInfo) -> bool:
    """Say whether a model's id is a name that calls may use: it is what the source itself finds."""
    return model.is_match(model.id)


def _names(match: MatchLogic) -> Iterator[str]:
    if isinstance(match, ClauseEquals):
        yield match.equals
    elif isinstance(match, ClauseOr):
        for clause in match.or_:
            yield from _names(clause)
