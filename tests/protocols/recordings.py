"""Reads recorded traffic for the tests of protocols; knows nothing of the code under test."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Providers whose chat streams are the protocol itself; all others count as compatible.
FIRST_PARTY = frozenset({"openai", "azure"})


@dataclass(frozen=True)
class Recording:
    """One recorded answer with status 200."""

    file: str
    provider: str
    request: Any
    body: Any
    sse: bytes | None
    cuts: tuple[int, ...]

    @property
    def compatible(self) -> bool:
        return self.provider not in FIRST_PARTY

    def chunks(self) -> list[bytes]:
        """Return the stream in the pieces in which it came."""
        data, chunks = self.sse or b"", []
        for size in self.cuts:
            chunks.append(data[:size])
            data = data[size:]
        return [*chunks, data] if data else chunks

    def events(self) -> list[Any]:
        """Return the parsed data of all events, read in the simplest way there is."""
        text = (self.sse or b"").decode()
        lines = [line[5:].strip() for line in re.split(r"\r?\n", text) if line.startswith("data:")]
        return [json.loads(line) for line in lines if line and line != "[DONE]"]


def load(corpus: Path, folder: str) -> list[Recording]:
    """Return all recordings of a protocol with status 200."""
    found = []
    for path in sorted((corpus / folder).glob("*.json")):
        record = json.loads(path.read_bytes())
        answer = record["response"]
        if answer["status"] != 200:
            continue
        sse = answer.get("sse")
        found.append(
            Recording(
                file=path.name,
                provider=record["provider"],
                request=record["request"].get("body"),
                body=answer.get("body"),
                sse=None if sse is None else sse.encode(),
                cuts=tuple(answer.get("chunk_bytes") or ()),
            )
        )
    return found


def plain_usage(given: Any) -> tuple[int, int, int] | None:
    """Return (input, output, cached) of a usage object by the rules of the research, done by hand."""
    if not given or given.get("prompt_tokens") is None:
        return None
    prompt, made, total = given["prompt_tokens"], given["completion_tokens"], given["total_tokens"]
    cached = (given.get("prompt_tokens_details") or {}).get("cached_tokens")
    for other in ("cached_tokens", "prompt_cache_hit_tokens", "num_cached_tokens"):
        cached = given.get(other) if cached is None else cached
    return prompt, max(made, total - prompt), min(cached or 0, prompt)
