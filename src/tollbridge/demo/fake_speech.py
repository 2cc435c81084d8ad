"""Owns what the pretend model says, whatever the protocol: thoughts, text, calls, images, counts.

Pure: a request's wishes and a script in, a speech out. It must not know how it looks on the wire.
Wishes are what the request itself asks for; they decide only where the script says nothing.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from tollbridge.demo.fake_schema import sample
from tollbridge.demo.fake_script import TOOL, Script, greeting, words_of

IMAGE_TOKENS = 1_290
"""What one image in an answer counts as."""

THOUGHT = "Let me think about it."
REFUSAL = "I cannot help with that."
_TOOL_ASKED = re.compile(r"\btool(s?)\b", re.IGNORECASE)
_IMAGE_ASKED = re.compile(r"\b(?:draw|images?|pictures?)\b", re.IGNORECASE)
_BYTES_PER_TOKEN = 4

Ending = Literal[
    "end",
    "calls",
    "length",
    "context",
    "refusal",
    "filter",
    "sequence",
    "pause",
    "fault",
]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the request declares; a custom one takes free text."""

    name: str
    schema: Any = None
    custom: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks for. `forced` is the name of a tool that must be called, "" any.

    `answered` says that the request ends with the result of a tool, so that none is called again.
    `schema` is what the answer must fit; True asks for any JSON object. `thinks` asks for
    reasoning, `shows` asks to see it.
    """

    model: str
    prompt_tokens: int
    limit: int | None = None
    choices: int = 1
    tools: tuple[Tool, ...] = ()
    forced: str | None = None
    parallel: bool = True
    answered: bool = False
    asked: str = ""
    schema: Any = None
    thinks: bool = False
    shows: bool = False
    image_tool: bool = False
    image: bool = False
    search_tool: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call as it is said; `whole` unless the limit cut its arguments."""

    id: str
    name: str
    tokens: tuple[str, ...]
    custom: bool = False
    whole: bool = True

    @property
    def text(self) -> str:
        """The arguments as text: JSON, or what a custom tool takes."""
        return "".join(self.tokens)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as an object; text that is none stands in one under `input`."""
        try:
            found = json.loads(self.text or "{}")
        except ValueError:
            found = None
        return found if isinstance(found, dict) else {"input": self.text} if self.whole else {}


@dataclass(frozen=True, slots=True)
class Counts:
    """What was used. `prompt` includes cached and written tokens, `output` the reasoning."""

    prompt: int
    cached: int
    written_5m: int
    written_1h: int
    output: int
    reasoning: int
    image: int

    @property
    def written(self) -> int:
        """Tokens written to a cache."""
        return self.written_5m + self.written_1h

    @property
    def fresh(self) -> int:
        """Prompt tokens that were neither read from nor written to a cache."""
        return self.prompt - self.cached - self.written


@dataclass(frozen=True, slots=True)
class Speech:
    """One answer. `thought` None means that no reasoning is shown; `counts` is of all choices."""

    thought: tuple[str, ...] | None
    reasoning: int
    text: tuple[str, ...]
    calls: tuple[Call, ...]
    images: int
    ending: Ending
    counts: Counts
    searches: int = 0

    @property
    def said(self) -> str:
        """The whole text."""
        return "".join(self.text)

    @property
    def thoughts(self) -> str:
        """The whole visible reasoning."""
        return "".join(self.thought or ())


@dataclass(frozen=True, slots=True)
class Talk:
    """One answer as it happens: the speech, the script behind it, and what marks it as this one.

    `serial` counts calls, `created` is in s since the epoch.
    """

    model: str
    script: Script
    speech: Speech
    serial: int
    created: int

    @property
    def named(self) -> str:
        """The model that says it answered."""
        return self.script.model or self.model

    @property
    def tells_usage(self) -> bool:
        """Whether the answer has a usage member at all."""
        return self.script.usage != "none" and not self.script.finish_without_usage


_NOTHING = Counts(0, 0, 0, 0, 0, 0, 0)


def prompt_tokens(*read: bytes) -> int:
    """Return about a token for each four bytes of what the model would read; at least one."""
    return max(1, sum(map(len, read)) // _BYTES_PER_TOKEN)


def speak(wish: Wish, script: Script, serial: int) -> Speech:
    """Return what the model says, cut at the caller's limit: reasoning first, then text, calls.

    `serial` tells the ids of two answers apart.
    """
    thought = _thought(wish, script)
    reasoning = script.reasoning or len(thought or ())
    if not thought and not script.reasoning and wish.thinks and script.thought is None:
        reasoning = len(words_of(THOUGHT))
    if script.empty:
        thought, reasoning = None, 0
    text, calls, images = _content(wish, script, serial)
    whole = Speech(thought, reasoning, text, calls, images, "end", _NOTHING)
    cut = _cut(whole, wish.limit)
    image_tokens = images * IMAGE_TOKENS
    spoken = cut.reasoning + len(cut.text) + sum(len(call.tokens) for call in cut.calls)
    prompt = wish.prompt_tokens if script.prompt_tokens is None else script.prompt_tokens
    cached = min(script.cached_tokens, prompt)
    short = min(script.cache_write_tokens, prompt - cached)
    long = min(script.cache_write_1h_tokens, prompt - cached - short)
    output = (spoken + image_tokens) * wish.choices
    counts = Counts(
        prompt,
        cached,
        short,
        long,
        output,
        cut.reasoning * wish.choices,
        image_tokens * wish.choices,
    )
    searches = script.searches or int(wish.search_tool and "search" in wish.asked.lower())
    return replace(cut, ending=_ending(cut, whole, script), counts=counts, searches=searches)


def _thought(wish: Wish, script: Script) -> tuple[str, ...] | None:
    if script.thought == "" or not (wish.shows or script.thought or script.redacted):
        return None
    return words_of(script.thought or THOUGHT, script.reasoning or None)


def _content(
    wish: Wish, script: Script, serial: int
) -> tuple[tuple[str, ...], tuple[Call, ...], int]:
    """Return text, calls and images before any limit."""
    if script.empty:
        return (), (), 0
    text = greeting(wish.model) if script.text is None else script.text
    words = words_of(text, script.tokens if script.tokens is not None else script.events)
    if script.tool_calls:
        first, *others = (f"call_fake{serial}_{at}" for at in range(int(script.tool_calls)))
        calls = (Call(first, TOOL, words), *(Call(made, TOOL, ()) for made in others))
        return (), calls, script.images
    if script.calls:
        return (words_of(script.text or ""), _scripted(script, serial), script.images)
    if script.decides:
        return (words_of(REFUSAL) if script.stop == "refusal" else words), (), script.images
    if called := _called(wish):
        return (), tuple(_made_up(tool, f"call_fake{serial}_{at}") for at, tool in called), 0
    if wish.schema is not None:
        made = {"answer": "toll"} if wish.schema is True else sample(wish.schema)
        return words_of(json.dumps(made, ensure_ascii=False)), (), 0
    return words, (), int(_draws(wish))


def _scripted(script: Script, serial: int) -> tuple[Call, ...]:
    calls = []
    for at, one in enumerate(script.calls):
        given = one.arguments
        text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        made = one.id or f"call_fake{serial}_{at}"
        calls.append(Call(made, one.name, words_of(text), one.custom))
    return tuple(calls)


def _called(wish: Wish) -> Iterable[tuple[int, Tool]]:
    """Return the tools to call: the forced one; "tool" in the last message asks for one, "tools" for all."""
    if wish.answered or not wish.tools:
        return ()
    if wish.forced:
        named = [tool for tool in wish.tools if tool.name == wish.forced]
        return list(enumerate(named[:1]))
    asked = _TOOL_ASKED.findall(wish.asked)
    if wish.forced is None and not asked:
        return ()
    several = "s" in [plural.lower() for plural in asked] and wish.parallel
    return list(enumerate(wish.tools if several else wish.tools[:1]))


def _made_up(tool: Tool, made: str) -> Call:
    text = "look here" if tool.custom else json.dumps(sample(tool.schema or {"type": "object"}))
    return Call(made, tool.name, words_of(text), tool.custom)


def _draws(wish: Wish) -> bool:
    return wish.image or (wish.image_tool and bool(_IMAGE_ASKED.search(wish.asked)))


def _cut(whole: Speech, limit: int | None) -> Speech:
    """Leave out what is over the limit; a call without its first token is not made."""
    if limit is None:
        return whole
    room = limit
    reasoning = min(whole.reasoning, room)
    room -= reasoning
    thought = None if whole.thought is None else whole.thought[:reasoning]
    text = whole.text[:room]
    room -= len(text)
    calls = []
    for call in whole.calls:
        if not room and call.tokens:
            break
        kept = call.tokens[:room]
        room -= len(kept)
        calls.append(replace(call, tokens=kept, whole=len(kept) == len(call.tokens)))
    return replace(whole, thought=thought, reasoning=reasoning, text=text, calls=tuple(calls))


def _ending(cut: Speech, whole: Speech, script: Script) -> Ending:
    if script.stop is not None:
        return script.stop
    if cut != whole:
        return "length"
    return "calls" if cut.calls else "end"
