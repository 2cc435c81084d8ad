"""Owns the questions that people ask of keys, models and failures, with our answers.

Each is an entry under a lasting id. Answers are Markdown; %(url)s is where calls go,
%(site)s what the site calls itself. Pure data.
"""

from dataclasses import dataclass
from typing import Final

from tollbridge.web.forms import N_


@dataclass(frozen=True, slots=True)
class Entry:
    """One question; `id` is its address on the page and never changes. Texts are msgids."""

    id: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """Questions of one matter."""

    title: str
    entries: tuple[Entry, ...]


START: Final = Chapter(
    N_("Keys and channels"),
    (
        Entry(
            "first-steps",
            N_("How do I make my first call?"),
            N_(
                "Make a key under [Keys](/console/keys/new), copy its secret (it is shown once) and"
                " the configuration of your client beside it. The [quick start](/docs#clients) has"
                " the same for every client."
            ),
        ),
        Entry(
            "base-url",
            N_("Which base URL do I enter?"),
            N_(
                "OpenAI clients: `%(url)s/v1`. Anthropic clients and Claude Code: `%(url)s`. Google's"
                " clients: `%(url)s`. A missing or doubled `/v1` is the usual cause of a 404; its"
                " message names the right path."
            ),
        ),
        Entry(
            "key-401",
            N_("Why is my key refused with 401?"),
            N_(
                "It was not copied whole, it has expired, or the client sends another one, from an"
                " environment variable for instance. `Authorization: Bearer`, `x-api-key` and"
                " `x-goog-api-key` all work. `GET %(url)s/v1/key` shows what a key is good for."
            ),
        ),
        Entry(
            "one-key-many-channels",
            N_("Can one key call several channels?"),
            N_(
                "A key is bound to the channel that you pick for it. A key of “Auto” goes to the"
                " cheapest channel that serves the model of each call. Make as many keys as you"
                " like, one for each channel and purpose."
            ),
        ),
        Entry(
            "which-channel",
            N_("Which channel should I choose?"),
            N_(
                "[Channels & prices](/console/channels) lists each channel with its models, what they"
                " cost you, which clients it lets in and how it did over 90 days. Some channels are"
                " for one client only and cheaper for it."
            ),
        ),
        Entry(
            "client-not-allowed",
            N_("Why does a channel refuse my client?"),
            N_(
                "Its price is meant for one client, such as Claude Code or Codex. Use a key of a"
                " channel for any client."
            ),
        ),
        Entry(
            "pinning",
            N_("Can a single call choose its channel?"),
            N_(
                "If the operator allowed the key to: add `#channel` to the secret, or send the header"
                " `X-Tollbridge-Channel`. Other keys get 403 `pin_forbidden`, unknown names 400"
                " `pin_bad_id`."
            ),
        ),
        Entry(
            "lost-secret",
            N_("I lost the secret of my key. Can you show it again?"),
            N_(
                "No, nobody can: only a fingerprint of it is kept. Rotate the key to get a new"
                " secret; the old one can go on working for a while."
            ),
        ),
        Entry(
            "leaked-secret",
            N_("My secret got out. What now?"),
            N_(
                "Disable or rotate the key under [Keys](/console/keys); that works within a second."
                " Limits, budgets and lists of addresses on a key keep such damage small."
            ),
        ),
    ),
)

