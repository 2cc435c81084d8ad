"""Owns which of the pretend vendor's endpoints answers a call, chat completions left out.

Each vendor has its own place for the secret and its own words for refusals. It must not know of
sockets; what the answers look like is known to the other files.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tollbridge.core.clock import now_ms
from tollbridge.demo import (
    fake_audio,
    fake_embeddings,
    fake_errors,
    fake_files,
    fake_gemini,
    fake_images,
    fake_messages,
    fake_models,
    fake_reply,
    fake_responses,
    fake_responses_stream,
    fake_stored,
)
from tollbridge.demo.fake_books import Books, Call
from tollbridge.demo.fake_errors import ANTHROPIC, GOOGLE, GOOGLE_ARRAY, OPENAI, Tongue
from tollbridge.demo.fake_fate import fate, refused
from tollbridge.demo.fake_form import Form, read_form
from tollbridge.demo.fake_openai import Event
from tollbridge.demo.fake_reply import Reply
from tollbridge.demo.fake_script import Ask, BadAsk, Script, decoded, script_of
from tollbridge.demo.fake_speech import Talk, Wish, speak

_MS = 1_000
_GEMINI = re.compile(r"^/v[^/]*/(?:.+/)?models/(?P<model>[^:]+):(?P<verb>[A-Za-z]+)$")
_GEMINI_MODELS = re.compile(r"^/v1(?:alpha|beta)\d*/models(?:/(?P<model>[^:/]+))?$")
_MODELS = "/v1/models"
_MESSAGES = "/v1/messages"
_RESPONSES = "/v1/responses"


@dataclass(frozen=True, slots=True)
class Visit:
    """One call at an endpoint, and the words in which it is refused."""

    books: Books
    call: Call
    body: bytes
    tongue: Tongue

    def entered(self, ask: Ask, fake: bytes, *read: msgspec.Raw) -> tuple[Script, Reply | None]:
        """Note what the call asks for; return its script and the fate that it may have."""
        script = script_of(fake, self.books.defaults(self.call.secret))
        self.books.describe(self.call, ask, script)
        return script, fate(self.books, script, read, self.tongue)

    def talk(self, wish: Wish, script: Script) -> Talk:
        """Return what the model says to a wish."""
        serial = self.books.count
        return Talk(wish.model, script, speak(wish, script, serial), serial, now_ms() // _MS)

    def form(self) -> Form:
        """Return the call's body as a form; BadAsk when it is none."""
        return read_form(self.call.header(b"content-type"), self.body)

    @property
    def is_form(self) -> bool:
        """Whether the body is a form."""
        return self.call.header(b"content-type").startswith("multipart/")


def answered(books: Books, call: Call, body: bytes) -> Reply:
    """Return the answer to a call of any endpoint but chat, or the refusal of it."""
    path = call.path
    if fake_files.is_kept(path):
        return fake_files.answered(books, call, body)
    if path in {_MESSAGES, f"{_MESSAGES}/count_tokens"}:
        return _anthropic(Visit(books, call, body, ANTHROPIC))
    if found := _GEMINI.match(path):
        return _gemini(books, call, body, found["model"], found["verb"])
    if path.startswith(_MODELS) or _GEMINI_MODELS.match(path):
        return _models(books, call)
    visit = Visit(books, call, body, OPENAI)
    if call.place != "authorization":
        return refused(OPENAI, 401, "You didn't provide an API key.")
    if fake_stored.is_stored(path):
        return fake_stored.answered(books, call)
    endpoint = _OPENAI.get(path)
    if endpoint is None or call.method != "POST":
        return refused(OPENAI, 404, f"Unknown request URL: {call.method} {path}.")
    try:
        return endpoint(visit)
    except BadAsk as error:
        return refused(OPENAI, 400, str(error))


def _responses(visit: Visit) -> Reply:
    asked = decoded(fake_responses.decoder, visit.body)
    ask = fake_responses.ask_of(asked)
    script, end = visit.entered(ask, bytes(asked.fake), asked.input, asked.instructions)
    if end is not None:
        return end
    if not asked.model:
        raise BadAsk("Missing required parameter: 'model'.")
    if _belongs_elsewhere(visit, asked.previous_response_id):
        raise BadAsk(f"Previous response with id '{asked.previous_response_id}' not found.")
    request: dict[str, Any] = msgspec.json.decode(visit.body)
    talk = visit.talk(fake_responses.wish_of(asked), script)
    body = fake_responses.unary(talk, request, encrypted=asked.encrypted)
    if asked.store is not False:
        made = fake_responses.made(talk, "resp")
        fake_stored.keep(visit.books, visit.call.secret, made, request, body)
    begun = fake_responses.begun(talk, request)
    if asked.stream:
        events = fake_responses_stream.stream(talk, request, encrypted=asked.encrypted)
        return fake_reply.streamed(
            script, events, lambda broken: fake_errors.broken_responses(broken, begun)
        )
    if asked.background:
        return fake_reply.unary(script, msgspec.json.encode({**begun, "status": "queued"}), 0)
    return fake_reply.unary(script, body, talk.speech.counts.output)


