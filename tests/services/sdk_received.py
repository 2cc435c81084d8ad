"""Owns what the calls by the official SDKs share: clients, questions, and what is received.

The clients validate strictly where they can, and do not retry. `base_url` has no version.
"""

from dataclasses import dataclass, field
from typing import Any

import httpx2
from anthropic import Anthropic
from google import genai
from google.genai import types
from openai import OpenAI
from pydantic import BaseModel

from tests.services.plain import PLAIN

QUESTION = "What is a bridge for?"
TOOL_QUESTION = "What does Basel charge? Use the tool."
TOOLS_QUESTION = "What do they charge and when? Use both tools."
THINKING_BUDGET = 2_048
LIMIT = 4_096
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = (("toll", "The toll of a city."), ("hours", "The opening hours of a city's bridge."))


class Fee(BaseModel):
    """What a structured answer has."""

    city: str
    cents: int


@dataclass
class Received:
    """What arrived, in words that are the same for all SDKs. `raw` is the SDK's own answer."""

    text: str = ""
    thoughts: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    finish: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    model: str | None = None
    pieces: int = 0
    parsed: Any = None
    raw: Any = None


def openai_client(base_url: str, key: str, **options: Any) -> OpenAI:
    """Return the official client: strict, and without retries of its own."""
    usual: dict[str, Any] = {"max_retries": 0, "_strict_response_validation": True}
    http = httpx2.Client(verify=PLAIN, trust_env=False)
    return OpenAI(base_url=f"{base_url}/v1", api_key=key, http_client=http, **usual | options)


def anthropic_client(base_url: str, key: str, **options: Any) -> Anthropic:
    """Return the official client: strict, and without retries of its own."""
    usual: dict[str, Any] = {"max_retries": 0, "_strict_response_validation": True}
    http = httpx2.Client(verify=PLAIN, trust_env=False)
    return Anthropic(base_url=base_url, api_key=key, http_client=http, **usual | options)


def gemini_client(base_url: str, key: str, **options: Any) -> genai.Client:
    """Return the official client; its models refuse unknown fields by themselves."""
    plain = {"verify": PLAIN, "trust_env": False}
    http = types.HttpOptions(
        base_url=base_url, client_args=plain, async_client_args=plain, **options
    )
    return genai.Client(api_key=key, http_options=http)
