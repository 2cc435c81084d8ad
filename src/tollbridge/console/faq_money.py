"""Owns the questions that people ask of money, of privacy and of help, with our answers. Pure data."""

from typing import Final

from tollbridge.console.faq_entries import Chapter, Entry
from tollbridge.web.forms import N_

MONEY: Final = Chapter(
    N_("Money"),
    (
        Entry(
            "dollars",
            N_("Is the balance in US dollars?"),
            N_(
                "Yes. Every amount here is dollars with all its decimals, prices included; there are"
                " no points and no hidden rate."
            ),
        ),
        Entry(
            "how-charged",
            N_("How is a call charged?"),
            N_(
                "Before it begins, the most that it can cost is reserved; when it has ended, what it"
                " used is charged and the rest is free again. Each line of [Usage](/console/usage)"
                " opens into a receipt that can be recomputed by hand."
            ),
        ),
        Entry(
            "insufficient",
            N_("Why is a call refused though there is some balance left?"),
            N_(
                "The balance must cover the most that the call can cost. Ask for less output with"
                " `max_tokens`, wait for running calls to end, or add credit."
            ),
        ),
        Entry(
            "failed-cost",
            N_("Do failed calls cost anything?"),
            N_(
                "A call without an answer costs nothing. Of a stream that broke, or that you left,"
                " the input and what was generated are charged."
            ),
        ),
        Entry(
            "bonus-missing",
            N_("I have just signed up. Where is my bonus?"),
            N_(
                "It is credited when you confirm your address by the link in the mail, once for each"
                " person. If the site gives one and [Wallet](/console/wallet) does not show it, write"
                " to support from the address that you signed up with."
            ),
        ),
        Entry(
            "add-credit",
            N_("How do I add credit?"),
            N_(
                "Enter a code under [Wallet](/console/wallet), or ask the operator of %(site)s how"
                " else to pay. Every credit is a line of the wallet and says until when it is good."
            ),
        ),
        Entry(
            "spending-limits",
            N_("How do I keep spending within bounds?"),
            N_(
                "Give a key a spending limit for its whole life or a budget by day, week or month."
                " They hold exactly, also over calls at the same time: a call that does not fit is"
                " refused with 402 before it begins."
            ),
        ),
        Entry(
            "refund",
            N_("Can I get my money back?"),
            N_(
                "The [refund policy](/legal/refunds) says what holds here. A charge that was wrong"
                " can be given back by support; tell them the tid of the call."
            ),
        ),
        Entry(
            "invoice",
            N_("Do I get an invoice?"),
            N_(
                "`GET %(url)s/v1/statements/2026-01` hands out a month as JSON, CSV, a page or PDF."
                " For an invoice with the name and tax number of a company ask the operator."
            ),
        ),
        Entry(
            "money-safe",
            N_("Is my money safe?"),
            N_(
                "Every movement is a line of a ledger that only grows, and the ledger is checked"
                " against itself. Add no more credit at once than you need for a while."
            ),
        ),
    ),
)

PRIVACY: Final = Chapter(
    N_("Privacy, images, help"),
    (
        Entry(
            "stored-content",
            N_("Do you store what I write?"),
            N_(
                "No. Prompts and answers pass through memory and are neither written to disk nor"
                " logged. What is kept of a call is its time, key, model, counts of tokens, status"
                " and cost. The provider that answers has its own rules."
            ),
        ),
        Entry(
            "images",
            N_("How do I make images?"),
            N_(
                "`POST %(url)s/v1/images/generations` as with OpenAI, with a model for images and a"
                " key of a channel that has images: [Channels & prices](/console/channels) shows"
                " which."
            ),
        ),
        Entry(
            "images-refused",
            N_("“Image generation is not enabled for this group”: what is missing?"),
            N_(
                "The channel of the key makes no images. Use a key of a channel whose line under"
                " [Channels & prices](/console/channels) says so."
            ),
        ),
        Entry(
            "image-not-decoded",
            N_("The image that I got does not open."),
            N_(
                "It comes as base64: decode `data[0].b64_json`. Where it begins with `data:image/`,"
                " decode what follows the comma."
            ),
        ),
        Entry(
            "which-ip",
            N_("May I bind a key to network addresses?"),
            N_(
                "Yes: list addresses and networks under “More restrictions” of the key. From elsewhere"
                " it is answered with 403 `ip_not_allowed`."
            ),
        ),
        Entry(
            "support",
            N_("My question is not here. Whom do I ask?"),
            N_(
                "Look at the [error page](/docs/errors) and the [status](/status) first. Then write to"
                " one of the [contacts](/docs#contacts), with the tid, the model and the time, and"
                " never with your secret."
            ),
        ),
        Entry(
            "whose-service",
            N_("Is this a service of the models' makers?"),
            N_(
                "No. %(site)s passes calls on to them and belongs to none of them; see the"
                " [disclaimer](/legal/disclaimer)."
            ),
        ),
    ),
)
