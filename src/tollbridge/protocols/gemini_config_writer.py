"""Owns the writing of a request's settings as Gemini's `generationConfig`.

By what the model can be told. Must not know turns or tools.
"""

from typing import Final

from tollbridge.protocols.abilities import Addressee, budget_of, effort_of, nearest_effort
from tollbridge.protocols.conversation import Conversation, Format, Json, Thinking, Wire
from tollbridge.protocols.gemini_names import spelled
from tollbridge.protocols.losses import Losses, Untranslatable
from tollbridge.protocols.schema_rules import gemini_schema

_HOTTEST: Final = 2
_IMAGE_OPTIONS: Final = frozenset(
    {"aspectRatio", "imageSize", "personGeneration", "outputMimeType", "outputCompressionQuality"}
)
_SAID_BY_SUMMARY: Final = frozenset({"auto", "concise", "detailed"})


class ConfigWriter:
    """Writes the settings of one request."""

    def __init__(self, conversation: Conversation, to: Addressee, losses: Losses) -> None:
        self._asked = conversation
        self._same = conversation.wire is Wire.GEMINI
        self._to = to
        self._losses = losses

    def config(self) -> Json:
        """Return the settings that the client gave; Untranslatable names the field of others."""
        asked = self._asked
        made = self._sampling()
        if asked.max_output is not None:
            limit = self._to.max_output
            cut = limit and not self._same
            made["maxOutputTokens"] = min(asked.max_output, limit) if cut else asked.max_output
        if asked.stop:
            made["stopSequences"] = asked.stop
        for name, value in (
            ("seed", asked.seed),
            ("presencePenalty", asked.presence_penalty),
            ("frequencyPenalty", asked.frequency_penalty),
        ):
            if value is not None:
                made[name] = value
        if asked.copies != 1:
            made["candidateCount"] = asked.copies
        if asked.logprobs is not None:
            made["responseLogprobs"] = True
            if asked.logprobs:
                made["logprobs"] = asked.logprobs
        if asked.format is not None:
            made |= self._format(asked.format)
        thinking = self._thinking()
        if thinking:
            made["thinkingConfig"] = thinking
        return made | self._media()

    def _sampling(self) -> Json:
        asked = self._asked
        made: Json = {}
        temperature = asked.temperature
        if temperature is not None and not self._same and temperature > _HOTTEST:
            self._losses.note("temperature")
            temperature = _HOTTEST
        for name, code, value in (
            ("temperature", "temperature", temperature),
            ("topP", "top_p", asked.top_p),
            ("topK", "top_k", asked.top_k),
        ):
            if value is None:
                continue
            if self._same or self._to.abilities.sampling:
                made[name] = value
            else:
                self._losses.note(code)
        return made

    def _format(self, form: Format) -> Json:
        made: Json = {"responseMimeType": "application/json"}
        if form.kind == "schema" and form.schema is not None:
            if self._to.compatible and not self._same:
                made["responseSchema"] = gemini_schema(form.schema, self._losses)
            else:
                made["responseJsonSchema"] = form.schema
        return made

    def _media(self) -> Json:
        asked = self._asked
        made: Json = {}
        if asked.modalities and (self._same or asked.modalities != ["text"]):
            made["responseModalities"] = [name.upper() for name in asked.modalities]
        if asked.image_options is not None:
            options = spelled(asked.image_options)
            unknown = next((name for name in options if name not in _IMAGE_OPTIONS), None)
            if unknown is not None and not self._same:
                reason = f"This model's vendor knows no option {unknown} of images."
                raise Untranslatable("image_config", reason)
            made["imageConfig"] = options
        if asked.audio_options:
            voice = asked.audio_options.get("voice")
            if isinstance(voice, str):
                chosen = {"prebuiltVoiceConfig": {"voiceName": voice}}
                made["speechConfig"] = {"voiceConfig": chosen}
        return made

    # ------------------------------------------------------------ thinking

    def _thinking(self) -> Json:
        """Return how much the model is to think (protocols.md 5.7)."""
        wish = self._asked.thinking
        if wish is None:
            return {}
        if self._same:
            return _as_said(wish)
        thinks = self._to.abilities.thinks
        made: Json = {}
        if thinks == "level":
            made = self._level(wish)
        elif thinks == "token_budget":
            made = self._budget(wish)
        elif _wants(wish):
            self._losses.note("effort")
        if thinks in {"level", "token_budget"} and self._shown(wish):
            made["includeThoughts"] = True
        return made

    def _level(self, wish: Thinking) -> Json:
        effort = wish.effort
        if effort is None and wish.budget is not None and wish.budget >= 0:
            effort = effort_of(wish.budget)
        if wish.enabled is False:
            effort = "none"
        if effort is None:
            return {}
        level = nearest_effort(effort, self._to.abilities)
        if level != effort:
            self._losses.note("effort")
        return {} if level is None or level == "none" else {"thinkingLevel": level.upper()}

    def _budget(self, wish: Thinking) -> Json:
        abilities = self._to.abilities
        budget = wish.budget
        if wish.enabled is False:
            budget = 0
        elif budget is None and wish.effort is not None:
            budget = budget_of(wish.effort)
        elif budget is None and (wish.adaptive or wish.enabled):
            budget = -1
        if budget is None:
            return {}
        told = budget
        if budget == 0 and abilities.always_thinks:
            told = abilities.least_budget or -1
        elif budget > 0:
            told = max(budget, abilities.least_budget)
            told = min(told, abilities.most_budget or told)
        if told != budget:
            self._losses.note("effort")
        return {"thinkingBudget": told}

    def _shown(self, wish: Thinking) -> bool:
        """Say whether the client expects to see thoughts, by its protocol's habit if it does not say."""
        if wish.shown is not None:
            return wish.shown
        if wish.summary is not None:
            return wish.summary in _SAID_BY_SUMMARY
        return self._asked.wire is not Wire.RESPONSES and _wants(wish)


def _wants(wish: Thinking) -> bool:
    if wish.enabled is False or wish.effort == "none" or wish.budget == 0:
        return False
    return bool(wish.enabled or wish.adaptive or wish.effort or wish.budget)


def _as_said(wish: Thinking) -> Json:
    made: Json = dict(wish.extra)
    if wish.budget is not None:
        made["thinkingBudget"] = wish.budget
    if wish.effort is not None:
        made["thinkingLevel"] = wish.effort.upper()
    if wish.shown is not None:
        made["includeThoughts"] = wish.shown
    return made
