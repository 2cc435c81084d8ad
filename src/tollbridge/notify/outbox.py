"""Owns the outbox: mail and webhook events are jobs, made in the transaction of what they tell of.

So nothing is told of what was rolled back, and nothing that was committed stays untold. A job runs
at least once; the id of a message is fixed here and the same at every try, so that a receiver can
drop doubles. Must not know what is told, nor how it is sent.
"""

import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from tollbridge.core.clock import now_ms
from tollbridge.core.settings import Settings
from tollbridge.core.telemetry import get_logger
from tollbridge.notify.mail import Mail, Mailer
from tollbridge.notify.webhook import Webhook
from tollbridge.storage.queue import Job, enqueue
from tollbridge.storage.rows import to_json

MAIL = "mail"
WEBHOOK = "webhook"
_log = get_logger(__name__)


async def post_mail(connection: AsyncConnection, mail: Mail) -> str:
    """Let a mail be sent when the caller's transaction has committed; return the message's id."""
    message_id = _new_id()
    payload = {
        "id": message_id,
        "made_ms": now_ms(),
        "to": mail.to,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
    }
    await enqueue(connection, MAIL, payload)
    return message_id


async def post_webhook(connection: AsyncConnection, event: str, data: Mapping[str, Any]) -> str:
    """Let an event be posted when the caller's transaction has committed; return the message's id.

    URL and secret are the settings' at the time of sending: neither is stored.
    """
    message_id = _new_id()
    body = {"id": message_id, "event": event, "made_ms": now_ms(), "data": dict(data)}
    await enqueue(connection, WEBHOOK, {"id": message_id, "event": event, "body": to_json(body)})
    return message_id


class Outbox:
    """The two handlers of the outbox; a handler that raises is tried again by the queue."""

    def __init__(self, mailer: Mailer, webhook: Webhook | None) -> None:
        self._mailer = mailer
        self._webhook = webhook

    @classmethod
    def of(cls, settings: Settings, site_url: Callable[[], str] | None = None) -> "Outbox":
        """Return the outbox that the settings describe; SettingsError when they cannot be used.

        For `site_url` see `Mailer.of`.
        """
        return cls(Mailer.of(settings, site_url), Webhook.of(settings))

    def handlers(self) -> dict[str, Callable[[Job], Coroutine[Any, Any, None]]]:
        """Return the handlers by kind of job."""
        return {MAIL: self.send_mail, WEBHOOK: self.send_webhook}

    async def send_mail(self, job: Job) -> None:
        """Send the mail of a job; MailNotSent when it was not taken."""
        content = job.payload
        mail = Mail(content["to"], content["subject"], content["text"], content["html"])
        await self._mailer.send(mail, content["id"], content["made_ms"])

    async def send_webhook(self, job: Job) -> None:
        """Post the event of a job; WebhookFailed when it was not taken.

        Without a webhook in the settings (it was taken out since) there is nobody to tell.
        """
        content = job.payload
        if self._webhook is None:
            _log.warning("webhook_dropped", message=content["id"])
            return
        await self._webhook.post(content["event"], content["id"], content["body"].encode())


def _new_id() -> str:
    return secrets.token_hex(16)
