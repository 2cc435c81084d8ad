"""Owns ready configurations: what to copy into a client so that it calls here. Pure.

Every text works as it stands, whatever is in a name or a secret: shell words are quoted, strings are
written as their language reads them. Must not know pages, keys or databases.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from tollbridge.catalog.snapshot import Channel, Model, Snapshot
from tollbridge.catalog.visibility import listed_models
from tollbridge.core.errors import Surface

PLACEHOLDER: Final = "YOUR_API_KEY"
"""What stands where the secret goes when it is not known any more."""

MODEL: Final = "YOUR_MODEL"
"""What stands where a model goes when none is known that fits."""

_HELLO: Final = "Say hello in one word."
_PROVIDER: Final = "tollbridge"
_VARIABLE: Final = "TOLLBRIDGE_API_KEY"
_OTHER_THAN_TEXT: Final = re.compile(
    r"embed|rerank|image|dall-e|imagen|veo|sora|tts|whisper|transcri|speech|moderation|realtime"
)
_FIRST_WORDS: Final = {
    "openai": ("gpt", "o1", "o3", "o4", "codex"),
    "anthropic": ("claude",),
    "gemini": ("gemini",),
}
_NATIVE: Final = {
    "openai": (Surface.CHAT, Surface.RESPONSES),
    "anthropic": (Surface.MESSAGES,),
    "gemini": (Surface.GEMINI,),
}
_ANY: Final = ("any",)
_SHELL: Final = "shell"


@dataclass(frozen=True, slots=True)
class Config:
    """What to copy for one client. `name` is an identifier, `language` that of the text.

    `title` is the client's own name, which no language translates.
    """

    name: str
    title: str
    language: str
    text: str

    @property
    def shell(self) -> bool:
        """Whether the text is to be run in a shell."""
        return self.language == _SHELL


@dataclass(frozen=True, slots=True)
class Target:
    """Where a text is to call: our address without a slash at the end, the secret, a model."""

    url: str
    secret: str
    model: str
    surface: Surface


@dataclass(frozen=True, slots=True)
class _Client:
    """A client: which surfaces it speaks, the likeliest first, and which policies let it in."""

    name: str
    title: str
    language: str
    write: Callable[[Target], str]
    surfaces: tuple[Surface, ...]
    policies: tuple[str, ...] = _ANY
    family: str = ""


def configs(
    snapshot: Snapshot,
    channels: Iterable[Channel],
    allowed: frozenset[str],
    url: str,
    secret: str = PLACEHOLDER,
) -> list[Config]:
    """Return the texts for every client that one of the channels lets in and sells a model to.

    `allowed` are the models of the key, empty for all.
    """
    offered = list(channels)
    made = []
    for client in _CLIENTS:
        found = _target(snapshot, offered, allowed, client)
        if found is not None:
            surface, model = found
            made.append(_config(client, Target(url, secret, model, surface)))
    return made


def examples(snapshot: Snapshot, channels: Iterable[Channel], url: str) -> list[Config]:
    """Return the texts for all clients, to read without a key.

    Those that the channels sell nothing to name MODEL instead of a model.
    """
    found = {one.name: one for one in configs(snapshot, channels, frozenset(), url)}
    return [
        found.get(client.name)
        or _config(client, Target(url, PLACEHOLDER, MODEL, client.surfaces[0]))
        for client in _CLIENTS
    ]


def fitting(channel: Channel) -> list[str]:
    """Return the clients that a channel lets in, each once, whatever language it is used from."""
    titles = (
        re.split("[,:]", client.title)[0]
        for client in _CLIENTS
        if channel.client_policy in client.policies and channel.surfaces & set(client.surfaces)
    )
    return list(dict.fromkeys(titles))


def _config(client: _Client, target: Target) -> Config:
    return Config(client.name, client.title, client.language, client.write(target))


def _target(
    snapshot: Snapshot, channels: list[Channel], allowed: frozenset[str], client: _Client
) -> tuple[Surface, str] | None:
    """Return the surface and the model of a client's call: what is native to a channel first."""
    welcoming = [one for one in channels if one.client_policy in client.policies]
    spoken = [
        (surface not in _NATIVE[one.platform], client.surfaces.index(surface), surface)
        for one in welcoming
        for surface in one.surfaces & set(client.surfaces)
    ]
    for _, _, surface in sorted(spoken):
        speaking = [one for one in welcoming if surface in one.surfaces]
        model = _model(snapshot, speaking, allowed, client.family)
        if model is not None:
            return surface, model
    return None


