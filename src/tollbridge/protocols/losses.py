"""Owns the list of what a translation between protocols loses, and the refusal of what it may not.

A loss is advisory: the model sees the same, or the client misses a detail of the answer. What
would change what the model sees is refused with the field's name (protocols.md 4, rule 3). The
table in the documentation is generated from this list. Must not know how anything is written.
"""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from tollbridge.protocols.json_peek import FieldError


class Untranslatable(FieldError):
    """A field cannot be said to this model's vendor. `reason` is a sentence for the client."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, "something that this model's vendor can be told")
        self.reason = reason


LOSSES: Mapping[str, str] = MappingProxyType(
    {
        # Requests.
        "cache_hint": "Hints for the vendor's prompt cache are dropped; the price may differ.",
        "carrier": "Signed or encrypted reasoning of another vendor is dropped from the history.",
        "context_edit": "The wish to cut or clear a long context at the vendor's is dropped.",
        "document_name": "The name, title or context of a document is dropped.",
        "effort": "The effort is replaced by the nearest one that the model has.",
        "end_user": "The client's own name for its user is dropped.",
        "image_detail": "The level of detail of an image is dropped.",
        "include": "Requests for additional output are dropped.",
        "logit_bias": "Biases of single tokens are dropped.",
        "logprobs": "Probabilities of tokens are not asked for.",
        "message_name": "Names of the participants are dropped.",
        "metadata": "Metadata for the vendor's own records is dropped.",
        "parallel": "Whether tools may be called at the same time is dropped.",
        "penalties": "Penalties for repetition are dropped.",
        "prediction": "The predicted output is dropped.",
        "reasoning_text": "Readable reasoning in the history is dropped: the model must not see it again.",
        "result_failed": "That a tool call failed is said in the text of its result.",
        "safety_settings": "Settings of the vendor's content filter are dropped.",
        "schema_keyword": "Keywords of a schema that the vendor refuses are dropped or described.",
        "search_option": "Options of the web search are dropped.",
        "search_trace": "Records of the web searches behind earlier answers are dropped from the history.",
        "seed": "The seed is dropped; answers are not repeatable.",
        "store": "The wish to keep or not to keep the answer at the vendor's is dropped.",
        "stream_option": "Options of the stream's form are dropped.",
        "strict": "The wish for strict adherence to a tool's schema is dropped.",
        "system_place": "An instruction within the conversation becomes a marked text of the user.",
        "temperature": "A temperature above the vendor's range is lowered, or dropped where it has none.",
        "tier": "The service tier is dropped.",
        "tool_choice": "A forced tool becomes a free choice where the model thinks.",
        "tool_example": "Examples and other hints of a tool are dropped.",
        "top_k": "The limit to the likeliest tokens is dropped.",
        "top_p": "top_p is dropped where the vendor takes only one of it and temperature.",
        "verbosity": "The wish for shorter or longer answers is dropped.",
        # Answers.
        "answer_carrier": "A signature has no place in the client's protocol; the vendor may want it back.",
        "answer_choices": "Only the first of several answers fits the protocol.",
        "answer_citation": "Details of a citation beyond address, title and place are dropped.",
        "answer_logprobs": "Probabilities of tokens are dropped.",
        "answer_opaque": "A part that only the vendor's own protocol has is dropped.",
        "answer_stop_sequence": "Which stop sequence ended the answer is not said.",
        "answer_server_tool": "What a tool of the vendor did before the answer is not shown.",
    }
)


class Losses:
    """Counts what one translation lost."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def note(self, code: str) -> None:
        """Count one loss; KeyError for one that the list does not have."""
        LOSSES[code]
        self.counts[code] += 1
