"""Proof that what is committed is sent, at least once and recognisably, and what is not is not."""

import json
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.notify.waiting import claimed
from tests.services.hooks import hook_server
from tests.services.smtp import mail_server
from tollbridge.core.settings import SettingsError, load_settings
from tollbridge.notify.mail import Mail, Mailer, MailNotSent
from tollbridge.notify.outbox import Outbox, post_mail, post_webhook
from tollbridge.notify.webhook import Webhook, WebhookFailed
from tollbridge.storage.queue import Job, done, failed
from tollbridge.storage.unit_of_work import working

MAIL = Mail("ops@example.test", "Disk low", "wallet 7\n", "<p>wallet 7</p>")
NOWHERE = Mailer(sender="gate@example.test", folder=Path("unused"))


async def run(engine: AsyncEngine, outbox: Outbox) -> list[Exception]:
    """Do what waits once, the way the worker does; return what went wrong."""
    faults: list[Exception] = []
    for job in await claimed(engine):
        try:
            await outbox.handlers()[job.kind](job)
        except (MailNotSent, WebhookFailed) as error:
            faults.append(error)
            await failed(engine, job, str(error))
        else:
            await done(engine, job)
    return faults


async def retried(engine: AsyncEngine, job: Job, outbox: Outbox) -> None:
    await outbox.handlers()[job.kind](job)


async def test_a_posted_mail_is_sent_once(engine: AsyncEngine):
    async with working(engine) as connection:
        message_id = await post_mail(connection, MAIL)
    async with mail_server() as server:
        mailer = Mailer(
            sender="gate@example.test", folder=Path("unused"), host="127.0.0.1",
            port=server.port, security="none",
        )  # fmt: skip
        assert await run(engine, Outbox(mailer, None)) == []
        assert await run(engine, Outbox(mailer, None)) == []
    (got,) = server.mails
    assert got.message["message-id"] == f"<{message_id}@example.test>"
    assert got.message["subject"] == "Disk low"
    assert got.message.is_multipart()


async def test_a_posted_event_is_sent_once(engine: AsyncEngine):
    async with working(engine) as connection:
        message_id = await post_webhook(connection, "alert.opened", {"subject": "wärme"})
    async with hook_server() as server:
        outbox = Outbox(NOWHERE, Webhook(server.url, "secret"))
        assert await run(engine, outbox) == []
        assert await run(engine, outbox) == []
    (post,) = server.posts
    body = json.loads(post.body)
    assert body["id"] == post.headers["x-tollbridge-id"] == message_id
    assert body["event"] == post.headers["x-tollbridge-event"] == "alert.opened"
    assert body["data"] == {"subject": "wärme"}


async def test_nothing_is_sent_of_what_was_rolled_back(engine: AsyncEngine):
    async with working(engine) as connection:
        await post_mail(connection, MAIL)
        await post_webhook(connection, "alert.opened", {})
        await connection.rollback()
    assert await claimed(engine) == []


async def test_every_try_has_the_same_id_and_body(engine: AsyncEngine):
    async with working(engine) as connection:
        await post_webhook(connection, "alert.opened", {"subject": "a"})
    (job,) = await claimed(engine)
    async with hook_server(statuses=[500, 302]) as server:
        outbox = Outbox(NOWHERE, Webhook(server.url, "secret"))
        for _ in range(2):
            with pytest.raises(WebhookFailed):
                await retried(engine, job, outbox)
        await retried(engine, job, outbox)
    assert len(server.posts) == 3
    assert len({post.headers["x-tollbridge-id"] for post in server.posts}) == 1
    assert len({post.body for post in server.posts}) == 1


async def test_a_mail_that_was_refused_waits_for_another_try(engine: AsyncEngine):
    async with working(engine) as connection:
        await post_mail(connection, MAIL)
    (job,) = await claimed(engine)
    async with mail_server(answers={"content": "451 later"}) as server:
        mailer = Mailer(
            sender="gate@example.test", folder=Path("unused"), host="127.0.0.1",
            port=server.port, security="none",
        )  # fmt: skip
        with pytest.raises(MailNotSent) as caught:
            await retried(engine, job, Outbox(mailer, None))
        assert await failed(engine, job, str(caught.value)) == "again"
        server.answers.clear()
        await retried(engine, job, Outbox(mailer, None))
    first, second = server.mails
    assert first.content == second.content


async def test_a_worker_that_dies_after_the_deed_leaves_it_to_another(engine: AsyncEngine):
    async with working(engine) as connection:
        message_id = await post_webhook(connection, "alert.opened", {})
    async with hook_server() as server:
        outbox = Outbox(NOWHERE, Webhook(server.url, "secret"))
        for holder in (1, 2):
            # The lease is over at once; nobody said `done`.
            (job,) = await claimed(engine, holder, lease_s=0)
            await retried(engine, job, outbox)
    assert [post.headers["x-tollbridge-id"] for post in server.posts] == [message_id] * 2


async def test_an_event_without_a_receiver_is_let_go(engine: AsyncEngine):
    async with working(engine) as connection:
        await post_webhook(connection, "alert.opened", {})
    assert await run(engine, Outbox(NOWHERE, None)) == []
    assert await claimed(engine) == []


async def test_neither_url_nor_secret_is_stored(engine: AsyncEngine):
    async with working(engine) as connection:
        await post_webhook(connection, "alert.opened", {"a": 1})
    (job,) = await claimed(engine)
    assert job.payload.keys() == {"id", "event", "body"}


def test_settings_that_cannot_be_used():
    assert Outbox.of(load_settings()).handlers().keys() == {"mail", "webhook"}
    with pytest.raises(SettingsError):
        Outbox.of(load_settings(alert_webhook_url="nowhere"))
    with pytest.raises(SettingsError):
        Outbox.of(load_settings(mail_from="nobody"))
