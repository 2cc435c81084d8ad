"""Lists of models in three shapes."""

import json

import pytest
from anthropic.types import ModelInfo
from openai.types import Model

from tollbridge.demo import fake_models


@pytest.mark.parametrize(
    ("make", "member", "name"),
    [
        (fake_models.openai, "data", "id"),
        (fake_models.anthropic, "data", "id"),
        (fake_models.gemini, "models", "name"),
    ],
)
def test_lists_and_single_ones(make, member, name):
    listed = json.loads(make(None))[member]
    assert [one[name].removeprefix("models/") for one in listed] == list(fake_models.MODELS)
    assert json.loads(make("gpt-test")) == listed[0]
    assert make("other") is None


def test_shapes():
    Model.model_validate(json.loads(fake_models.openai("gpt-test")))
    found = json.loads(fake_models.anthropic("claude-test"))
    assert ModelInfo.model_validate(found).display_name == "claude-test"