def _belongs_elsewhere(visit: Visit, made: str | None) -> bool:
    """Whether an id was given to another account; ids that were never given out are believed."""
    if made is None or visit.books.kept(visit.call.secret, made) is not None:
        return False
    return any(name == made for _, name in visit.books.responses)


def _input_tokens(visit: Visit) -> Reply:
    asked = decoded(fake_responses.decoder, visit.body)
    script, end = visit.entered(fake_responses.ask_of(asked), bytes(asked.fake), asked.input)
    return end or fake_reply.unary(script, fake_responses.input_tokens(asked), 0)


def _compact(visit: Visit) -> Reply:
    asked = decoded(fake_responses.decoder, visit.body)
    script, end = visit.entered(fake_responses.ask_of(asked), bytes(asked.fake), asked.input)
    if end is not None:
        return end
    talk = visit.talk(Wish(asked.model, asked.prompt_tokens), script)
    body = fake_responses.compacted(talk, asked)
    return fake_reply.unary(script, body, talk.speech.counts.output)


def _anthropic(visit: Visit) -> Reply:
    call = visit.call
    if call.method != "POST":
        return refused(ANTHROPIC, 405, "Method Not Allowed")
    if call.place not in {"x-api-key", "authorization"}:
        return refused(ANTHROPIC, 401, "x-api-key header is required")
    if not call.header(b"anthropic-version"):
        return refused(ANTHROPIC, 400, "anthropic-version: header is required")
    try:
        return _messages(visit, counting=call.path != _MESSAGES)
    except BadAsk as error:
        return refused(ANTHROPIC, 400, str(error))


def _messages(visit: Visit, *, counting: bool) -> Reply:
    asked = decoded(fake_messages.decoder, visit.body)
    read = (asked.messages, asked.system)
    script, end = visit.entered(fake_messages.ask_of(asked), bytes(asked.fake), *read)
    if end is not None:
        return end
    if complaint := fake_messages.missing(asked, counting=counting):
        raise BadAsk(complaint)
    if counting:
        return fake_reply.unary(script, fake_messages.count(asked), 0)
    talk = visit.talk(fake_messages.wish_of(asked), script)
    stop = asked.stop_sequences
    if asked.stream:
        events = fake_messages.stream(talk, stop)
        kind = fake_reply.SSE + ANTHROPIC.headers
        return fake_reply.streamed(script, events, fake_errors.broken_messages, kind)
    kind = fake_reply.JSON + ANTHROPIC.headers
    return fake_reply.unary(
        script, fake_messages.unary(talk, stop), talk.speech.counts.output, kind
    )


def _gemini(books: Books, call: Call, body: bytes, model: str, verb: str) -> Reply:
    streams = verb == "streamGenerateContent"
    array = streams and parse_qs(call.query).get("alt") != ["sse"]
    visit = Visit(books, call, body, GOOGLE_ARRAY if array else GOOGLE)
    if call.place not in {"x-goog-api-key", "key", "authorization"}:
        text = "Method doesn't allow unregistered callers. Please use API Key."
        return refused(visit.tongue, 403, text)
    generates = streams or verb == "generateContent"
    if not (generates or verb in _GEMINI_VERBS) or call.method != "POST":
        text = f"models/{model} is not found, or is not supported for {verb}."
        return refused(visit.tongue, 404, text)
    try:
        if generates:
            return _generated(visit, model, streams=streams, array=array)
        return _GEMINI_VERBS[verb](visit, model)
    except BadAsk as error:
        return refused(visit.tongue, 400, str(error))


def _generated(visit: Visit, model: str, *, streams: bool, array: bool) -> Reply:
    asked = fake_gemini.read_ask(visit.body)
    ask = fake_gemini.ask_of(asked, model, streams=streams)
    read = (asked.contents, asked.system_instruction)
    script, end = visit.entered(ask, bytes(asked.fake), *read)
    if end is not None:
        return end
    if not len(asked.contents):
        raise BadAsk("* GenerateContentRequest.contents: contents is not specified\n")
    wish = fake_gemini.wish_of(asked, model)
    talk = visit.talk(wish, script)
    if not streams:
        body = fake_gemini.unary(talk, wish.choices)
        return fake_reply.unary(script, body, talk.speech.counts.output)
    events = fake_gemini.stream(talk, wish.choices, array=array)
    return fake_reply.streamed(
        script,
        events,
        lambda broken: fake_errors.broken_gemini(broken, array=array),
        fake_reply.JSON if array else fake_reply.SSE,
    )


def _gemini_count(visit: Visit, model: str) -> Reply:
    asked = fake_gemini.read_ask(visit.body)
    ask = fake_gemini.ask_of(asked, model, streams=False)
    script, end = visit.entered(ask, bytes(asked.fake), asked.contents)
    return end or fake_reply.unary(script, fake_gemini.count(asked), 0)


