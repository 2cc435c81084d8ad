"""Owns one mail: its form, and handing it to the mail server or, without one, to a folder.

Every mail has one recipient, so that one refused address costs nobody else's mail. Must not know
why it is sent. Neither password, text nor a server's words reach a log or an exception.
"""

import asyncio
import os
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.policy import Policy
from email.utils import format_datetime, formataddr, parseaddr
from pathlib import Path
from typing import Self

import aiosmtplib

from tollbridge.core.redaction import well_formed
from tollbridge.core.settings import Settings, SettingsError
from tollbridge.core.telemetry import Unmasked, get_logger

_DEADLINE_S = 60.0
_SUBJECT_MAX = 200
_ADDRESS_MAX = 254
# Plain ASCII without quoting: what may stand in a header and an SMTP command as it is.
_ADDRESS = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", re.ASCII
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_log = get_logger(__name__)


class MailNotSent(Exception):
    """The mail was not taken; the text has a status at most and may be kept and shown."""


@dataclass(frozen=True, slots=True, repr=False)
class Mail:
    """What to tell whom. ValueError for an address or subject that would not be one header."""

    to: str
    subject: str
    text: str
    html: str | None = None

    def __post_init__(self) -> None:
        """Refuse what could begin another header or name another recipient."""
        if not is_address(self.to):
            raise ValueError("not an e-mail address")
        if not self.subject or len(self.subject) > _SUBJECT_MAX or _CONTROL.search(self.subject):
            raise ValueError(f"a subject is one line of 1 to {_SUBJECT_MAX} characters")


class _Subject(str):
    """A subject that arrives with all its spaces.

    The library's own folding loses those between words that need encoding, where a line ends.
    """

    __slots__ = ()
    name = "Subject"

    def fold(self, *, policy: Policy) -> str:
        """Return the whole header as it stands in a mail."""
        charset = "us-ascii" if self.isascii() and "=?" not in self else "utf-8"
        folded = Header(str(self), charset, header_name=self.name).encode(linesep=policy.linesep)
        return f"{self.name}: {folded}{policy.linesep}"


def is_address(text: str) -> bool:
    """Tell whether `text` is one plain ASCII address, without a name or brackets."""
    return len(text) <= _ADDRESS_MAX and _ADDRESS.fullmatch(text) is not None