MODELS: Final = Chapter(
    N_("Models"),
    (
        Entry(
            "model-names",
            N_("How are models named?"),
            N_(
                "Exactly as `GET %(url)s/v1/models` lists them, upper and lower case included. There"
                " are no short names: `gpt` alone finds nothing. The message of a refusal names the"
                " nearest ones."
            ),
        ),
        Entry(
            "same-models",
            N_("Are these the models of their makers?"),
            N_(
                "A call is passed to the model that you name, and no other one is put in its place;"
                " receipts show which model answered. Where a client's protocol is not the"
                " provider's, the request is translated, and refused if its meaning would change."
            ),
        ),
        Entry(
            "no-accounts",
            N_("I got 503 “No available accounts”. Why?"),
            N_(
                "The model's name may not be exact, or all accounts of the channel are resting at"
                " the moment. Compare the name with the list of models, look at the"
                " [status](/status), and try again as `Retry-After` says."
            ),
        ),
        Entry(
            "codex-model",
            N_("My client asks for a model that is not sold here."),
            N_(
                "Some clients come with a model name of their own. Set it in the client's"
                " configuration to one that the channel lists; the texts of the"
                " [quick start](/docs#clients) have one already."
            ),
        ),
        Entry(
            "tool-loops",
            N_("The model calls the same tool again and again."),
            N_(
                "Usually the client leaves out the tool's result or its id when it sends the"
                " conversation back. Try the other endpoint, chat completions instead of responses"
                " or the other way round, or a larger model."
            ),
        ),
        Entry(
            "tool-json-cut",
            N_("The JSON of a tool call is cut off."),
            N_(
                "The limit of output tokens was reached: raise `max_tokens`, 4096 or more for tools."
                " Small models also write longer JSON less reliably."
            ),
        ),
    ),
)

GEMINI: Final = Chapter(
    N_("Google's protocol"),
    (
        Entry(
            "gemini-url",
            N_("Which address do calls in Google's protocol use?"),
            N_(
                "`%(url)s/v1beta/models/MODEL:generateContent`, and `:streamGenerateContent?alt=sse`"
                " for a stream. Send the key as `x-goog-api-key` or `Authorization: Bearer`."
            ),
        ),
        Entry(
            "gemini-400",
            N_("Google's protocol answers 400 “invalid argument”."),
            N_(
                "Mostly an item of `contents` lacks its `role`: `user` for what you say, `model` for"
                " what was answered. Google's own clients add it; hand-written JSON often has none."
            ),
        ),
        Entry(
            "gemini-503",
            N_("Google's models answer 503."),
            N_(
                "The name is not one of the list, or the accounts are resting for some minutes after"
                " their sign-in failed. Check the name, then try again in a minute."
            ),
        ),
    ),
)

LIMITS: Final = Chapter(
    N_("Limits and failures"),
    (
        Entry(
            "rate-429",
            N_("Why do I get 429, and why does it pass by itself?"),
            N_(
                "Keys, users and channels may have limits of calls and tokens a minute and of calls"
                " at once. `Retry-After` says when there is room again, after a minute or so at"
                " most; SDKs wait by themselves. Send fewer calls at once if it comes often."
            ),
        ),
        Entry(
            "limit-headers",
            N_("How do I see how much of a limit is left?"),
            N_(
                "Answers have `x-ratelimit-limit-requests`, `x-ratelimit-remaining-requests` and"
                " `x-ratelimit-reset-requests`, and the same with `tokens`, where there is a limit."
            ),
        ),
        Entry(
            "upstream-502",
            N_("What does 502 mean?"),
            N_(
                "The provider failed, and so did the tries with other accounts. Such a call costs"
                " nothing. Try again, with growing pauses; the [status](/status) page shows incidents."
            ),
        ),
        Entry(
            "timeout-504",
            N_("My call ended with 504."),
            N_(
                "The model took too long to begin. Stream the answer, shorten the prompt, lower the"
                " effort of reasoning, or use a faster model."
            ),
        ),
        Entry(
            "error-400",
            N_("Where do errors of status 400 come from?"),
            N_(
                "Almost always from the request: a field that the model does not take, or a value"
                " out of range. The message says which; the provider's own words are passed on."
            ),
        ),
        Entry(
            "trace-id",
            N_("What is the tid in answers and errors?"),
            N_(
                "The trace id of a call, also in the header `x-request-id`. It finds the call under"
                " [Usage](/console/usage), and support finds it by the same. It tells nothing else."
            ),
        ),
        Entry(
            "stream-drops",
            N_("My stream breaks off in the middle."),
            N_(
                "Something on the way closes long connections; a sign of life is sent while the"
                " model is silent, which most of them respect. Try another network, or ask for the"
                " answer without streaming. The [error page](/docs/errors#stream_broken) tells of"
                " streams that the provider broke."
            ),
        ),
        Entry(
            "garbled",
            N_("Streamed text looks garbled in my terminal."),
            N_(
                "Answers are UTF-8. On Windows switch the terminal with `chcp 65001`, and use a"
                " recent version of the client."
            ),
        ),
    ),
)
