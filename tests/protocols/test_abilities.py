"""The twin of protocols/abilities.py; the recordings are the judge of the table."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.protocols.abilities import (
    Abilities,
    abilities_of,
    budget_of,
    effort_of,
    nearest_effort,
    split_effort,
)

SCALE = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
PLATFORMS = ("openai", "anthropic", "gemini")
THREE = ("low", "medium", "high")


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("gpt-5", ("minimal", *THREE)),
        ("gpt-5-nano-2025-08-07", ("minimal", *THREE)),
        ("openai/gpt-5-mini", ("minimal", *THREE)),
        ("gpt-5-pro", ("high",)),
        ("gpt-5-codex", THREE),
        ("gpt-5.1", ("none", *THREE)),
        ("gpt-5.1-2025-11-13", ("none", *THREE)),
        ("gpt-5.1-codex-mini", THREE),
        ("gpt-5.1-codex-max", (*THREE, "xhigh")),
        ("gpt-5.2-pro", ("medium", "high", "xhigh")),
        ("gpt-5.2-chat-latest", ("medium",)),
        ("gpt-5.3-codex", (*THREE, "xhigh")),
        ("gpt-5.4-mini", ("none", *THREE, "xhigh")),
        ("openai.gpt-5.6-luna", ("none", *THREE, "xhigh", "max")),
        ("gpt-7", ("none", *THREE, "xhigh", "max")),
        ("a-deployment-of-ours", ("none", *THREE, "xhigh", "max")),
        ("o3", THREE),
        ("o4-mini-2025-04-16", THREE),
        ("o4-mini-deep-research", ("medium",)),
    ],
)
def test_models_of_openai_that_think(model: str, efforts: tuple[str, ...]):
    found = abilities_of("openai", model)
    assert (found.thinks, found.efforts) == ("effort", efforts)
    assert found.always_thinks is ("none" not in efforts)
    assert not found.sampling
    assert not found.old_limit_field


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        ("gpt-4o", True),
        ("gpt-4o-2024-05-13", False),
        ("gpt-4.1-nano-2025-04-14", True),
        ("gpt-4-turbo", False),
        ("gpt-4", False),
        ("gpt-35-turbo", False),
        ("ft:gpt-4o-mini-2024-07-18:acme::id", True),
        ("gpt-5-chat-latest", True),
        ("chatgpt-4o-latest", False),
    ],
)
def test_models_of_openai_that_do_not(model: str, schema: bool):
    assert abilities_of("openai", model) == Abilities(output_schema=schema)


def test_who_is_like_openai_is_told_no_effort_unless_it_is_known():
    found = abilities_of("openai", "mistral-large-latest", compatible=True)
    assert found == Abilities(old_limit_field=True)
    assert abilities_of("openai", "openai/gpt-oss-120b", compatible=True).efforts == THREE
    assert abilities_of("openai", "openai/gpt-5", compatible=True) == abilities_of(
        "openai", "gpt-5"
    )
    claude = abilities_of("openai", "anthropic/claude-opus-4.7", compatible=True)
    assert (claude.thinks, claude.efforts, claude.sampling) == ("effort", THREE, False)
    assert abilities_of("openai", "google/gemini-2.0-flash", compatible=True).thinks == "never"
    assert not abilities_of("openai", "deepseek-chat", compatible=True).output_schema


@pytest.mark.parametrize(
    ("model", "thinks", "efforts", "sampling", "system", "schema"),
    [
        ("claude-3-5-sonnet-latest", "never", (), True, False, False),
        ("claude-3-opus-20240229", "never", (), True, False, False),
        ("claude-3-7-sonnet-20250219", "budget", (), True, False, False),
        ("claude-opus-4-20250514", "budget", (), True, False, False),
        ("claude-sonnet-4-0", "budget", (), True, False, False),
        ("claude-opus-4-1-20250805", "budget", (), True, False, False),
        ("anthropic/claude-haiku-4.5", "budget", (), True, False, True),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "budget", (), True, False, True),
        ("claude-sonnet-4-6", "adaptive", (*THREE, "max"), True, False, True),
        ("claude-opus-4-6", "adaptive", (*THREE, "max"), True, False, True),
        ("claude-opus-4-7@20260401", "adaptive", (*THREE, "xhigh", "max"), False, False, True),
        ("claude-4.7-opus", "adaptive", (*THREE, "xhigh", "max"), False, False, True),
        ("claude-opus-4-8", "adaptive", (*THREE, "xhigh", "max"), False, True, True),
        ("claude-opus-4-10", "adaptive", (*THREE, "xhigh", "max"), False, True, True),
        ("claude-sonnet-5-20260701", "adaptive", (*THREE, "xhigh", "max"), False, True, True),
        ("CLAUDE-HAIKU-5", "adaptive", (*THREE, "xhigh", "max"), False, True, True),
        ("claude-opus-latest", "adaptive", (*THREE, "xhigh", "max"), False, True, True),
    ],
)
def test_models_of_anthropic(model: str, thinks, efforts, sampling, system, schema):
    found = abilities_of("anthropic", model)
    assert (found.thinks, found.efforts, found.sampling) == (thinks, efforts, sampling)
    assert (found.system_anywhere, found.output_schema) == (system, schema)
    assert not found.always_thinks
    assert found.both_samplings is ("claude-3" in model)
    assert found.least_budget == (1024 if thinks == "budget" else 0)


def test_fable_and_mythos_always_think():
    for model in (
        "claude-fable-5",
        "claude-mythos-preview",
        "global.anthropic.claude-fable-5-v1:0",
    ):
        found = abilities_of("anthropic", model)
        assert found.always_thinks
        assert found.thinks == "adaptive"
        assert not found.sampling


def test_strangers_that_speak_anthropics_protocol_know_its_older_half():
    found = abilities_of("anthropic", "glm-5", compatible=True)
    assert (found.thinks, found.sampling, found.system_anywhere) == ("budget", True, False)
    assert not found.output_schema
    assert abilities_of("anthropic", "glm-5").thinks == "adaptive"


@pytest.mark.parametrize(
    ("model", "thinks", "efforts", "budgets", "always"),
    [
        ("gemini-2.0-flash", "never", (), (0, 0), False),
        ("gemini-2.5-flash-image", "never", (), (0, 0), False),
        ("gemini-2.5-flash", "token_budget", (), (0, 24_576), False),
        ("gemini-2.5-flash-lite-preview-09-2025", "token_budget", (), (512, 24_576), False),
        ("models/gemini-2.5-pro-preview-05-06", "token_budget", (), (128, 32_768), True),
        ("gemini-3-pro-preview", "level", ("low", "high"), (0, 0), True),
        ("gemini-3.1-pro-preview", "level", THREE, (0, 0), True),
        ("gemini-3-flash-preview", "level", ("minimal", *THREE), (0, 0), True),
        ("publishers/google/models/gemini-3.5-flash", "level", ("minimal", *THREE), (0, 0), True),
        ("gemini-pro-latest", "level", THREE, (0, 0), True),
        ("gemini-flash-lite-latest", "level", ("minimal", *THREE), (0, 0), True),
        ("gemma-3-27b-it", "never", (), (0, 0), False),
        ("something-new", "level", ("minimal", *THREE), (0, 0), True),
    ],
)
def test_models_of_google(model: str, thinks, efforts, budgets, always):
    found = abilities_of("gemini", model)
    assert (found.thinks, found.efforts, found.always_thinks) == (thinks, efforts, always)
    assert (found.least_budget, found.most_budget) == budgets
    assert not found.system_anywhere


def test_the_catalogue_names_the_efforts():
    found = abilities_of("openai", "gpt-5", efforts=("low", "ultra"))
    assert found.efforts == ("low", "ultra")
    assert nearest_effort("ultra", found) == "ultra"
    assert nearest_effort("max", found) == "low"
    told = abilities_of("openai", "mistral-large", compatible=True, efforts=("none", "high"))
    assert (told.thinks, told.efforts) == ("effort", ("none", "high"))
    assert abilities_of("anthropic", "claude-opus-4-5", efforts=THREE).thinks == "adaptive"
    assert abilities_of("gemini", "gemini-2.5-pro", efforts=("low",)).thinks == "level"
    assert abilities_of("openai", "gpt-5", efforts=()).thinks == "never"
    assert abilities_of("gemini", "gemini-2.5-pro", efforts=()).thinks == "token_budget"


@pytest.mark.parametrize(
    ("platform", "model", "wished", "sent"),
    [
        ("openai", "gpt-5", "none", "minimal"),
        ("openai", "gpt-5.1", "none", "none"),
        ("openai", "gpt-5.1", "minimal", "low"),
        ("openai", "gpt-5.1", "max", "high"),
        ("openai", "gpt-5.4", "max", "xhigh"),
        ("openai", "gpt-5.6", "max", "max"),
        ("openai", "gpt-4o", "high", None),
        ("openai", "gpt-5", "turbo", None),
        ("anthropic", "claude-opus-4-6", "xhigh", "high"),
        ("anthropic", "claude-opus-4-7", "xhigh", "xhigh"),
        ("anthropic", "claude-opus-4-7", "minimal", "low"),
        ("anthropic", "claude-sonnet-4-5", "high", None),
        ("gemini", "gemini-3-pro-preview", "medium", "low"),
        ("gemini", "gemini-3.5-flash", "max", "high"),
        ("gemini", "gemini-3.5-flash", "none", "minimal"),
    ],
)
def test_the_nearest_effort(platform: str, model: str, wished: str, sent: str | None):
    assert nearest_effort(wished, abilities_of(platform, model)) == sent


@given(st.sampled_from(SCALE), st.sets(st.sampled_from(SCALE)))
def test_no_other_effort_is_nearer(wished: str, efforts: set[str]):
    rising = tuple(one for one in SCALE if one in efforts)
    sent = nearest_effort(wished, Abilities(thinks="effort", efforts=rising))
    if sent is None:
        assert efforts <= {"none"} and wished not in efforts
        return
    assert sent in efforts
    assert sent != "none" or wished == "none"
    thinking = efforts - {"none"} if wished not in efforts else efforts
    away = [abs(SCALE.index(one) - SCALE.index(wished)) for one in thinking]
    assert abs(SCALE.index(sent) - SCALE.index(wished)) == min(away)


def test_budgets_of_efforts_and_back():
    assert [budget_of(one) for one in SCALE[:-1]] == [0, 512, 1_024, 8_192, 24_576, 32_768]
    assert [effort_of(budget_of(one)) for one in SCALE[:-1]] == list(SCALE[:-1])
    assert budget_of("max") > budget_of("xhigh")
    assert budget_of("ultra") == 8_192
    assert effort_of(-1) == "medium"
    assert effort_of(1) == "minimal"
    assert effort_of(513) == "low"
    assert effort_of(24_577) == "xhigh"
    assert effort_of(10**9) == "xhigh"


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_more_tokens_are_never_less_effort(one: int, other: int):
    low, high = sorted((one, other))
    assert SCALE.index(effort_of(low)) <= SCALE.index(effort_of(high))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("gpt-5-high", ("gpt-5", "high")),
        ("claude-opus-4-8-xhigh", ("claude-opus-4-8", "xhigh")),
        ("a-b-none", ("a-b", "none")),
        ("gpt-5", None),
        ("-high", None),
        ("gpt-5high", None),
        ("gpt-5-highest", None),
    ],
)
def test_a_name_with_an_effort(name: str, parts: tuple[str, str] | None):
    assert split_effort(name) == parts


@given(st.sampled_from(PLATFORMS), st.text(max_size=80), st.booleans())
def test_every_name_has_abilities(platform: str, model: str, compatible: bool):
    found = abilities_of(platform, model, compatible=compatible)
    assert bool(found.efforts) is (found.thinks in {"effort", "adaptive", "level"})


def _recorded_efforts(corpus: Path) -> list[tuple[str, str, str, bool]]:
    """Return (platform, model, effort, accepted) of the vendors' own answers."""
    found = []
    for path in sorted(corpus.glob("*/*.json")):
        record = json.loads(path.read_bytes())
        body: Any = record["request"].get("body")
        status = record["response"]["status"]
        if record["provider"] not in {"openai", "anthropic"} or status not in {200, 400}:
            continue
        if not isinstance(body, dict):
            continue
        places = (body, body.get("reasoning"), body.get("output_config"))
        names = ("reasoning_effort", "effort", "effort")
        for place, name in zip(places, names, strict=True):
            if isinstance(place, dict) and place.get(name):
                found.append((record["provider"], body["model"], place[name], status == 200))
    return found


def test_the_table_agrees_with_the_recordings(corpus: Path):
    recorded = _recorded_efforts(corpus)
    assert len(recorded) > 30
    for platform, model, effort, accepted in recorded:
        assert not accepted or effort in abilities_of(platform, model).efforts, (model, effort)
    refused = {("claude-opus-4-6", "xhigh"), ("gpt-5-chat-latest", "low"), ("o4-mini", "minimal")}
    for platform, model, effort, accepted in recorded:
        if (model, effort) in refused:
            assert not accepted
            assert effort not in abilities_of(platform, model).efforts, (model, effort)
