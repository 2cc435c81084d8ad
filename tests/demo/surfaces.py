"""The least request that each of the pretend vendor's endpoints answers."""

from typing import Any

import httpx2

BEARER = {"authorization": "Bearer one"}
ANTHROPIC = {"x-api-key": "one", "anthropic-version": "2023-06-01"}
GOOGLE = {"x-goog-api-key": "one"}
HELLO = {"role": "user", "content": "Hello"}
GENERATE = "/v1beta/models/gemini-test:generateContent"
STREAM = "/v1beta/models/gemini-test:streamGenerateContent"
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
SURFACES: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", BEARER, {"model": "m", "messages": [HELLO]}),
    "responses": ("/v1/responses", BEARER, {"model": "m", "input": "Hello"}),
    "messages": ("/v1/messages", ANTHROPIC, {"model": "m", "max_tokens": 99, "messages": [HELLO]}),
    "gemini": (GENERATE, GOOGLE, CONTENTS),
    "gemini stream": (f"{STREAM}?alt=sse", GOOGLE, CONTENTS),
    "gemini array": (STREAM, GOOGLE, CONTENTS),
    "input_tokens": ("/v1/responses/input_tokens", BEARER, {"model": "m", "input": "Hello"}),
    "compact": ("/v1/responses/compact", BEARER, {"model": "m", "input": "Hello"}),
    "count_tokens": ("/v1/messages/count_tokens", ANTHROPIC, {"model": "m", "messages": [HELLO]}),
    "countTokens": ("/v1beta/models/m:countTokens", GOOGLE, CONTENTS),
    "embeddings": ("/v1/embeddings", BEARER, {"model": "m", "input": "Hello"}),
    "moderations": ("/v1/moderations", BEARER, {"model": "m", "input": "Hello"}),
    "images": ("/v1/images/generations", BEARER, {"model": "gpt-image-1", "prompt": "a"}),
    "speech": ("/v1/audio/speech", BEARER, {"model": "m", "input": "a", "voice": "b"}),
}


def post(
    client: httpx2.Client, surface: str, headers: dict[str, str] | None = None, **more: Any
) -> httpx2.Response:
    """Send it, with other headers or more fields if given."""
    path, usual, body = SURFACES[surface]
    return client.post(path, headers=usual if headers is None else headers, json={**body, **more})
