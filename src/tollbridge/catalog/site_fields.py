"""Owns the settings of the installation that operators change while it runs: names, kinds, bounds.

The one list for the configuration file's [site], the API and the back office. Values are plain JSON;
amounts are decimal strings of dollars. Must not know where they are stored.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final, Literal

from tollbridge.core.errors import Profile
from tollbridge.core.language import N_
from tollbridge.core.money import parse_usd

Kind = Literal["text", "block", "choice", "list", "usd", "flag"]
_LIST_MAX = 1_000
_ENTRY_MAX = 320
# Control characters, and halves of characters, which JSON can spell and no database holds.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SiteField:
    """One setting; `about` is a msgid. `file_only`: what opens the inside of a network is the file's."""

    name: str
    kind: Kind
    default: Any
    about: str
    options: tuple[str, ...] = ()
    most: int = 200
    file_only: bool = False


SITE_FIELDS: Final = (
    SiteField("name", "text", "Tollbridge", N_("What the site calls itself."), most=64),
    SiteField(
        "error_profile",
        "choice",
        Profile.STRICT.value,
        N_("In which dialect errors are told to clients."),
        tuple(profile.value for profile in Profile),
    ),
    SiteField(
        "trusted_proxies",
        "list",
        [],
        N_("Proxies (CIDR) whose X-Forwarded-For counts."),
        file_only=True,
    ),
    SiteField(
        "allow_private_upstreams",
        "flag",
        default=False,
        about=N_("Whether accounts may be in private address ranges."),
        file_only=True,
    ),
    SiteField(
        "sign_up",
        "choice",
        "closed",
        N_("Who may sign up: everybody, who has an invite, or nobody."),
        ("open", "invite", "closed"),
    ),
    SiteField(
        "sign_up_bonus", "usd", "1.00", N_("Credit for a verified address, once ever; 0: none.")
    ),
    SiteField(
        "email_allowed",
        "list",
        [],
        N_("Domains that may sign up; empty: all that are not blocked."),
    ),
    SiteField("email_blocked", "list", [], N_("Domains that may not sign up.")),
    SiteField(
        "email_aliases",
        "choice",
        "fold",
        N_("Addresses such as a+b@c: the same person as a@c, refused, or somebody else."),
        ("fold", "refuse", "allow"),
    ),
    SiteField(
        "terms_version", "text", "1", N_("Version of the terms that people agree to."), most=32
    ),
    SiteField("terms", "block", "", N_("Terms of use, Markdown."), most=100_000),
    SiteField("refunds", "block", "", N_("Refund policy, Markdown."), most=100_000),
    SiteField("disclaimer", "block", "", N_("Disclaimer, Markdown."), most=100_000),
    SiteField("contact_email", "text", "", N_("Support by mail."), most=254),
    SiteField("contact_telegram", "text", "", N_("Support on Telegram: a name or a link.")),
    SiteField("contact_qq", "text", "", N_("Support on QQ: a number or a group.")),
    SiteField("contact_wechat", "text", "", N_("Support on WeChat: an id.")),
)
BY_NAME: Final = {field.name: field for field in SITE_FIELDS}


def checked(field: SiteField, value: Any) -> Any:
    """Return a value as it is stored; ValueError says what is wrong with it, never the value."""
    if field.kind == "flag":
        return _of(bool, value)
    if field.kind == "list":
        return _entries(field, value)
    text: str = _of(str, value)
    if field.kind == "choice" and text not in field.options:
        raise ValueError(f"must be one of {', '.join(field.options)}")
    if field.kind == "usd":
        parse_usd(text)
    if len(text) > field.most:
        raise ValueError(f"must have at most {field.most} characters")
    if _CONTROL.search(text) or (field.kind != "block" and "\n" in text):
        raise ValueError("has characters that cannot be used")
    if field.name == "name" and not text.strip():
        raise ValueError("must not be empty")
    return text


def _entries(field: SiteField, value: Any) -> list[str]:
    entries: list[Any] = _of(list, value)
    if len(entries) > _LIST_MAX:
        raise ValueError(f"must have at most {_LIST_MAX} entries")
    for entry in entries:
        text: str = _of(str, entry)
        if not text.strip() or len(text) > _ENTRY_MAX or not text.isprintable():
            raise ValueError("has an entry that cannot be used")
        if field.name == "trusted_proxies":
            _check_network(text)
    return [entry if field.file_only else entry.strip().lower() for entry in entries]


def _check_network(text: str) -> None:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("has an entry that is no network, or one with host bits set") from None


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        names = {bool: "true or false", list: "a list", str: "a text"}
        raise ValueError(f"must be {names[kind]}")  # noqa: TRY004 -- callers show one kind of error
    return value