def _gemini_embed(visit: Visit, model: str) -> Reply:
    asked = decoded(fake_embeddings.gemini_decoder, visit.body)
    script, end = visit.entered(Ask(model=model), bytes(asked.fake))
    if end is not None:
        return end
    several = visit.call.path.endswith(":batchEmbedContents")
    make = fake_embeddings.gemini_embeddings if several else fake_embeddings.gemini_embedding
    return fake_reply.unary(script, make(asked, script), 0)


def _models(books: Books, call: Call) -> Reply:
    """Answer the lists of models, which need a secret but have no script of their own."""
    listed = _GEMINI_MODELS.match(call.path)
    tongue, name = OPENAI, call.path.removeprefix(_MODELS).strip("/") or None
    make: Callable[[str | None], bytes | None] = fake_models.openai
    if listed or call.place in {"x-goog-api-key", "key"}:
        tongue, make = GOOGLE, fake_models.gemini
        name = listed["model"] if listed else name
    elif call.header(b"anthropic-version"):
        tongue, make = ANTHROPIC, fake_models.anthropic
    if not call.secret:
        return refused(tongue, 401, "You didn't provide an API key.")
    script = script_of(b"", books.defaults(call.secret))
    if (end := fate(books, script, (), tongue)) is not None:
        return end
    found = make(name)
    if found is None:
        return refused(tongue, 404, f"The model '{name}' does not exist.")
    return fake_reply.unary(script, found, 0)


def _embeddings(visit: Visit) -> Reply:
    asked = decoded(fake_embeddings.decoder, visit.body)
    script, end = visit.entered(Ask(model=asked.model), bytes(asked.fake))
    return end or fake_reply.unary(script, fake_embeddings.embeddings(asked, script), 0)


def _moderations(visit: Visit) -> Reply:
    asked = decoded(fake_embeddings.decoder, visit.body)
    script, end = visit.entered(Ask(model=asked.model), bytes(asked.fake))
    if end is not None:
        return end
    return fake_reply.unary(script, fake_embeddings.moderations(asked, visit.books.count), 0)


def _images(visit: Visit) -> Reply:
    kind = visit.call.path.rpartition("/")[2]
    asked = (
        fake_images.of_form(visit.form())
        if visit.is_form
        else decoded(fake_images.decoder, visit.body)
    )
    ask = Ask(model=asked.model, stream=asked.stream, n=asked.n)
    script, end = visit.entered(ask, bytes(asked.fake))
    if end is not None:
        return end
    fake_images.check(asked, kind)
    now = now_ms() // _MS
    if asked.stream:
        return fake_reply.streamed(script, fake_images.stream(asked, script, now, kind))
    body = fake_images.unary(asked, script, now)
    return fake_reply.unary(script, body, fake_images.spent(asked, script))


def _speech(visit: Visit) -> Reply:
    asked = decoded(fake_audio.speech_decoder, visit.body)
    streams = asked.stream_format == "sse"
    script, end = visit.entered(Ask(model=asked.model, stream=streams), bytes(asked.fake))
    if end is not None:
        return end
    fake_audio.check_speech(asked)
    if streams:
        return fake_reply.streamed(script, fake_audio.speech_stream(asked, script))
    sound, name = fake_audio.speech(asked, script)
    kind = b"content-type: %s\r\n" % name.encode()
    if script.events is None:
        return fake_reply.unary(script, sound, 0, kind)
    size = max(1, -(-len(sound) // max(1, script.events)))
    parts = [Event(sound[at : at + size]) for at in range(0, len(sound), size)]
    return fake_reply.streamed(script, parts, kind=kind)


def _transcripts(visit: Visit) -> Reply:
    form = visit.form()
    streams = form.text("stream") == "true"
    ask = Ask(model=form.text("model"), stream=streams)
    script, end = visit.entered(ask, form.text("fake").encode())
    if end is not None:
        return end
    fake_audio.check_form(form)
    if streams:
        return fake_reply.streamed(script, fake_audio.transcript_stream(form, script))
    task = "translate" if visit.call.path.endswith("translations") else "transcribe"
    body, name = fake_audio.transcript(form, script, task)
    kind = b"content-type: %s\r\n" % name.encode()
    return fake_reply.unary(script, body, fake_audio.said_tokens(script), kind)


_OPENAI: dict[str, Callable[[Visit], Reply]] = {
    _RESPONSES: _responses,
    f"{_RESPONSES}/input_tokens": _input_tokens,
    f"{_RESPONSES}/compact": _compact,
    "/v1/embeddings": _embeddings,
    "/v1/moderations": _moderations,
    "/v1/images/generations": _images,
    "/v1/images/edits": _images,
    "/v1/images/variations": _images,
    "/v1/audio/speech": _speech,
    "/v1/audio/transcriptions": _transcripts,
    "/v1/audio/translations": _transcripts,
}
_GEMINI_VERBS: dict[str, Callable[[Visit, str], Reply]] = {
    "countTokens": _gemini_count,
    "embedContent": _gemini_embed,
    "batchEmbedContents": _gemini_embed,
}