def addresses(setting: str, text: str) -> tuple[str, ...]:
    """Return the addresses in a setting, commas between them; SettingsError names the setting."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not all(map(is_address, found)):
        raise SettingsError(f"{setting}: must be e-mail addresses with commas between them")
    return found


class Mailer:
    """Sends mail as the settings say. Make it once: it reads the system's trusted certificates."""

    def __init__(
        self,
        *,
        sender: str,
        folder: Path,
        host: str = "",
        port: int = 587,
        security: str = "starttls",
        user: str = "",
        password: str = "",
        deadline_s: float = _DEADLINE_S,
    ) -> None:
        """Take a sender like "a@b.c" or "Name <a@b.c>"; SettingsError when it is neither."""
        name, self._address = parseaddr(sender)
        if not is_address(self._address) or _CONTROL.search(sender):
            raise SettingsError("mail_from: must be an e-mail address")
        self._from = formataddr((name, self._address))
        self._domain = self._address.partition("@")[2]
        self._folder = folder
        self._host, self._port, self._security = host, port, security
        self._user, self._password = user, password
        self._deadline_s = deadline_s
        self.site_url: Callable[[], str] | None = None
        """When set, the log shows the first link to it of a mail that is written to the folder."""
        encrypts = bool(host) and security != "none"
        self._tls = ssl.create_default_context() if encrypts else None

    @classmethod
    def of(cls, settings: Settings, site_url: Callable[[], str] | None = None) -> Self:
        """Return the mailer that the settings describe.

        `site_url` counts on SQLite alone: there log and database are the same person's, who tries
        the gateway out. A log that is collected somewhere must not hold what opens an account.
        """
        made = cls(
            sender=settings.mail_from,
            folder=Path(settings.mail_folder),
            host=settings.smtp_host,
            port=settings.smtp_port,
            security=settings.smtp_security,
            user=settings.smtp_user,
            password=settings.smtp_password,
        )
        made.site_url = None if settings.sqlite_path is None else site_url
        return made

    async def send(self, mail: Mail, message_id: str, made_ms: int) -> None:
        """Hand over one mail, the same bytes however often it is tried.

        `message_id` are letters, digits, dots and dashes, the same at every try, so that what is
        sent twice can be told; else ValueError. MailNotSent when it was not taken.
        """
        if not _NAME.fullmatch(message_id):
            raise ValueError("not a message id")
        message = self._message(mail, message_id, made_ms)
        if not self._host:
            path = await asyncio.to_thread(_write, self._folder, message_id, message.as_bytes())
            _log.info("mail_written", file=path, **self._link(mail.text))
            return
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._hand_over(message, mail.to)
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            # Not chained: a server's words may quote the mail.
            raise MailNotSent(_reason(error)) from None

    def _link(self, text: str) -> dict[str, str]:
        """Return the first link of a text to our own site, made to be read in the log."""
        if self.site_url is None:
            return {}
        found = re.search(re.escape(self.site_url()) + r"/[!-~]*", text)
        return {"link": Unmasked(found[0])} if found else {}

    def _message(self, mail: Mail, message_id: str, made_ms: int) -> EmailMessage:
        message = EmailMessage(policy=WIRE)
        message["From"] = self._from
        message["To"] = mail.to
        message["Subject"] = _Subject(well_formed(mail.subject))
        message["Date"] = format_datetime(datetime.fromtimestamp(made_ms // 1000, UTC))
        message["Message-ID"] = f"<{message_id}@{self._domain}>"
        # Holiday notices need not answer.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(well_formed(mail.text))
        if mail.html is not None:
            message.add_alternative(well_formed(mail.html), subtype="html")
            # The default boundary is random, and a repeated mail is the same bytes.
            message.set_boundary(f"={message_id}=")
        return message

    async def _hand_over(self, message: EmailMessage, to: str) -> None:
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user or None,
            password=self._password or None,
            local_hostname=self._domain,
            use_tls=self._security == "tls",
            start_tls=self._security == "starttls",
            tls_context=self._tls,
            timeout=self._deadline_s,
        )
        try:
            await client.connect()
            await client.send_message(message, sender=self._address, recipients=[to])
            # The mail is taken; a farewell that fails must not send it again.
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit()
        finally:
            client.close()


def _reason(error: Exception) -> str:
    refused = error.recipients[0] if isinstance(error, aiosmtplib.SMTPRecipientsRefused) else error
    if isinstance(refused, aiosmtplib.SMTPAuthenticationError):
        return f"the mail server refused user or password ({refused.code})"
    if isinstance(refused, aiosmtplib.SMTPResponseException):
        return f"the mail server answered {refused.code}"
    if isinstance(refused, TimeoutError | aiosmtplib.SMTPTimeoutError):
        return "the mail server did not answer in time"
    if isinstance(refused, ssl.SSLError) or isinstance(refused.__cause__, ssl.SSLError):
        return "no trusted encryption with the mail server"
    # The library raises its plainest class when STARTTLS is not offered.
    if (
        isinstance(refused, aiosmtplib.SMTPNotSupported)
        or type(refused) is aiosmtplib.SMTPException
    ):
        return "the mail server does not offer what the settings ask for"
    return "the mail server cannot be reached"


def _write(folder: Path, name: str, content: bytes) -> str:
    """Write a mail that nobody else can read, whole or not at all; MailNotSent when it cannot be."""
    path = folder / f"{name}.eml"
    part = path.with_suffix(".part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(part, "wb", opener=_private) as file:
            file.write(content)
        part.replace(path)
    except OSError as error:
        raise MailNotSent(f"mail_folder cannot be written: {error.strerror}") from None
    return str(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