def _model(
    snapshot: Snapshot, channels: list[Channel], allowed: frozenset[str], family: str
) -> str | None:
    """Return the cheapest model that writes text, of the client's own vendor if there is one."""
    words = _FIRST_WORDS.get(family, ())
    texts = [
        (not name.startswith(words) if words else False, cost, name)
        for name in listed_models(snapshot, channels, allowed)
        if (model := snapshot.model(name)) is not None
        and (cost := _text_cost(name, model)) is not None
    ]
    return min(texts)[2] if texts else None


def _text_cost(name: str, model: Model) -> int | None:
    """Return what a million tokens of a model's text cost; None when it writes none."""
    price = model.price
    if price is None or _OTHER_THAN_TEXT.search(name):
        return None
    if price.images or price.second or price.character:
        return None
    return price.rates.output


def _curl(target: Target) -> str:
    """Write a call of the target's own surface."""
    bearer = f"authorization: Bearer {target.secret}"
    turns = [{"role": "user", "content": _HELLO}]
    path, headers, body = f"/v1/{target.surface}", [bearer], {"model": target.model}
    fields: dict[str, object] = {"messages": turns}
    if target.surface == Surface.CHAT:
        path = "/v1/chat/completions"
    elif target.surface == Surface.RESPONSES:
        fields = {"input": _HELLO}
    elif target.surface == Surface.MESSAGES:
        headers = [f"x-api-key: {target.secret}", "anthropic-version: 2023-06-01"]
        fields = {"max_tokens": 100, "messages": turns}
    else:
        path = f"/v1beta/models/{quote(target.model, safe='')}:generateContent"
        headers, body = [f"x-goog-api-key: {target.secret}"], {}
        fields = {"contents": [{"role": "user", "parts": [{"text": _HELLO}]}]}
    words = [f"curl {shlex.quote(target.url + path)}"]
    headers.append("content-type: application/json")
    words += [f"-H {shlex.quote(header)}" for header in headers]
    words.append(f"-d {shlex.quote(json.dumps({**body, **fields}, ensure_ascii=False))}")
    return " \\\n  ".join(words)


def _openai_python(target: Target) -> str:
    call = f'client.responses.create(model={_string(target.model)}, input="{_HELLO}")'
    shown = "answer.output_text"
    if target.surface == Surface.CHAT:
        call = (
            f"client.chat.completions.create(\n    model={_string(target.model)},\n"
            f'    messages=[{{"role": "user", "content": "{_HELLO}"}}],\n)'
        )
        shown = "answer.choices[0].message.content"
    return (
        "from openai import OpenAI\n\n"
        f"client = OpenAI(base_url={_string(target.url + '/v1')}, api_key={_string(target.secret)})\n"
        f"answer = {call}\nprint({shown})\n"
    )


def _openai_node(target: Target) -> str:
    call = f'client.responses.create({{ model: {_string(target.model)}, input: "{_HELLO}" }})'
    shown = "answer.output_text"
    if target.surface == Surface.CHAT:
        call = (
            f"client.chat.completions.create({{\n  model: {_string(target.model)},\n"
            f'  messages: [{{ role: "user", content: "{_HELLO}" }}],\n}})'
        )
        shown = "answer.choices[0].message.content"
    return (
        'import OpenAI from "openai";\n\n'
        f"const client = new OpenAI({{\n  baseURL: {_string(target.url + '/v1')},\n"
        f"  apiKey: {_string(target.secret)},\n}});\n"
        f"const answer = await {call};\nconsole.log({shown});\n"
    )


