"""Proof that the models offered by name are those that an import can price."""

from datetime import UTC, datetime

import pytest

from tollbridge.catalog.known_models import VENDORS, known_models
from tollbridge.catalog.price_import import translated
from tollbridge.catalog.price_import_source import chosen, counterpart, read_source
from tollbridge.core.clock import now_ms


@pytest.mark.parametrize("platform", VENDORS)
def test_each_can_be_priced_as_it_stands(platform: str) -> None:
    found = known_models(platform, now_ms())
    names = [one.name for one in found]
    assert len(names) == len(set(names)) > 10
    for one in found:
        _, model = counterpart(chosen(read_source(), ()), one.name)
        assert translated(model, datetime.now(UTC)).price.rates
        assert one.context is None or one.context > 0
        assert " " not in one.name and not one.name.endswith(("-", "*"))


def test_each_platform_has_its_own_vendors_models() -> None:
    assert any(one.name == "gpt-4o-mini" for one in known_models("openai", now_ms()))
    for platform, word in (("anthropic", "claude-"), ("gemini", "gem")):
        assert all(one.name.startswith(word) for one in known_models(platform, now_ms()))
    assert known_models("nobody", now_ms()) == ()


def test_higher_versions_come_first() -> None:
    names = [one.name for one in known_models("openai", now_ms())]
    assert names.index("gpt-4.1") < names.index("gpt-4") < names.index("gpt-3.5-turbo")


@pytest.mark.parametrize(
    ("platform", "word"), [("openai", "gpt-"), ("anthropic", "claude-"), ("gemini", "gemini-")]
)
def test_what_is_sought_comes_before_other_families(platform: str, word: str) -> None:
    names = [one.name for one in known_models(platform, now_ms())]
    assert all(name.startswith(word) for name in names[:10])
    if platform == "openai":
        assert names.index("gpt-4o-mini") < names.index("text-embedding-3-small")