def _anthropic_python(target: Target) -> str:
    return (
        "from anthropic import Anthropic\n\n"
        f"client = Anthropic(base_url={_string(target.url)}, api_key={_string(target.secret)})\n"
        f"answer = client.messages.create(\n    model={_string(target.model)},\n"
        "    max_tokens=100,\n"
        f'    messages=[{{"role": "user", "content": "{_HELLO}"}}],\n)\n'
        "print(answer.content[0].text)\n"
    )


def _genai_python(target: Target) -> str:
    return (
        "from google import genai\n\n"
        f"client = genai.Client(\n    api_key={_string(target.secret)},\n"
        f'    http_options={{"base_url": {_string(target.url)}}},\n)\n'
        f"answer = client.models.generate_content(\n    model={_string(target.model)},\n"
        f'    contents="{_HELLO}",\n)\nprint(answer.text)\n'
    )


def _claude_code(target: Target) -> str:
    return _exports(
        {
            "ANTHROPIC_BASE_URL": target.url,
            "ANTHROPIC_AUTH_TOKEN": target.secret,
            "ANTHROPIC_MODEL": target.model,
        }
    )


def _codex_key(target: Target) -> str:
    return _exports({_VARIABLE: target.secret})


def _codex_file(target: Target) -> str:
    return (
        f'model = {_string(target.model)}\nmodel_provider = "{_PROVIDER}"\n\n'
        f'[model_providers.{_PROVIDER}]\nname = "Tollbridge"\n'
        f"base_url = {_string(target.url + '/v1')}\n"
        f'env_key = "{_VARIABLE}"\nwire_api = "responses"\n'
    )


def _cursor(target: Target) -> str:
    return (
        f"OpenAI API Key: {target.secret}\n"
        f"Override OpenAI Base URL: {target.url}/v1\n"
        f"Model: {target.model}\n"
    )


def _exports(variables: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _string(text: str) -> str:
    """Return a string as JSON has it, which Python, JavaScript and TOML read alike."""
    return json.dumps(text, ensure_ascii=False)


_OPENAI: Final = (Surface.CHAT, Surface.RESPONSES)
_CODEX: Final = ("any", "codex")
_CLIENTS: Final = (
    _Client(
        "curl",
        "curl",
        _SHELL,
        _curl,
        (*_OPENAI, Surface.MESSAGES, Surface.GEMINI),
    ),
    _Client("openai-python", "OpenAI SDK, Python", "python", _openai_python, _OPENAI),
    _Client("openai-node", "OpenAI SDK, Node.js", "javascript", _openai_node, _OPENAI),
    _Client(
        "anthropic-python",
        "Anthropic SDK, Python",
        "python",
        _anthropic_python,
        (Surface.MESSAGES,),
        family="anthropic",
    ),
    _Client(
        "genai-python",
        "Google GenAI SDK, Python",
        "python",
        _genai_python,
        (Surface.GEMINI,),
        family="gemini",
    ),
    _Client(
        "claude-code",
        "Claude Code",
        _SHELL,
        _claude_code,
        (Surface.MESSAGES,),
        ("any", "claude-code"),
        "anthropic",
    ),
    _Client(
        "codex-key",
        "Codex CLI",
        _SHELL,
        _codex_key,
        (Surface.RESPONSES,),
        _CODEX,
        "openai",
    ),
    _Client(
        "codex-file",
        "Codex CLI: ~/.codex/config.toml",
        "toml",
        _codex_file,
        (Surface.RESPONSES,),
        _CODEX,
        "openai",
    ),
    _Client("cursor", "Cursor", "text", _cursor, (Surface.CHAT,), family="openai"),
)
